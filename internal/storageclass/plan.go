// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/encryption"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

const nothingDone = "Nothing was created or changed."

// ValidateConfig checks the parameters for encryption against one another.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() || !tfbase.Known(config.Parameters) {
		return
	}
	if finding := encryption.CheckParameters(config.Name.ValueString(), config.parameters()); finding != nil {
		resp.Diagnostics.AddAttributeError(path.Root("parameters"), finding.Summary, finding.Reason+"\n\n"+finding.Remedy)
	}
}

// ModifyPlan lets the secret, the other classes and Harvester's own webhooks judge a class
// before anything is done.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() || r.Session == nil {
		return
	}
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if !req.State.Raw.IsNull() {
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if !plan.Name.IsUnknown() {
		r.Session.Promise(tfbase.PromisedClass(plan.Name.ValueString()))
	}
	switch {
	case r.Session.PlanChecks == tfbase.ChecksOff:
		return
	case req.State.Raw.IsNull():
		resp.Diagnostics.Append(r.planCreate(ctx, &plan)...)
	case plan.replaces(&state):
		return // the second half is planned as a creation
	}
	if plan.IsDefault.ValueBool() && !state.IsDefault.ValueBool() {
		resp.Diagnostics.Append(r.planDefault(ctx, &plan)...)
	}
}

// replaces says that only another class can be what the plan wants.
func (m *model) replaces(state *model) bool {
	for _, pair := range [][2]attr.Value{
		{m.Name, state.Name},
		{m.VolumeProvisioner, state.VolumeProvisioner},
		{m.ReclaimPolicy, state.ReclaimPolicy},
		{m.VolumeBindingMode, state.VolumeBindingMode},
		{m.Parameters, state.Parameters},
		{m.AllowedTopologies, state.AllowedTopologies},
	} {
		if !pair[0].Equal(pair[1]) {
			return true
		}
	}
	return false
}

// planCreate checks a creation, or the second half of a replacement.
func (r *Resource) planCreate(ctx context.Context, plan *model) diag.Diagnostics {
	diags := r.checkSecret(ctx, plan, atPlan)
	if len(diags) == 0 {
		diags = r.rehearse(ctx, plan)
	}
	return r.Session.PlanChecks.Soften(diags...)
}

// moment is when a check runs: what is missing at plan may be made by this run.
type moment int

const (
	atPlan moment = iota
	atApply
)

// checkSecret judges the secret of a class for encryption. Without the right to read it,
// that is left to Harvester.
func (r *Resource) checkSecret(ctx context.Context, plan *model, when moment) diag.Diagnostics {
	if !tfbase.Known(plan.Parameters) {
		return nil
	}
	finding, err := encryption.Behind(ctx, plan.parameters(), r.secrets.Get)
	if err != nil || finding == nil {
		return nil
	}
	detail := fmt.Sprintf("The %s is for encryption. %s\n\n%s", plan.title(), finding.Reason, finding.Remedy)
	switch {
	case finding.Absent && when == atPlan:
		return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("parameters"), finding.Summary,
			detail+" That is well if this run creates it; refer to the resource that does, so that Terraform makes it first.")}
	case when == atApply:
		detail += "\n\n" + nothingDone
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("parameters"), finding.Summary, detail)}
}

// rehearse lets Harvester's own webhooks judge the class, by a create that stores nothing.
// Whether it may be the default is another question, which the apply may answer differently.
func (r *Resource) rehearse(ctx context.Context, plan *model) diag.Diagnostics {
	if !plan.known() {
		return nil
	}
	wanted, diags := plan.class(ctx)
	if diags.HasError() {
		return diags
	}
	delete(wanted.Annotations, api.AnnotationDefaultClass)
	err := r.classes.DryRunCreate(ctx, "", wanted)
	if err == nil || !kube.Refused(err) {
		return nil // or something that the apply will report better
	}
	return diag.Diagnostics{diagnose.API("plan", plan.title(), "Harvester was asked without creating anything.", err)}
}

// planDefault warns of a class that is the default already. This run may change that.
func (r *Resource) planDefault(ctx context.Context, plan *model) diag.Diagnostics {
	other := r.otherDefault(ctx, plan)
	if other == nil {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("is_default"), "Another storage class is the default", fmt.Sprintf(
		"The storage class %q is the default now, and Harvester allows only one. That is well if this run ends it (is_default = false in its own resource): "+
			"apply waits a little for that. %s", other.Name, giveUp(other.Name)))}
}

// giveUp says how a class stops being the default.
func giveUp(name string) string {
	return fmt.Sprintf("Else import it (terraform import harvester_storageclass.<name> %s) and set is_default = false there, "+
		"or reset the default in Harvester's dashboard.", name)
}

// otherDefault is another class that is the default; nil if there is none, or classes
// cannot be listed.
func (r *Resource) otherDefault(ctx context.Context, plan *model) *storagev1.StorageClass {
	classes, err := r.classes.RecentAll(ctx, "")
	if err != nil {
		return nil
	}
	for i := range classes {
		if isDefault(&classes[i]) && classes[i].Name != plan.Name.ValueString() {
			return &classes[i]
		}
	}
	return nil
}

// known says that everything the server would be told is known.
func (m *model) known() bool {
	return tfbase.Known(m.Name, m.Description, m.Labels, m.Tags, m.VolumeProvisioner, m.ReclaimPolicy, m.VolumeBindingMode,
		m.AllowVolumeExpansion, m.Parameters, m.AllowedTopologies)
}
