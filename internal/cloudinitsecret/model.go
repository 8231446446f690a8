// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_cloudinit_secret as Terraform has it.
type model struct {
	tfbase.NamespacedModel
	UserData          types.String `tfsdk:"user_data"`
	UserDataBase64    types.String `tfsdk:"user_data_base64"`
	UserDataWO        types.String `tfsdk:"user_data_wo"`
	UserDataWOVersion types.Int64  `tfsdk:"user_data_wo_version"`

	NetworkData          types.String `tfsdk:"network_data"`
	NetworkDataBase64    types.String `tfsdk:"network_data_base64"`
	NetworkDataWO        types.String `tfsdk:"network_data_wo"`
	NetworkDataWOVersion types.Int64  `tfsdk:"network_data_wo_version"`
}

// takeWriteOnly copies what only the configuration has.
func (m *model) takeWriteOnly(config *model) {
	m.UserDataWO, m.NetworkDataWO = config.UserDataWO, config.NetworkDataWO
}

// unstated names the parts that are left open.
func (m *model) unstated() (names []string) {
	for _, p := range m.parts() {
		if !p.stated() {
			names = append(names, p.name)
		}
	}
	return names
}

// ToAPI builds the object to create.
func (m *model) ToAPI(context.Context) (*corev1.Secret, diag.Diagnostics) {
	secret := &corev1.Secret{Data: map[string][]byte{}}
	for _, p := range m.parts() {
		if content := p.wanted(); len(content) > 0 {
			secret.Data[p.key] = content
		}
	}
	return secret, nil
}

// FromAPI fills the model.
func (m *model) FromAPI(_ context.Context, secret *corev1.Secret, imported bool) diag.Diagnostics {
	for _, p := range m.parts() {
		p.read(secret.Data[p.key], imported)
	}
	m.State, m.Message = types.StringValue(""), types.StringValue("")
	return nil
}

// Changes is the merge patch of the data. Those of others in the Secret stay out of it.
func (m *model) Changes(_ context.Context, before *model) (map[string]any, diag.Diagnostics) {
	data, was := map[string]any{}, before.parts()
	for i, p := range m.parts() {
		if value, changed := p.patch(was[i]); changed {
			data[p.key] = value
		}
	}
	if len(data) == 0 {
		return nil, nil
	}
	return map[string]any{"data": data}, nil
}
