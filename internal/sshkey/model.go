// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_ssh_key as Terraform has it.
type model struct {
	tfbase.NamespacedModel
	PublicKey   types.String `tfsdk:"public_key"`
	Fingerprint types.String `tfsdk:"fingerprint"`
}

// Values of state, as the official provider has them.
const (
	stateValidated    = "Validated"
	stateNotValidated = "Not Validated"
)

// check looks at the key itself, if it is known.
func (m *model) check() diag.Diagnostics {
	if m.PublicKey.IsUnknown() {
		return nil
	}
	return check(m.PublicKey.ValueString())
}

// derive fills in what is computed. State is nil when the key is to be made.
func (m *model) derive(state *model) {
	m.State, m.Message = types.StringValue(stateValidated), types.StringValue("")
	if m.PublicKey.IsUnknown() {
		m.Fingerprint = types.StringUnknown()
		return
	}
	if state != nil && same(m.PublicKey.ValueString(), state.PublicKey.ValueString()) {
		m.PublicKey = state.PublicKey
	}
	m.Fingerprint = types.StringValue(fingerprint(m.PublicKey.ValueString()))
}

// ToAPI builds the object to create.
func (m *model) ToAPI(context.Context) (*api.KeyPair, diag.Diagnostics) {
	return &api.KeyPair{Spec: api.KeyPairSpec{PublicKey: strings.TrimSpace(m.PublicKey.ValueString())}}, nil
}

// FromAPI fills the model. The key keeps its spelling where that is all that differs.
func (m *model) FromAPI(_ context.Context, pair *api.KeyPair, imported bool) diag.Diagnostics {
	if imported || !same(m.PublicKey.ValueString(), pair.Spec.PublicKey) {
		m.PublicKey = types.StringValue(pair.Spec.PublicKey)
	}
	// Harvester does not renew its fingerprint when a key changes, so it may be that of an earlier key.
	m.Fingerprint = types.StringValue(fingerprint(pair.Spec.PublicKey))
	state, message := verdict(pair)
	m.State, m.Message = types.StringValue(state), types.StringValue(message)
	return nil
}

// verdict is what Harvester found the key to be, with its reason if not valid.
func verdict(pair *api.KeyPair) (state, message string) {
	condition := validation(pair)
	switch {
	case condition == nil, condition.Status == "Unknown":
		return stateNotValidated, "Harvester has not validated the key yet."
	case condition.Status == "True":
		return stateValidated, ""
	case condition.Message != "":
		return stateNotValidated, condition.Message
	}
	return stateNotValidated, condition.Reason // where Harvester puts the text
}

func validation(pair *api.KeyPair) *api.Condition {
	for i := range pair.Status.Conditions {
		if pair.Status.Conditions[i].Type == api.ConditionValidated {
			return &pair.Status.Conditions[i]
		}
	}
	return nil
}

// Changes is the merge patch of the key itself.
func (m *model) Changes(_ context.Context, before *model) (map[string]any, diag.Diagnostics) {
	if same(m.PublicKey.ValueString(), before.PublicKey.ValueString()) {
		return nil, nil
	}
	return map[string]any{
		"spec": map[string]any{"publicKey": strings.TrimSpace(m.PublicKey.ValueString())},
		// Harvester looks only at keys that have no fingerprint.
		"status": nil,
	}, nil
}
