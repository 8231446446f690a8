// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// ValidateConfig checks the key itself, if it is known.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() || config.PublicKey.IsUnknown() {
		return
	}
	resp.Diagnostics.Append(check(config.PublicKey.ValueString())...)
}

// ModifyPlan plans what follows from the key: its fingerprint, and that Harvester
// validates it, also where an earlier apply could not wait for that.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan model
	var state *model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if !plan.PublicKey.IsUnknown() { // it may have become known only now
		resp.Diagnostics.Append(check(plan.PublicKey.ValueString()).Errors()...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	plan.derive(state)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
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
