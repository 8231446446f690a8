// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package plancheck

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Volumes finds volumes and the images they are made from: with the plan by recent look-ups, before a write by fresh ones.
type Volumes struct {
	volume find[corev1.PersistentVolumeClaim]
	image  find[api.VirtualMachineImage]
}

// find reads an object: kube.Resource's Get or Recent.
type find[T any] func(ctx context.Context, namespace, name string) (*T, error)

// VolumesOf returns the finder of a session. Fresh ones are for the last look before a write.
func VolumesOf(s *session.Session, fresh bool) Volumes {
	volumes := kube.For[corev1.PersistentVolumeClaim](s.Client, api.PersistentVolumeClaims, "PersistentVolumeClaim")
	images := kube.For[api.VirtualMachineImage](s.Client, api.Images, api.KindImage)
	if fresh {
		return Volumes{volumes.Get, images.Get}
	}
	return Volumes{volumes.Recent, images.Recent}
}

// Use is the use that an operation on an existing volume makes of the image it comes from: as long as that is not
// complete, so is the volume. There is none of a volume that does not exist (yet), that comes from no image, or that
// has all of one that is gone; an image that may not be read cannot be judged.
func (v Volumes) Use(ctx context.Context, namespace, name string, op imagestate.Operation, at path.Path) (use Use, needed bool) {
	volume, err := v.volume(ctx, namespace, name)
	if err != nil {
		return use, false // Harvester itself judges the volume
	}
	id := volume.Annotations[api.AnnotationImageID]
	namespace, name, err = tfbase.ParseID(id)
	if err != nil {
		return use, false
	}
	image, err := v.image(ctx, namespace, name)
	// Longhorn binds the claim of an incomplete image as well.
	leaving := err == nil && imagestate.Of(image).State == imagestate.Terminating && image.Condition(api.ImageImported).Status == "True"
	if bound := volume.Status.Phase == corev1.ClaimBound; bound && (leaving || apierrors.IsNotFound(err) || apierrors.IsForbidden(err)) {
		return use, false
	}
	return Use{Image: id, Operation: op, At: at}, true
}
