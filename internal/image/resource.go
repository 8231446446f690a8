// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package image is the resource harvester_image: it makes an image, sends its
// data if need be, and waits until Harvester reports it ready.
package image

import (
	"context"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource.
const Type = "harvester_image"

// Resource is harvester_image.
type Resource struct {
	tfbase.Base
	images kube.Resource[api.VirtualMachineImage]

	backingImages kube.Resource[api.BackingImage]
}

var (
	_ resource.ResourceWithConfigure      = (*Resource)(nil)
	_ resource.ResourceWithImportState    = (*Resource)(nil)
	_ resource.ResourceWithModifyPlan     = (*Resource)(nil)
	_ resource.ResourceWithUpgradeState   = (*Resource)(nil)
	_ resource.ResourceWithValidateConfig = (*Resource)(nil)
)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// Configure takes the session.
func (r *Resource) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Base.Configure(ctx, req, resp)
	if r.Session != nil {
		r.images = kube.For[api.VirtualMachineImage](r.Session.Client, api.Images, api.KindImage)
		r.backingImages = kube.For[api.BackingImage](r.Session.Client, api.BackingImages, "BackingImage")
	}
}

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return tfbase.FromOfficial(imageSchema())
}

// ImportState takes namespace/name.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportNamespaced(ctx, req, resp)
}

// Create makes the image and fills it. The id is in the state before the first byte is sent.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(r.Connected()...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()
	defer r.Session.Fulfil(plan.id())

	content, diags := r.ready(ctx, &plan)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	release, diags := r.slot(ctx, &plan)
	defer release()
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	image, diags := r.create(ctx, &plan, content)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(save(ctx, &plan, image, &resp.State)...)
	if content != nil {
		resp.Diagnostics.Append(remember(ctx, resp.Private, *content)...)
	}
	filler := r.filler(image, &plan, release)
	filler.provide(content)
	image, diags = filler.run(ctx, image, &plan, leftTainted)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(save(ctx, &plan, image, &resp.State)...)
}

// Read refreshes the state. Only a NotFound removes it.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(r.Connected()...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()

	image, err := r.images.Recent(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	switch {
	case apierrors.IsNotFound(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		resp.Diagnostics.Append(diagnose.API("read", state.title(), "The state was left as it was.", err))
	default:
		terminal := strconv.FormatBool(imagestate.Of(image).Terminal)
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, keyTerminal, []byte(terminal))...)
		r.recognize(ctx, &state, image, resp.Private)
		resp.Diagnostics.Append(save(ctx, &state, image, &resp.State)...)
	}
}

// Update changes what can change in place, and finishes an image that is not ready.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(r.Connected()...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()
	defer r.Session.Fulfil(plan.id())

	image, diags := r.change(ctx, &plan, &state)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	if !imagestate.Of(image).Ready() {
		image, diags = r.finish(ctx, image, &plan)
		resp.Diagnostics.Append(diags...)
	}
	resp.Diagnostics.Append(save(ctx, &plan, image, &resp.State)...)
}

// Delete removes the image in any state and waits until it is gone.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(r.Connected()...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(r.remove(ctx, &state)...)
}

// save puts the image, as it was last seen, into the state. One that is gone (nil)
// leaves it, or the next apply would delete what somebody else makes under its name.
func save(ctx context.Context, m *model, image *api.VirtualMachineImage, state *tfsdk.State) diag.Diagnostics {
	if image == nil {
		state.RemoveResource(ctx)
		return nil
	}
	m.fromAPI(image)
	return state.Set(ctx, m)
}
