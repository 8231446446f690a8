// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package imagedownload is the resource harvester_image_download: a local file
// with the content of an image. The file is complete and verified, or it is not there.
package imagedownload

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource.
const Type = "harvester_image_download"

// Resource is harvester_image_download.
type Resource struct {
	tfbase.Base
	images      kube.Resource[api.VirtualMachineImage]
	stored      kube.Resource[api.BackingImage]
	downloaders kube.Resource[api.VirtualMachineImageDownloader]
}

var (
	_ resource.ResourceWithConfigure   = (*Resource)(nil)
	_ resource.ResourceWithImportState = (*Resource)(nil)
	_ resource.ResourceWithModifyPlan  = (*Resource)(nil)
)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// Configure takes the session.
func (r *Resource) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Base.Configure(ctx, req, resp)
	if r.Session != nil {
		r.images = kube.For[api.VirtualMachineImage](r.Session.Client, api.Images, api.KindImage)
		r.stored = kube.For[api.BackingImage](r.Session.Client, api.BackingImages, "BackingImage")
		r.downloaders = kube.For[api.VirtualMachineImageDownloader](r.Session.Client, api.ImageDownloaders, api.KindImageDownloader)
	}
}

// Create downloads the image. A download that was killed leaves nothing that the next one could not replace.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan)) {
		return
	}
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(r.download(ctx, &plan, resp.Private)...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	}
}

// Read looks at the file, not at the cluster: a file whose image is gone is as good as
// ever. One that is missing leaves the state; of one that was changed, the state
// tells what it holds now.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()
	if state.SHA512.IsNull() {
		resp.Diagnostics.Append(r.adopt(ctx, &state, resp.Private)...)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		return
	}
	found, diags := state.look(ctx, resp.Private)
	resp.Diagnostics.Append(diags...)
	switch {
	case diags.HasError():
	case !found:
		resp.State.RemoveResource(ctx)
	default:
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// Update downloads again if that was planned; else it only sets the permissions. The
// old file stays until the new one is complete.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan)) {
		return
	}
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()
	if plan.SHA512.IsUnknown() {
		resp.Diagnostics.Append(r.download(ctx, &plan, resp.Private)...)
	} else {
		resp.Diagnostics.Append(plan.setPermission()...)
	}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	}
}

// Delete removes the file if it is still the one that was written. That needs no cluster.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(state.remove(ctx, recorded(ctx, req.Private))...)
}

// ImportState takes namespace/name:filename, for a file that was downloaded by other means. Read
// compares it with the image.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	image, filename, err := parseImportID(req.ID)
	if err != nil {
		resp.Diagnostics.AddError("Invalid import id", "The import id is wrong: "+err.Error()+".")
		return
	}
	for attribute, value := range map[string]string{"id": filename, "image": image, "filename": filename} {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root(attribute), value)...)
	}
}

func (m *model) failure(summary, format string, args ...any) diag.Diagnostics {
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("filename"), summary, fmt.Sprintf(format, args...))}
}
