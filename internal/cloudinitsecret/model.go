// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"bytes"
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_cloudinit_secret as Terraform has it.
type model struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Namespace   types.String `tfsdk:"namespace"`
	Description types.String `tfsdk:"description"`
	Tags        types.Map    `tfsdk:"tags"`
	Labels      types.Map    `tfsdk:"labels"`

	UserData          types.String `tfsdk:"user_data"`
	UserDataBase64    types.String `tfsdk:"user_data_base64"`
	UserDataWO        types.String `tfsdk:"user_data_wo"`
	UserDataWOVersion types.Int64  `tfsdk:"user_data_wo_version"`

	NetworkData          types.String `tfsdk:"network_data"`
	NetworkDataBase64    types.String `tfsdk:"network_data_base64"`
	NetworkDataWO        types.String `tfsdk:"network_data_wo"`
	NetworkDataWOVersion types.Int64  `tfsdk:"network_data_wo_version"`

	State   types.String `tfsdk:"state"`
	Message types.String `tfsdk:"message"`

	Timeouts *tfbase.Timeouts `tfsdk:"timeouts"`
}

func (m *model) metadata() tfbase.Metadata {
	return tfbase.Metadata{Description: m.Description, Tags: m.Tags, Labels: m.Labels}
}

// id is known even while the attribute of that name is not.
func (m *model) id() string { return tfbase.ID(m.Namespace.ValueString(), m.Name.ValueString()) }

func (m *model) title() string { return `cloud-init secret "` + m.id() + `"` }

// toAPI builds the object to create.
func (m *model) toAPI(ctx context.Context, config *model) (*corev1.Secret, diag.Diagnostics) {
	labels, diags := m.metadata().Labelled(ctx)
	annotations := m.metadata().Annotated()
	annotations[api.AnnotationOrigin] = Type
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: m.Namespace.ValueString(), Name: m.Name.ValueString(), Labels: labels, Annotations: annotations},
		Data:       map[string][]byte{},
	}
	configured := config.parts()
	for i, p := range m.parts() {
		if content := p.wanted(configured[i]); len(content) > 0 {
			secret.Data[p.key] = content
		}
	}
	return secret, diags
}

// holdsSame compares two Secrets in what belongs to cloud-init.
func holdsSame(a, b *corev1.Secret) bool {
	return bytes.Equal(a.Data[keyUserData], b.Data[keyUserData]) && bytes.Equal(a.Data[keyNetworkData], b.Data[keyNetworkData])
}

// fromAPI fills the model from the object.
func (m *model) fromAPI(secret *corev1.Secret) {
	imported := m.State.IsNull() // everything else fills it first
	for _, p := range m.parts() {
		p.read(secret.Data[p.key], imported)
	}
	m.describe(secret)
}

// describe takes over all but the data. After a write these are as planned; what others
// did to them meanwhile is for the next Read to show.
func (m *model) describe(secret *corev1.Secret) {
	metadata := m.metadata().Read(secret, m.State.IsNull())
	m.Description, m.Tags, m.Labels = metadata.Description, metadata.Tags, metadata.Labels
	m.Namespace, m.Name = types.StringValue(secret.Namespace), types.StringValue(secret.Name)
	m.ID = types.StringValue(m.id())
	m.State, m.Message = types.StringValue(""), types.StringValue("")
}

// patch is the merge patch from the state before to the plan; empty if nothing
// changes. Data of others in the Secret stay out of it.
func (m *model) patch(ctx context.Context, before, config *model) (map[string]any, diag.Diagnostics) {
	patch, data := map[string]any{}, map[string]any{}
	metadata, diags := tfbase.Patch(ctx, before.metadata(), m.metadata())
	if len(metadata) > 0 {
		patch["metadata"] = metadata
	}
	was, configured := before.parts(), config.parts()
	for i, p := range m.parts() {
		if value, changed := p.patch(was[i], configured[i]); changed {
			data[p.key] = value
		}
	}
	if len(data) > 0 {
		patch["data"] = data
	}
	return patch, diags
}
