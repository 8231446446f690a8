// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package storageclass is the resource harvester_storageclass: how and where the data of
// volumes and images are stored, encrypted or not.
package storageclass

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_storageclass"

const kind = "StorageClass"

// Resource is harvester_storageclass.
type Resource struct {
	tfbase.Base
	classes kube.Resource[storagev1.StorageClass]
	secrets kube.Resource[corev1.Secret]
}

var _ tfbase.Kind = (*Resource)(nil)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// Configure takes the session.
func (r *Resource) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Base.Configure(ctx, req, resp)
	if r.Session != nil {
		r.classes = kube.For[storagev1.StorageClass](r.Session.Client, api.StorageClasses, kind)
		r.secrets = kube.For[corev1.Secret](r.Session.Client, api.Secrets, "Secret")
	}
}

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return tfbase.FromOfficial(classSchema())
}

// ImportState takes the name.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportClusterScoped(ctx, req, resp)
}

// Create makes the class.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan)) {
		return
	}
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()

	resp.Diagnostics.Append(r.checkSecret(ctx, &plan, atApply)...)
	if resp.Diagnostics.HasError() {
		return
	}
	class, diags := r.create(ctx, &plan)
	resp.Diagnostics.Append(diags...)
	if class != nil {
		resp.Diagnostics.Append(save(ctx, &plan, class, &resp.State)...)
	}
}

// Read refreshes the state. Only a NotFound removes it.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()

	class, err := r.classes.Recent(ctx, "", state.Name.ValueString())
	if tfbase.Found(ctx, state.title(), err, resp) {
		resp.Diagnostics.Append(save(ctx, &state, class, &resp.State)...)
	}
}

// Update changes what can change in place.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()

	class, diags := r.change(ctx, &plan, &state)
	resp.Diagnostics.Append(diags...)
	if class != nil {
		resp.Diagnostics.Append(save(ctx, &plan, class, &resp.State)...)
	}
}

// Delete removes the class and waits until it is gone.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(r.remove(ctx, &state)...)
}

func save(ctx context.Context, m *model, class *storagev1.StorageClass, state *tfsdk.State) diag.Diagnostics {
	diags := m.read(ctx, class)
	diags.Append(state.Set(ctx, m)...)
	return diags
}
