// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// use is the use that the volume makes of its image.
func (m *model) use() plancheck.Use {
	use := plancheck.Use{
		Image: m.image(), Operation: imagestate.CreateVolume, At: path.Root("image"),
		SizeText: m.Size.ValueString(), SizeAt: path.Root("size"),
	}
	if size := sizeOf(m.Size); size != nil {
		use.Size = size.Value()
	}
	return use
}

// prepare does all the checks before the first write, and fills in what they find: the class, and for an
// image of the backend cdi a data volume. Such a volume is a copy of the image's own volume, which CDI
// makes; Harvester does the same for the disks of machines (vm_controller.go). It writes nothing.
func prepare(ctx context.Context, s *session.Session, plan *model, wanted *volume) diag.Diagnostics {
	b, diags := (&judging{clients: clientsOf(s), plan: plan, applying: true}).basis(ctx)
	if diags.HasError() {
		return diags
	}
	switch wanted.class = b.class; {
	case b.class != nil:
		wanted.Spec.StorageClassName = &b.class.Name
	case b.image != nil:
		wanted.Spec.StorageClassName = &b.image.Status.StorageClassName
	}
	if b.image != nil && b.image.Spec.Backend == api.BackendCDI {
		wanted.data = dataVolume(wanted.PersistentVolumeClaim, b.image)
	}
	return diags
}

// dataVolume asks CDI for the claim, filled with the image. CDI hands labels and
// annotations on to it.
func dataVolume(claim *corev1.PersistentVolumeClaim, image *api.VirtualMachineImage) *api.DataVolume {
	meta := metav1.ObjectMeta{Namespace: claim.Namespace, Name: claim.Name, Labels: claim.Labels, Annotations: map[string]string{
		// There is no consumer yet; to be filled is use enough.
		api.AnnotationBindNow: "true",
	}}
	maps.Copy(meta.Annotations, claim.Annotations)
	return &api.DataVolume{ObjectMeta: meta, Spec: api.DataVolumeSpec{
		Source: api.DataVolumeSource{PVC: &api.DataVolumeSourcePVC{Namespace: image.Namespace, Name: image.Name}},
		Storage: &api.DataVolumeStorage{
			AccessModes: claim.Spec.AccessModes, VolumeMode: claim.Spec.VolumeMode,
			Resources: claim.Spec.Resources, StorageClassName: claim.Spec.StorageClassName,
		},
	}}
}

// claimOf is the claim that a data volume asks for.
func claimOf(data *api.DataVolume) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: data.Namespace, Name: data.Name, UID: data.UID, Labels: data.Labels, Annotations: data.Annotations},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: data.Spec.Storage.AccessModes, VolumeMode: data.Spec.Storage.VolumeMode,
			Resources: data.Spec.Storage.Resources, StorageClassName: data.Spec.Storage.StorageClassName,
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
	}
}
