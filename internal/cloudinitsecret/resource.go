// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package cloudinitsecret is the resource and data source harvester_cloudinit_secret: a
// Secret with user data and network data for cloud-init.
package cloudinitsecret

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	corev1 "k8s.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource.
const Type = "harvester_cloudinit_secret"

// Resource is harvester_cloudinit_secret.
type Resource struct {
	tfbase.Base
	secrets kube.Resource[corev1.Secret]
}

var _ tfbase.Kind = (*Resource)(nil)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// Configure takes the session.
func (r *Resource) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Base.Configure(ctx, req, resp)
	if r.Session != nil {
		r.secrets = secretsOf(r.Session)
	}
}

func secretsOf(session *tfbase.Session) kube.Resource[corev1.Secret] {
	return kube.For[corev1.Secret](session.Client, api.Secrets, "Secret")
}

// ImportState takes namespace/name.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportNamespaced(ctx, req, resp)
}

// Create makes the secret.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, config model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.Config.Get(ctx, &config)) {
		return
	}
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()

	secret, diags := r.create(ctx, &plan, &config)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.describe(secret)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Read refreshes the state. Only a NotFound removes it.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()

	// Not Recent, which may list all secrets of the namespace.
	secret, err := r.secrets.Get(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	if tfbase.Found(ctx, state.title(), err, resp) {
		state.fromAPI(secret)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// Update changes the secret in place.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state, config model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.Config.Get(ctx, &config), req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()

	secret, diags := r.change(ctx, &plan, &state, &config)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.describe(secret)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Delete removes the secret.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(r.remove(ctx, &state)...)
}
