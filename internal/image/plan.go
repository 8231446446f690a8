// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// ModifyPlan checks what can be checked before an apply, plans to finish an
// image that is not ready, and promises the image to what refers to it.
func (r *lifecycle) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	r.tellDeletion(ctx, req, resp)
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan model
	resp.Diagnostics.Append(r.form.read(ctx, req.Plan, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if req.State.Raw.IsNull() {
		// In the plan the class is unknown also when it is left to Harvester.
		resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("storage_class_name"), &plan.StorageClassName)...)
		resp.Diagnostics.Append(r.planCreate(ctx, &plan)...)
		return
	}
	var state model
	resp.Diagnostics.Append(r.form.read(ctx, req.State, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	r.tellFate(&plan, &state)
	if tfbase.ReplaceTerminating(ctx, state.State, resp) {
		return
	}
	r.planContent(ctx, &plan, &state, req, resp)
	r.planFinish(ctx, &plan, &state, req, resp)
	resp.Diagnostics.Append(r.form.write(ctx, &plan, &resp.Plan)...)
}

// planFinish plans to bring an image that is not ready to Active.
func (r *lifecycle) planFinish(ctx context.Context, plan, state *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if state.State.ValueString() == string(imagestate.Active) {
		return
	}
	if final(ctx, state, req.Private) {
		// Only a new object can become ready. The unknown state makes the
		// replacement visible, with its reason.
		plan.State = types.StringUnknown()
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("state"))
		return
	}
	wanted := state.Progress.ValueInt64() == 0 || state.State.ValueString() == string(imagestate.Verifying)
	if plan.uploads() && wanted && r.looks() { // the server still wants the data, or what it has is to be compared
		_, found := r.planning(plan).sending(ctx)
		resp.Diagnostics.Append(r.soften(found...)...)
	}
	plan.expectActive()
	r.promise(plan)
}

// planCreate checks a creation, or the second half of a replacement.
func (r *lifecycle) planCreate(ctx context.Context, plan *model) (diags diag.Diagnostics) {
	if r.Session == nil || r.looks() {
		_, diags = r.planning(plan).creation(ctx)
		diags = r.soften(diags...)
	}
	if !diags.HasError() {
		r.promise(plan)
	}
	return diags
}

// promise tells the gate that this run makes the image ready.
func (r *lifecycle) promise(plan *model) {
	if r.Session == nil || plan.Namespace.IsUnknown() {
		return
	}
	if !plan.Name.IsUnknown() {
		id := session.ImageID(plan.id())
		r.Session.Images.Add(id)
		if !r.Session.ImageFates.WasRead(id) {
			r.Session.ImageFates.Tell(id, session.Comes)
		}
	}
	if display := plan.displayName(); display != "" {
		r.Session.DisplayNames.Tell(display, session.Comes)
	}
}

// tellDeletion tells others that the image goes.
func (r *lifecycle) tellDeletion(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || !req.Plan.Raw.IsNull() || req.State.Raw.IsNull() {
		return
	}
	var state model
	if resp.Diagnostics.Append(r.form.read(ctx, req.State, &state)...); !resp.Diagnostics.HasError() {
		r.Session.ImageFates.Tell(session.ImageID(state.id()), session.Leaves)
	}
}

// tellFate tells others whether the image keeps its display name. It does not if another is made in its place, under
// another name.
func (r *lifecycle) tellFate(plan, state *model) {
	if r.Session == nil {
		return
	}
	fate := session.Stays
	if !plan.DisplayName.Equal(state.DisplayName) || !plan.Name.Equal(state.Name) || !plan.Namespace.Equal(state.Namespace) {
		fate = session.Leaves
	}
	r.Session.ImageFates.Tell(session.ImageID(state.id()), fate)
}

// displayName is the display name within its namespace; "" if it is not known.
func (m *model) displayName() session.DisplayName {
	if m.DisplayName.ValueString() == "" || m.Namespace.IsUnknown() {
		return ""
	}
	return session.DisplayName(tfbase.ID(m.Namespace.ValueString(), m.DisplayName.ValueString()))
}

// final: Harvester will not bring this object to Active any more.
func final(ctx context.Context, state *model, private privateState) bool {
	noted, _ := private.GetKey(ctx, keyTerminal) // an unreadable note is as good as none
	return state.State.ValueString() == string(imagestate.Failed) && string(noted) == "true"
}

// keyTerminal notes in the private state, at each Read, that no retry will come.
const keyTerminal = "terminal"

type privateState interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

// expectActive plans what a finished image has.
func (m *model) expectActive() {
	m.State, m.Message, m.Progress = types.StringValue(string(imagestate.Active)), types.StringValue(""), types.Int64Value(100)
	m.Size, m.VirtualSize = types.Int64Unknown(), types.Int64Unknown()
	m.StorageClassName, m.VolumeStorageClassName = known(m.StorageClassName), known(m.VolumeStorageClassName)
}

// known keeps a value that is set; an empty one is yet to come.
func known(value types.String) types.String {
	if value.ValueString() == "" {
		return types.StringUnknown()
	}
	return value
}

// sourceUse is the use a clone makes of its source image, with the argument to blame.
func (r *lifecycle) sourceUse(plan *model) (use plancheck.Use, needed bool) {
	use, needed = plan.sourceUse()
	use.At = r.form.source()
	return use, needed
}

// sourceUse is the use a clone makes of its source image, if that is known.
func (m *model) sourceUse() (plancheck.Use, bool) {
	operation, security := m.operation(), m.security()
	if operation == "" || security.SourceImageName == "" || security.SourceImageNamespace == "" {
		return plancheck.Use{}, false
	}
	return plancheck.Use{Image: tfbase.ID(security.SourceImageNamespace, security.SourceImageName), Operation: operation}, true
}

// operation is what a clone does with its source; empty for other images, and if it is not known yet.
func (m *model) operation() imagestate.Operation {
	security := m.security()
	if security == nil || m.SourceType.ValueString() != api.SourceClone {
		return ""
	}
	return map[string]imagestate.Operation{api.CryptoEncrypt: imagestate.Encrypt, api.CryptoDecrypt: imagestate.Decrypt}[security.CryptoOperation]
}
