// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
)

// create makes what was ordered, or takes over what an earlier apply with the same intent
// made before it was killed. The order then has the claim as it is.
func (r *Resource) create(ctx context.Context, plan *model, wanted *order) diag.Diagnostics {
	// What has the name is a claim, or a data volume that has none yet.
	made, diags := objects.Creation[metav1.Object]{
		Title:   plan.title(),
		Left:    nothingDone,
		Foreign: objects.Foreign{Type: Type, ID: plan.id(), One: "a volume", Short: "volume"},
		Send:    func(ctx context.Context) (metav1.Object, error) { return r.post(ctx, wanted) },
		Find:    func(ctx context.Context) (metav1.Object, error) { return r.find(ctx, wanted) },
		Ours:    func(existing metav1.Object) bool { return objects.SameOrigin(existing, wanted.claim) },
		TakeOver: func(ctx context.Context, existing metav1.Object) (metav1.Object, error) {
			return r.takeOver(ctx, existing, wanted)
		},
		AwaitGone: r.awaitGone,
	}.Run(ctx)
	if !diags.HasError() {
		wanted.became(made)
	}
	return diags
}

// became takes over what was made. A claim tells all; the data volume behind it may be gone by now.
func (o *order) became(made metav1.Object) {
	switch made := made.(type) {
	case *api.DataVolume:
		o.data = made
	case *corev1.PersistentVolumeClaim:
		o.claim, o.data = made, nil
	}
}

// post sends the order: to CDI, unless somebody else's volume has the name, or to Kubernetes.
func (r *Resource) post(ctx context.Context, wanted *order) (metav1.Object, error) {
	claim := wanted.claim
	if wanted.data == nil {
		return r.claims.Create(ctx, claim.Namespace, claim)
	}
	_, err := r.claims.Get(ctx, claim.Namespace, claim.Name)
	switch {
	case err == nil:
		return nil, apierrors.NewAlreadyExists(api.PersistentVolumeClaims.GroupResource(), claim.Name)
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	return r.dataVolumes.Create(ctx, claim.Namespace, wanted.data)
}

// find reads what has the name.
func (r *Resource) find(ctx context.Context, wanted *order) (metav1.Object, error) {
	claim, err := r.claims.Get(ctx, wanted.claim.Namespace, wanted.claim.Name)
	if wanted.data != nil && apierrors.IsNotFound(err) {
		return r.dataVolumes.Get(ctx, wanted.claim.Namespace, wanted.claim.Name)
	}
	return claim, err
}

// takeOver gives the volume what can have changed in the configuration since.
func (r *Resource) takeOver(ctx context.Context, existing metav1.Object, wanted *order) (metav1.Object, error) {
	patch := map[string]any{"metadata": objects.Metadata(wanted.claim)}
	if _, unborn := existing.(*api.DataVolume); unborn {
		return r.dataVolumes.Patch(ctx, existing.GetNamespace(), existing.GetName(), patch)
	}
	return r.claims.Patch(ctx, existing.GetNamespace(), existing.GetName(), patch)
}

// awaitGone waits until a volume that is being deleted does not exist any more.
func (r *Resource) awaitGone(ctx context.Context, existing metav1.Object) error {
	switch existing := existing.(type) {
	case *api.DataVolume:
		return objects.AwaitGone(ctx, r.Session.Hub, r.dataVolumes, existing, objects.Leaving)
	case *corev1.PersistentVolumeClaim:
		return objects.AwaitGone(ctx, r.Session.Hub, r.claims, existing, objects.Leaving)
	}
	return nil
}

// origin is the fingerprint of what a volume is made from. Two volumes of one name with
// the same one are the same volume.
func origin(claim *corev1.PersistentVolumeClaim) string {
	return objects.Fingerprint(claim.Spec, claim.Annotations[api.AnnotationImageID])
}
