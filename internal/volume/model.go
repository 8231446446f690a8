// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_volume as Terraform has it.
type model struct {
	tfbase.NamespacedModel
	Size             types.String `tfsdk:"size"`
	Image            types.String `tfsdk:"image"`
	StorageClassName types.String `tfsdk:"storage_class_name"`
	VolumeMode       types.String `tfsdk:"volume_mode"`
	AccessMode       types.String `tfsdk:"access_mode"`
	ForceDetach      types.Bool   `tfsdk:"force_detach"`
	Phase            types.String `tfsdk:"phase"`
	AttachedVM       types.String `tfsdk:"attached_vm"`
}

func (m *model) title() string { return tfbase.Title("volume", m) }

// image is the id of the image; "" if there is none, or it is not known.
func (m *model) image() string { return qualified(m.Image, m.Namespace.ValueString()) }

// ToAPI builds the object to create. Its class is the server's choice unless it is named.
func (m *model) ToAPI(context.Context) (*volume, diag.Diagnostics) {
	mode := corev1.PersistentVolumeMode(m.VolumeMode.ValueString())
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{api.AnnotationOrigin: Type}},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.PersistentVolumeAccessMode(m.AccessMode.ValueString())},
			VolumeMode:  &mode,
		},
	}
	if image := m.image(); image != "" {
		claim.Annotations[api.AnnotationImageID] = image
	}
	if name := m.StorageClassName.ValueString(); name != "" {
		claim.Spec.StorageClassName = &name
	}
	if size := sizeOf(m.Size); size != nil {
		claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: *size}
	}
	return &volume{PersistentVolumeClaim: claim}, nil
}

// FromAPI fills the model. How the user writes things stays, where it means the same.
func (m *model) FromAPI(_ context.Context, seen *volume, imported bool) diag.Diagnostics {
	if imported {
		m.Labels = described(seen.Labels, m.Labels)
		m.ForceDetach = types.BoolValue(false)
	}
	m.readSpec(seen.PersistentVolumeClaim, seen.image)
	m.State, m.Message = types.StringValue(seen.state()), types.StringValue(seen.message())
	m.Phase = types.StringValue(string(seen.Status.Phase))
	m.AttachedVM = types.StringValue(strings.Join(seen.users, ","))
	return nil
}

func (m *model) readSpec(claim *corev1.PersistentVolumeClaim, image string) {
	if size := types.StringValue(claim.Spec.Resources.Requests.Storage().String()); !equal(m.Size, size) {
		m.Size = size
	}
	// What a volume was made from stays true, even where nothing tells it any more.
	if image != "" && image != m.image() {
		m.Image = types.StringValue(image)
	}
	m.StorageClassName = types.StringValue(classOf(claim))
	m.VolumeMode = types.StringValue(string(corev1.PersistentVolumeFilesystem)) // Kubernetes' default
	if claim.Spec.VolumeMode != nil {
		m.VolumeMode = types.StringValue(string(*claim.Spec.VolumeMode))
	}
	modes := claim.Spec.AccessModes
	if !slices.Contains(modes, corev1.PersistentVolumeAccessMode(m.AccessMode.ValueString())) {
		m.AccessMode = types.StringValue("")
		if len(modes) > 0 {
			m.AccessMode = types.StringValue(string(modes[0]))
		}
	}
}

func classOf(claim *corev1.PersistentVolumeClaim) string {
	if claim.Spec.StorageClassName == nil {
		return ""
	}
	return *claim.Spec.StorageClassName
}

// described are the labels of an imported volume without those that the machinery puts on volumes:
// an import shall adopt only those that people have set.
func described(live map[string]string, labels types.Map) types.Map {
	kept := map[string]attr.Value{}
	for key, value := range labels.Elements() {
		domain, _, qualified := strings.Cut(key, "/")
		machinery := qualified && slices.ContainsFunc([]string{"kubernetes.io", "kubevirt.io", "longhorn.io"},
			func(suffix string) bool { return domain == suffix || strings.HasSuffix(domain, "."+suffix) })
		if !machinery && (key != "app" || live[key] != "containerized-data-importer") {
			kept[key] = value
		}
	}
	if len(kept) == 0 {
		return types.MapNull(types.StringType)
	}
	return types.MapValueMust(types.StringType, kept)
}

// grows says that the plan wants a larger volume than there is.
func (m *model) grows(state *model) bool { return compare(m.Size, state.Size) > 0 }

// shrinks says that the plan wants a smaller volume than there is.
func (m *model) shrinks(state *model) bool { return compare(m.Size, state.Size) < 0 }

// compare orders two sizes; one that is not known is equal to any.
func compare(a, b types.String) int {
	x, y := sizeOf(a), sizeOf(b)
	if x == nil || y == nil {
		return 0
	}
	return x.Cmp(*y)
}

// Changes is the merge patch of what can change in a volume: it can grow.
func (m *model) Changes(_ context.Context, before *model) (map[string]any, diag.Diagnostics) {
	if !m.grows(before) {
		return nil, nil
	}
	return map[string]any{"spec": map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": sizeOf(m.Size).String()}}}}, nil
}

// checkModes: Harvester's dashboard does not offer a file system over an image, but its
// API takes it.
func (m *model) checkModes() (diags diag.Diagnostics) {
	if m.Image.ValueString() != "" && m.VolumeMode.ValueString() == string(corev1.PersistentVolumeFilesystem) {
		diags.AddAttributeWarning(path.Root("volume_mode"), "File system over an image",
			"An image is a whole disk, so Harvester gives its volumes the volume_mode Block. With Filesystem, only a storage class of the backend cdi that has no block volumes "+
				"can make a volume that a virtual machine can use.")
	}
	return diags
}
