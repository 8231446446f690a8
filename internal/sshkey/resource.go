// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package sshkey is the resource and data source harvester_ssh_key: a public key that
// Harvester has validated.
package sshkey

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource.
const Type = "harvester_ssh_key"

// Resource is harvester_ssh_key.
type Resource struct {
	tfbase.Base
	keys kube.Resource[api.KeyPair]
}

var _ tfbase.Kind = (*Resource)(nil)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// Configure takes the session.
func (r *Resource) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Base.Configure(ctx, req, resp)
	if r.Session != nil {
		r.keys = keysOf(r.Session)
	}
}

func keysOf(session *tfbase.Session) kube.Resource[api.KeyPair] {
	return kube.For[api.KeyPair](session.Client, api.KeyPairs, "KeyPair")
}

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return tfbase.FromOfficial(keySchema())
}

// ImportState takes namespace/name.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportNamespaced(ctx, req, resp)
}

// Create makes the key and waits for its validation. It is in the state before the wait begins.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan)) {
		return
	}
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()

	pair, diags := r.create(ctx, &plan)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(save(ctx, &plan, pair, &resp.State)...)
	pair, diags = r.await(ctx, &plan, pair, "It exists and is marked for replacement.")
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(save(ctx, &plan, pair, &resp.State)...)
}

// Read refreshes the state. Only a NotFound removes it.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()

	pair, err := r.keys.Recent(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	if tfbase.Found(ctx, state.title(), err, resp) {
		resp.Diagnostics.Append(save(ctx, &state, pair, &resp.State)...)
	}
}

// Update changes the key in place and waits for its validation.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()

	pair, diags := r.change(ctx, &plan, &state)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	pair, diags = r.await(ctx, &plan, pair, "The change itself was made.")
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(save(ctx, &plan, pair, &resp.State)...)
}

// Delete removes the key.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(r.remove(ctx, &state)...)
}

// save puts the key, as it was last seen, into the state. One that is gone (nil)
// leaves it, or the next apply would delete what somebody else makes under its name.
func save(ctx context.Context, m *model, pair *api.KeyPair, state *tfsdk.State) diag.Diagnostics {
	if pair == nil {
		state.RemoveResource(ctx)
		return nil
	}
	m.fromAPI(pair)
	return state.Set(ctx, m)
}
