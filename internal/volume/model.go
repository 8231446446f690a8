// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_volume as Terraform has it.
type model struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Namespace   types.String `tfsdk:"namespace"`
	Description types.String `tfsdk:"description"`
	Tags        types.Map    `tfsdk:"tags"`
	Labels      types.Map    `tfsdk:"labels"`

	Size             types.String `tfsdk:"size"`
	Image            types.String `tfsdk:"image"`
	StorageClassName types.String `tfsdk:"storage_class_name"`
	VolumeMode       types.String `tfsdk:"volume_mode"`
	AccessMode       types.String `tfsdk:"access_mode"`

	State      types.String `tfsdk:"state"`
	Message    types.String `tfsdk:"message"`
	Phase      types.String `tfsdk:"phase"`
	AttachedVM types.String `tfsdk:"attached_vm"`

	Timeouts *tfbase.Timeouts `tfsdk:"timeouts"`
}

func (m *model) metadata() tfbase.Metadata {
	return tfbase.Metadata{Description: m.Description, Tags: m.Tags, Labels: m.Labels}
}

// id is known even while the attribute of that name is not.
func (m *model) id() string { return tfbase.ID(m.Namespace.ValueString(), m.Name.ValueString()) }

func (m *model) title() string { return `volume "` + m.id() + `"` }

// image is the id of the image; "" if there is none, or it is not known.
func (m *model) image() string { return qualified(m.Image, m.Namespace.ValueString()) }

// claim builds the object to create, of the class (nil: the server's choice).
func (m *model) claim(ctx context.Context, class *string) (*corev1.PersistentVolumeClaim, diag.Diagnostics) {
	labels, diags := m.metadata().Labelled(ctx)
	annotations := m.metadata().Annotated()
	if image := m.image(); image != "" {
		annotations[api.AnnotationImageID] = image
	}
	mode := corev1.PersistentVolumeMode(m.VolumeMode.ValueString())
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: m.Namespace.ValueString(), Name: m.Name.ValueString(), Labels: labels, Annotations: annotations,
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.PersistentVolumeAccessMode(m.AccessMode.ValueString())},
			VolumeMode:       &mode,
			StorageClassName: class,
		},
	}
	if size := sizeOf(m.Size); size != nil {
		claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: *size}
	}
	return claim, diags
}

// read fills the model from what was seen. How the user writes things stays, where it
// means the same.
func (m *model) read(seen sight) {
	claim := seen.claim
	imported := m.Size.IsNull() // everything else fills it first
	metadata := m.metadata().Read(described(claim, imported), imported)
	m.Description, m.Tags, m.Labels = metadata.Description, metadata.Tags, metadata.Labels

	m.Namespace, m.Name = types.StringValue(claim.Namespace), types.StringValue(claim.Name)
	m.ID = types.StringValue(m.id())
	m.readSpec(claim, seen.image)
	m.State, m.Message = types.StringValue(seen.state()), types.StringValue(seen.message())
	m.Phase = types.StringValue(string(claim.Status.Phase))
	m.AttachedVM = types.StringValue(strings.Join(seen.users, ","))
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

// described is the claim's metadata without the labels that the machinery puts on volumes:
// an import shall adopt only those that people have set.
func described(claim *corev1.PersistentVolumeClaim, imported bool) metav1.Object {
	if !imported {
		return claim
	}
	meta := claim.ObjectMeta.DeepCopy()
	for key, value := range meta.Labels {
		domain, _, qualified := strings.Cut(key, "/")
		machinery := qualified && slices.ContainsFunc([]string{"kubernetes.io", "kubevirt.io", "longhorn.io"},
			func(suffix string) bool { return domain == suffix || strings.HasSuffix(domain, "."+suffix) })
		if machinery || key == "app" && value == "containerized-data-importer" {
			delete(meta.Labels, key)
		}
	}
	return meta
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

// patch is the merge patch from the state before to the plan; empty if nothing changes.
func (m *model) patch(ctx context.Context, before *model) (map[string]any, diag.Diagnostics) {
	patch := map[string]any{}
	metadata, diags := tfbase.Patch(ctx, before.metadata(), m.metadata())
	if len(metadata) > 0 {
		patch["metadata"] = metadata
	}
	if m.grows(before) {
		patch["spec"] = map[string]any{"resources": map[string]any{"requests": map[string]any{"storage": sizeOf(m.Size).String()}}}
	}
	return patch, diags
}
