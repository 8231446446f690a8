// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
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
	c := clientsOf(s)
	var image *api.VirtualMachineImage
	var diags diag.Diagnostics
	if plan.image() != "" {
		if image, diags = plancheck.Apply(ctx, s, plan.use()); diags.HasError() {
			return diags
		}
	}
	class, more := c.class(ctx, plan, image)
	if diags.Append(more...); diags.HasError() {
		return diags
	}
	switch wanted.class = class; {
	case class != nil:
		wanted.Spec.StorageClassName = &class.Name
	case image != nil:
		wanted.Spec.StorageClassName = &image.Status.StorageClassName
	}
	if image == nil || image.Spec.Backend != api.BackendCDI {
		return diags
	}
	wanted.data = dataVolume(wanted.PersistentVolumeClaim, image)
	return append(diags, c.checkCopy(ctx, plan, wanted)...)
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

// checkCopy: CDI does not copy into a claim that asks for less than the image's own,
// which is larger than the image on a file system. An unreadable one is left to CDI.
func (c clients) checkCopy(ctx context.Context, plan *model, wanted *volume) diag.Diagnostics {
	source := wanted.data.Spec.Source.PVC
	claim, err := c.claims.Get(ctx, source.Namespace, source.Name)
	if err != nil {
		return nil
	}
	needed, asked := claim.Spec.Resources.Requests.Storage(), wanted.Spec.Resources.Requests.Storage()
	if asked.Cmp(*needed) >= 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("size"), "Volume smaller than its image's", fmt.Sprintf(
		"The %s has a size of %s, but the image %q itself is stored in a volume of %s, and only a volume of at least that size can be copied from it. %s\n\n"+
			"Set the size to at least %s.", plan.title(), plan.Size.ValueString(), plan.image(), needed, tfbase.NothingDone, needed))}
}
