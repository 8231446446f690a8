// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package volume is the resource harvester_volume: it makes a volume, empty or from a
// ready image, waits until it can be used, and lets it grow.
package volume

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_volume"

const kindClaim = "PersistentVolumeClaim"

// Resource is harvester_volume.
type Resource struct {
	tfbase.Base
	clients
}

// clients are the kinds that a volume has to do with.
type clients struct {
	claims      kube.Resource[corev1.PersistentVolumeClaim]
	dataVolumes kube.Resource[api.DataVolume]
	classes     kube.Resource[storagev1.StorageClass]
	images      kube.Resource[api.VirtualMachineImage]
	machines    kube.Resource[api.MachineVolumes]
}

func newClients(client *kube.Client) clients {
	return clients{
		claims:      kube.For[corev1.PersistentVolumeClaim](client, api.PersistentVolumeClaims, kindClaim),
		dataVolumes: kube.For[api.DataVolume](client, api.DataVolumes, api.KindDataVolume),
		classes:     kube.For[storagev1.StorageClass](client, api.StorageClasses, "StorageClass"),
		images:      kube.For[api.VirtualMachineImage](client, api.Images, api.KindImage),
		machines:    kube.For[api.MachineVolumes](client, api.VirtualMachines, "VirtualMachine"),
	}
}

var _ tfbase.Kind = (*Resource)(nil)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// Configure takes the session.
func (r *Resource) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Base.Configure(ctx, req, resp)
	if r.Session != nil {
		r.clients = newClients(r.Session.Client)
	}
}

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return tfbase.FromOfficial(volumeSchema())
}

// ImportState takes namespace/name.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportNamespaced(ctx, req, resp)
}

// Create makes the volume and waits until it can be used. Everything that can be
// checked is checked before the first write; the id is in the state before the wait begins.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan)) {
		return
	}
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()

	order, diags := r.prepare(ctx, &plan)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(r.create(ctx, &plan, order)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(save(ctx, &plan, sight{claim: order.claim}, &resp.State)...)
	resp.Diagnostics.Append(r.await(ctx, &plan, order)...)
	resp.Diagnostics.Append(r.refresh(ctx, &plan, &resp.State)...)
}

// Read refreshes the state. Only a NotFound removes it.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()

	seen, err := r.glance(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	if tfbase.Found(ctx, state.title(), err, resp) {
		resp.Diagnostics.Append(save(ctx, &state, seen, &resp.State)...)
	}
}

// Update changes what can change in place: it lets the volume grow, and changes
// what describes it.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()

	resp.Diagnostics.Append(r.change(ctx, &plan, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if plan.grows(&state) {
		resp.Diagnostics.Append(r.awaitGrowth(ctx, &plan)...)
	}
	resp.Diagnostics.Append(r.refresh(ctx, &plan, &resp.State)...)
}

// Delete removes the volume and waits until it is gone.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(r.remove(ctx, &state)...)
}

// refresh saves the volume as it is now. After a wait that failed the time is up, so
// it gets a little of its own; one that cannot be read stays in the state as it is there.
func (r *Resource) refresh(ctx context.Context, m *model, state *tfsdk.State) diag.Diagnostics {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	seen, err := r.look(ctx, m.Namespace.ValueString(), m.Name.ValueString())
	switch {
	case apierrors.IsNotFound(err):
		return nil // the wait has said so
	case err != nil:
		return diag.Diagnostics{diagnose.API("read", m.title(), "What was done to it stays. Plan again to see its state.", err)}
	}
	return save(ctx, m, seen, state)
}

func save(ctx context.Context, m *model, seen sight, state *tfsdk.State) diag.Diagnostics {
	m.read(seen)
	return state.Set(ctx, m)
}
