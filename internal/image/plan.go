// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// ModifyPlan checks what can be checked before an apply, plans to finish an
// image that is not ready, and promises the image to what refers to it.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if req.State.Raw.IsNull() {
		resp.Diagnostics.Append(r.planCreate(ctx, &plan)...)
		return
	}
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	r.planContent(ctx, &plan, &state, req, resp)
	r.planFinish(ctx, &plan, &state, req, resp)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// planFinish plans to bring an image that is not ready to Active.
func (r *Resource) planFinish(ctx context.Context, plan, state *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
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
	plan.expectActive()
	r.promise(plan)
}

// planCreate checks a creation, or the second half of a replacement.
func (r *Resource) planCreate(ctx context.Context, plan *model) diag.Diagnostics {
	diags := plan.checkDisplayName()
	if plan.uploads() && !plan.FilePath.IsUnknown() && !plan.Decompress.IsUnknown() {
		_, wrong := plan.inspect("")
		diags.Append(wrong...)
	}
	if use, needed := plan.sourceUse(); needed {
		diags.Append(plancheck.Plan(ctx, r.Session, use)...)
	}
	if !diags.HasError() {
		diags.Append(r.rehearse(ctx, plan)...)
	}
	if !diags.HasError() {
		r.promise(plan)
	}
	return diags
}

// promise tells the gate that this run makes the image ready.
func (r *Resource) promise(plan *model) {
	if r.Session != nil && !plan.Name.IsUnknown() && !plan.Namespace.IsUnknown() {
		r.Session.Promise(plan.id())
	}
}

// final: Harvester will not bring this object to Active any more.
func final(ctx context.Context, state *model, private privateState) bool {
	if state.State.ValueString() == string(imagestate.Terminating) {
		return true
	}
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

// checkDisplayName applies Harvester's rule to new images only: older ones may
// have names that its newer versions refuse.
func (m *model) checkDisplayName() diag.Diagnostics {
	if m.DisplayName.IsUnknown() {
		return nil
	}
	wrong := validation.IsValidLabelValue(m.DisplayName.ValueString())
	if len(wrong) == 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("display_name"), "Invalid display name", fmt.Sprintf(
		"Harvester keeps display names as Kubernetes labels and refuses %q: %s.", m.DisplayName.ValueString(), strings.Join(wrong, "; ")))}
}

// sourceUse is the use a clone makes of its source image.
func (m *model) sourceUse() (plancheck.Use, bool) {
	security := m.security()
	if security == nil || m.SourceType.ValueString() != api.SourceClone || security.SourceImageName == "" || security.SourceImageNamespace == "" {
		return plancheck.Use{}, false
	}
	operation := imagestate.Encrypt
	if security.CryptoOperation == api.CryptoDecrypt {
		operation = imagestate.Decrypt
	}
	return plancheck.Use{
		Image:     tfbase.ID(security.SourceImageNamespace, security.SourceImageName),
		Operation: operation,
		At:        path.Root("security_parameters").AtMapKey(keySourceName),
	}, true
}
