// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_image as Terraform has it.
type model struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Namespace   types.String `tfsdk:"namespace"`
	Description types.String `tfsdk:"description"`
	Tags        types.Map    `tfsdk:"tags"`
	Labels      types.Map    `tfsdk:"labels"`

	DisplayName        types.String `tfsdk:"display_name"`
	SourceType         types.String `tfsdk:"source_type"`
	Backend            types.String `tfsdk:"backend"`
	FilePath           types.String `tfsdk:"file_path"`
	FileChanges        types.String `tfsdk:"file_changes"`
	URL                types.String `tfsdk:"url"`
	PVCNamespace       types.String `tfsdk:"pvc_namespace"`
	PVCName            types.String `tfsdk:"pvc_name"`
	SecurityParameters types.Map    `tfsdk:"security_parameters"`
	Checksum           types.String `tfsdk:"checksum"`
	StorageClassName   types.String `tfsdk:"storage_class_name"`
	Retry              types.Int64  `tfsdk:"retry"`
	Decompress         types.String `tfsdk:"decompress"`
	Verify             types.String `tfsdk:"verify"`
	StallTimeout       types.String `tfsdk:"stall_timeout"`

	State                  types.String `tfsdk:"state"`
	Message                types.String `tfsdk:"message"`
	Progress               types.Int64  `tfsdk:"progress"`
	Size                   types.Int64  `tfsdk:"size"`
	VirtualSize            types.Int64  `tfsdk:"virtual_size"`
	StorageClassParameters types.Map    `tfsdk:"storage_class_parameters"`
	VolumeStorageClassName types.String `tfsdk:"volume_storage_class_name"`
	FileSHA512             types.String `tfsdk:"file_sha512"`

	Timeouts *tfbase.Timeouts `tfsdk:"timeouts"`
}

// Keys of security_parameters.
const (
	keyOperation       = "crypto_operation"
	keySourceName      = "source_image_name"
	keySourceNamespace = "source_image_namespace"
)

func (m *model) metadata() tfbase.Metadata {
	return tfbase.Metadata{Description: m.Description, Tags: m.Tags, Labels: m.Labels}
}

// Key is known even while the attribute id is not.
func (m *model) Key() (namespace, name string) {
	return m.Namespace.ValueString(), m.Name.ValueString()
}

func (m *model) id() string { return tfbase.KeyID(m) }

func (m *model) title() string { return tfbase.Title("image", m) }

// toAPI builds the object to create.
func (m *model) toAPI(ctx context.Context) (*api.VirtualMachineImage, diag.Diagnostics) {
	labels, diags := m.metadata().Labelled(ctx)
	annotations := m.metadata().Annotated()
	if class := m.StorageClassName.ValueString(); class != "" {
		annotations[api.AnnotationStorageClassName] = class
	}
	image := &api.VirtualMachineImage{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: m.Namespace.ValueString(), Name: m.Name.ValueString(), Labels: labels, Annotations: annotations,
		},
		Spec: api.VirtualMachineImageSpec{
			DisplayName:        m.DisplayName.ValueString(),
			SourceType:         m.SourceType.ValueString(),
			URL:                m.URL.ValueString(),
			PVCNamespace:       m.PVCNamespace.ValueString(),
			PVCName:            m.PVCName.ValueString(),
			Checksum:           m.Checksum.ValueString(),
			Retry:              m.Retry.ValueInt64Pointer(),
			SecurityParameters: m.security(),
		},
	}
	if m.Retry.IsUnknown() {
		image.Spec.Retry = nil
	}
	// Harvester before 1.5 has no backends; the default needs no mention.
	if m.Backend.ValueString() != api.BackendBackingImage {
		image.Spec.Backend = m.Backend.ValueString()
	}
	return image, diags
}

func (m *model) security() *api.ImageSecurityParameters {
	if m.SecurityParameters.IsNull() || m.SecurityParameters.IsUnknown() {
		return nil
	}
	value := func(key string) string {
		text, _ := m.SecurityParameters.Elements()[key].(types.String)
		return text.ValueString()
	}
	return &api.ImageSecurityParameters{
		CryptoOperation: value(keyOperation), SourceImageName: value(keySourceName), SourceImageNamespace: value(keySourceNamespace),
	}
}

// fromAPI fills the model from the object. What the user left out and the server does not decide stays null.
func (m *model) fromAPI(object *api.VirtualMachineImage) {
	imported := m.DisplayName.IsNull() // everything else fills the required attributes first
	metadata := m.metadata().Read(object, imported)
	m.Description, m.Tags, m.Labels = metadata.Description, metadata.Tags, metadata.Labels

	m.Namespace, m.Name = types.StringValue(object.Namespace), types.StringValue(object.Name)
	m.ID = types.StringValue(m.id())
	m.readSpec(object, imported)
	m.readStatus(object)
}

func (m *model) readSpec(object *api.VirtualMachineImage, imported bool) {
	spec := object.Spec
	m.DisplayName = types.StringValue(spec.DisplayName)
	m.SourceType = types.StringValue(spec.SourceType)
	m.Backend = types.StringValue(spec.Backend)
	if spec.Backend == "" {
		m.Backend = types.StringValue(api.BackendBackingImage)
	}
	m.URL = tfbase.Keep(m.URL, spec.URL)
	m.PVCNamespace, m.PVCName = tfbase.Keep(m.PVCNamespace, spec.PVCNamespace), tfbase.Keep(m.PVCName, spec.PVCName)
	if p := spec.SecurityParameters; p != nil {
		m.SecurityParameters = tfbase.StringMap(map[string]string{
			keyOperation: p.CryptoOperation, keySourceName: p.SourceImageName, keySourceNamespace: p.SourceImageNamespace,
		})
	}
	// A checksum the user does not state is the server's business, and that of an
	// upload is the one the user states of the file, which may have been unpacked or padded since.
	if imported || !m.Checksum.IsNull() && spec.SourceType != api.SourceUpload {
		m.Checksum = tfbase.Keep(m.Checksum, spec.Checksum)
	}
	m.StorageClassName = types.StringValue(object.Annotations[api.AnnotationStorageClassName])
	m.Retry = types.Int64Value(imagestate.Of(object).RetryLimit)
	m.StorageClassParameters = tfbase.StringMap(spec.StorageClassParameters)
}

func (m *model) readStatus(object *api.VirtualMachineImage) {
	image := imagestate.Of(object)
	m.State, m.Message = types.StringValue(string(image.State)), types.StringValue(image.Message)
	m.Progress = types.Int64Value(image.Progress)
	m.Size, m.VirtualSize = types.Int64Value(image.Size), types.Int64Value(image.VirtualSize)
	m.VolumeStorageClassName = types.StringValue(image.StorageClassName)
}

// patch is the merge patch from the state before to the plan; empty if only
// things of this machine change.
func (m *model) patch(ctx context.Context, before *model) (map[string]any, diag.Diagnostics) {
	patch := map[string]any{}
	metadata, diags := tfbase.Patch(ctx, before.metadata(), m.metadata())
	if len(metadata) > 0 {
		patch["metadata"] = metadata
	}
	if !m.Retry.IsUnknown() && !m.Retry.IsNull() && !m.Retry.Equal(before.Retry) {
		patch["spec"] = map[string]any{"retry": m.Retry.ValueInt64()}
	}
	return patch, diags
}
