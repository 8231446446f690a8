// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// create makes a claim, or a data volume for which CDI makes one.
func create(s *session.Session, _ *model, wanted *volume, usual *objects.Creation[*volume]) {
	c := clientsOf(s)
	usual.Wanted = []metav1.Object{wanted.PersistentVolumeClaim}
	if wanted.data != nil {
		usual.Wanted = append(usual.Wanted, wanted.data)
	}
	usual.Send = func(ctx context.Context) (*volume, error) { return c.post(ctx, wanted) }
	usual.Find = func(ctx context.Context) (*volume, error) { return c.find(ctx, wanted) }
	usual.TakeOver = func(ctx context.Context, existing *volume) (*volume, error) {
		return annotate(ctx, s, existing, objects.Metadata(wanted.PersistentVolumeClaim, existing.UID))
	}
	usual.AwaitGone = c.awaitGone
}

// post sends the order: to CDI, unless somebody else's volume has the name, or to Kubernetes.
func (c clients) post(ctx context.Context, wanted *volume) (*volume, error) {
	if wanted.data == nil {
		claim, err := c.claims.Create(ctx, wanted.Namespace, wanted.PersistentVolumeClaim)
		return &volume{PersistentVolumeClaim: claim, class: wanted.class}, err
	}
	_, err := kube.Retry(ctx, func(ctx context.Context) (*corev1.PersistentVolumeClaim, error) {
		return c.claims.Get(ctx, wanted.Namespace, wanted.Name)
	})
	switch {
	case err == nil:
		return nil, apierrors.NewAlreadyExists(api.PersistentVolumeClaims.GroupResource(), wanted.Name)
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	data, err := c.dataVolumes.Create(ctx, wanted.Namespace, wanted.data)
	if err != nil {
		return nil, err
	}
	return &volume{PersistentVolumeClaim: claimOf(data), data: data, unborn: true, class: wanted.class}, nil
}

// find reads what has the name: a claim, or a data volume that has none yet.
func (c clients) find(ctx context.Context, wanted *volume) (*volume, error) {
	claim, err := c.claims.Get(ctx, wanted.Namespace, wanted.Name)
	if err == nil {
		return &volume{PersistentVolumeClaim: claim, class: wanted.class}, nil
	}
	if wanted.data == nil || !apierrors.IsNotFound(err) {
		return nil, err
	}
	data, err := c.dataVolumes.Get(ctx, wanted.Namespace, wanted.Name)
	if err != nil {
		return nil, err
	}
	return &volume{PersistentVolumeClaim: claimOf(data), data: data, unborn: true, class: wanted.class}, nil
}

// annotate changes the metadata of a volume, and of the data volume behind it: CDI hands its
// annotations on to a claim that it makes later.
func annotate(ctx context.Context, s *session.Session, seen *volume, metadata map[string]any) (*volume, error) {
	c := clientsOf(s)
	changed := *seen
	if seen.data != nil {
		data, err := c.dataVolumes.Patch(ctx, seen.Namespace, seen.Name, objects.With(map[string]any{"metadata": metadata}, seen.data.UID))
		switch {
		case err == nil:
			changed.data = data
		case seen.unborn || !apierrors.IsNotFound(err): // CDI may have removed it after its work
			return nil, err
		}
	}
	claim, err := c.claims.Patch(ctx, seen.Namespace, seen.Name, map[string]any{"metadata": without(metadata, seen)})
	switch {
	case err == nil:
		changed.PersistentVolumeClaim, changed.unborn = claim, false
	case !seen.unborn || !apierrors.IsNotFound(err):
		return nil, err
	}
	return &changed, nil
}

// without is the metadata without what is true of the data volume only, if the claim was not seen yet.
func without(metadata map[string]any, seen *volume) map[string]any {
	if !seen.unborn {
		return metadata
	}
	kept := map[string]any{}
	for key, value := range metadata {
		if key != "uid" && key != "resourceVersion" {
			kept[key] = value
		}
	}
	return kept
}

// awaitGone waits until a volume that is being deleted does not exist any more.
func (c clients) awaitGone(ctx context.Context, existing *volume) error {
	if existing.unborn {
		return objects.AwaitGone[api.DataVolume](ctx, c.session.Hub, c.dataVolumes, existing.data, objects.Leaving)
	}
	return objects.AwaitGone[corev1.PersistentVolumeClaim](ctx, c.session.Hub, c.claims, existing.PersistentVolumeClaim, objects.Leaving)
}
