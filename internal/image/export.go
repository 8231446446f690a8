// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// find reads an object: kube.Resource's Get or Recent.
type find[T any] func(ctx context.Context, namespace, name string) (*T, error)

// finders find a volume and an image.
type finders struct {
	volume find[corev1.PersistentVolumeClaim]
	image  find[api.VirtualMachineImage]
}

// exportUse is the use that an export makes of the image its volume comes from: as
// long as that is not complete, the volume is empty, and so would be the new
// image. There is none for a volume that does not exist (yet) or comes from no image.
func exportUse(ctx context.Context, plan *model, find finders) (use plancheck.Use, needed bool) {
	if plan.SourceType.ValueString() != api.SourceExport || plan.PVCName.ValueString() == "" || plan.PVCNamespace.ValueString() == "" {
		return use, false
	}
	volume, err := find.volume(ctx, plan.PVCNamespace.ValueString(), plan.PVCName.ValueString())
	if err != nil {
		return use, false // Harvester itself judges the volume
	}
	id := volume.Annotations[api.AnnotationImageID]
	namespace, name, err := tfbase.ParseID(id)
	if err != nil {
		return use, false
	}
	image, err := find.image(ctx, namespace, name)
	// Longhorn binds the claim of an incomplete image as well.
	leaving := err == nil && imagestate.Of(image).State == imagestate.Terminating && image.Condition(api.ImageImported).Status == "True"
	if (leaving || apierrors.IsNotFound(err)) && volume.Status.Phase == corev1.ClaimBound {
		return use, false // the volume has outlived its image
	}
	return plancheck.Use{Image: id, Operation: imagestate.Export, At: path.Root("pvc_name")}, true
}

func (r *lifecycle) volumes() kube.Resource[corev1.PersistentVolumeClaim] {
	return kube.For[corev1.PersistentVolumeClaim](r.Session.Client, api.PersistentVolumeClaims, "PersistentVolumeClaim")
}
