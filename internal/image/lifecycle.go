// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"cmp"
	"context"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// lifecycle is all that happens to an image, in whichever form a resource has it.
type lifecycle struct {
	tfbase.Base
	form   form
	images kube.Resource[api.VirtualMachineImage]

	backingImages kube.Resource[api.BackingImage]
}

// form is how a resource puts an image to its users: it turns the resource's
// attributes into the one model of an image, and back.
type form interface {
	// read takes the model out of a plan or a state; write puts it there.
	read(ctx context.Context, from reader, m *model) diag.Diagnostics
	write(ctx context.Context, m *model, to writer) diag.Diagnostics
	// mismatch says why the resource cannot stand for the image; nil if it can.
	mismatch(image *api.VirtualMachineImage) diag.Diagnostics
	// source is the argument that names the image a clone is made from.
	source() path.Path
}

// reader is a plan or a state; writer, one to be filled.
type (
	reader interface {
		Get(ctx context.Context, target any) diag.Diagnostics
	}
	writer interface {
		Set(ctx context.Context, value any) diag.Diagnostics
	}
)

// Configure takes the session.
func (r *lifecycle) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Base.Configure(ctx, req, resp)
	if r.Session != nil {
		r.images = kube.For[api.VirtualMachineImage](r.Session.Client, api.Images, api.KindImage)
		r.backingImages = kube.For[api.BackingImage](r.Session.Client, api.BackingImages, "BackingImage")
	}
}

// IdentitySchema is that of the address of the image.
func (r *lifecycle) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = tfbase.NamespacedAddress("image")
}

// ImportState takes namespace/name, or the address.
func (r *lifecycle) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportNamespaced(ctx, req, resp)
}

// Create makes the image and fills it. The id is in the state before the first byte is sent.
func (r *lifecycle) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	if !r.Loaded(&resp.Diagnostics, r.form.read(ctx, req.Plan, &plan)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &plan)...)
	defer r.Session.Images.End(session.ImageID(plan.id()))
	pass, diags := r.turn(ctx, &plan, leftNothing) // before the clock starts: what others take is not ours
	defer pass()
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()

	begun, diags := r.begin(ctx, &plan)
	defer begun.place.release()
	defer func() { begun.finish() }()
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(r.save(ctx, &plan, begun.image, &resp.State)...)
	filler := r.filler(begun.image, &plan, begun.place)
	filler.provide(begun.from.content)
	filler.broke = begun.takenOver
	filler.renew = func(ctx context.Context, failed *api.VirtualMachineImage) (*api.VirtualMachineImage, error) {
		return r.renew(ctx, &plan, &begun, failed)
	}
	image, diags := filler.run(ctx, &plan, leftTainted)
	resp.Diagnostics.Append(tfbase.Own(ctx, resp.Private, filler.made)...)
	resp.Diagnostics.Append(diags...)
	if content := cmp.Or(filler.offered, begun.from.content); content != nil && !diags.HasError() {
		plan.FileSHA512 = types.StringValue(content.SHA512)
		resp.Diagnostics.Append(remember(ctx, resp.Private, *content)...)
	}
	resp.Diagnostics.Append(r.save(ctx, &plan, image, &resp.State)...)
}

// Read refreshes the state. Only a NotFound removes it.
func (r *lifecycle) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, r.form.read(ctx, req.State, &state)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &state)...)
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()

	image, err := r.images.Recent(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	switch {
	case !tfbase.Found(ctx, state.title(), err, resp):
		return
	case state.DisplayName.IsNull() && r.form.mismatch(image) != nil: // everything but an import knows it
		resp.Diagnostics.Append(r.form.mismatch(image)...)
		return
	}
	r.Session.ImageFates.Read(session.ImageID(state.id()))
	ours, diags := tfbase.Recognize(ctx, resp.Private, r.identity(ctx, req.Private, &state), image)
	resp.Diagnostics.Append(diags...)
	if ours {
		objects.Settle(ctx, image, r.annotate)
	} else {
		state.FileSHA512 = types.StringNull() // nobody knows what others put in its place
	}
	terminal := strconv.FormatBool(imagestate.Of(image).Terminal)
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, keyTerminal, []byte(terminal))...)
	if state.uploads() && !state.FilePath.IsNull() {
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, keySight, state.sight())...)
	}
	r.recognize(ctx, &state, image, resp.Private, ours)
	resp.Diagnostics.Append(r.save(ctx, &state, image, &resp.State)...)
}

func (r *lifecycle) identity(ctx context.Context, private tfbase.PrivateReader, state *model) objects.Identity {
	return tfbase.Identity(ctx, private, "image", state)
}

func (r *lifecycle) annotate(ctx context.Context, image *api.VirtualMachineImage, metadata map[string]any) (*api.VirtualMachineImage, error) {
	return r.images.Patch(ctx, image.Namespace, image.Name, map[string]any{"metadata": metadata})
}

// Update changes what can change in place, and finishes an image that is not ready.
func (r *lifecycle) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	if !r.Loaded(&resp.Diagnostics, r.form.read(ctx, req.Plan, &plan), r.form.read(ctx, req.State, &state)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &plan)...)
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()
	defer r.Session.Images.End(session.ImageID(plan.id()))

	image, diags := r.change(ctx, &plan, &state, r.identity(ctx, req.Private, &state))
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	if !imagestate.Of(image).Ready() {
		image, diags = r.finish(ctx, image, &plan)
		resp.Diagnostics.Append(diags...)
	}
	if diags.HasError() {
		resp.Diagnostics.Append(forget(ctx, resp.Private)...)
	}
	resp.Diagnostics.Append(r.save(ctx, &plan, image, &resp.State)...)
}

// change applies what can change in place and returns the image as it is now.
func (r *lifecycle) change(ctx context.Context, plan, state *model, identity objects.Identity) (*api.VirtualMachineImage, diag.Diagnostics) {
	patch, diags := plan.patch(ctx, state)
	if diags.HasError() {
		return nil, diags
	}
	image, err := objects.Change(ctx, r.images, identity, patch)
	if err != nil {
		return nil, objects.ChangeFailed(plan.title(), err)
	}
	return image, nil
}

// Delete removes the image in any state and waits until it is gone.
func (r *lifecycle) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, r.form.read(ctx, req.State, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	r.Session.ImageFates.Tell(session.ImageID(state.id()), session.Leaves)
	resp.Diagnostics.Append(r.remove(ctx, &state, r.identity(ctx, req.Private, &state))...)
}

// save puts the image, as it was last seen, into the state. One that is gone (nil)
// leaves it, or the next apply would delete what somebody else makes under its name.
func (r *lifecycle) save(ctx context.Context, m *model, image *api.VirtualMachineImage, state *tfsdk.State) diag.Diagnostics {
	if image == nil {
		state.RemoveResource(ctx)
		return nil
	}
	m.fromAPI(image)
	return r.form.write(ctx, m, state)
}
