// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"fmt"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// ModifyPlan passes a new volume through the gate of its image and Harvester's own checks,
// and judges changes of the size. It runs in the plan walk and again in the apply walk.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan, state model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if req.State.Raw.IsNull() {
		resp.Diagnostics.Append(r.planCreate(ctx, &plan)...)
		return
	}
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	switch {
	case resp.Diagnostics.HasError():
	case state.State.ValueString() == stateTerminating:
		// Only a new volume can take its place. The unknown state makes the replacement visible, with its reason.
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("state"), types.StringUnknown())...)
		resp.RequiresReplace.Append(path.Root("state"))
	case plan.replaces(&state):
		// The second half is planned as a creation. By the time that is applied, the old volume is gone.
		resp.Diagnostics.Append(r.planMissingClass(ctx, &plan, diag.SeverityError)...)
	case plan.same(&state):
		resp.Plan.Raw = req.State.Raw
	case plan.shrinks(&state):
		resp.Diagnostics.Append(shrinkage(&plan, &state))
	case plan.grows(&state):
		resp.Diagnostics.Append(r.planGrowth(ctx, &plan, &state)...)
	}
}

// same says that the plan differs from the state only in what is computed anew.
func (m *model) same(state *model) bool {
	settled := *m
	settled.State, settled.Message, settled.Phase, settled.AttachedVM = state.State, state.Message, state.Phase, state.AttachedVM
	return reflect.DeepEqual(settled, *state)
}

// replaces says that only another volume can be what the plan wants.
func (m *model) replaces(state *model) bool {
	for _, pair := range [][2]attr.Value{
		{m.Name, state.Name},
		{m.Namespace, state.Namespace},
		{m.Image, state.Image},
		{m.StorageClassName, state.StorageClassName},
		{m.VolumeMode, state.VolumeMode},
		{m.AccessMode, state.AccessMode},
	} {
		if !pair[0].Equal(pair[1]) {
			return true
		}
	}
	return false
}

// planMissingClass: there is no such storage class, and this run is not known to make it.
func (r *Resource) planMissingClass(ctx context.Context, plan *model, severity diag.Severity) diag.Diagnostics {
	name := plan.StorageClassName.ValueString()
	if r.Session == nil || r.Session.PlanChecks == tfbase.ChecksOff || name == "" || plan.Image.IsUnknown() || plan.image() != "" ||
		r.Session.Promised(tfbase.PromisedClass(name)) {
		return nil
	}
	if _, err := r.classes.Recent(ctx, "", name); !apierrors.IsNotFound(err) {
		return nil
	}
	found := diag.NewAttributeErrorDiagnostic(classPath, "Storage class not found", fmt.Sprintf(
		"There is no storage class %q in this cluster, so the %s could not be made now.\n\n"+
			"Choose another, or refer to the resource that creates it (harvester_storageclass.<name>.name), so that Terraform makes it first.", name, plan.title()))
	if severity == diag.SeverityWarning {
		return tfbase.Warnings(found)
	}
	return r.Session.PlanChecks.Soften(found)
}

func shrinkage(plan, state *model) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("size"), "Volume cannot shrink", fmt.Sprintf(
		"The %s has %s, and the configuration asks for %s. A volume can grow but not shrink: its end may hold data.\n\n"+
			"Set the size to at least %s. For a smaller volume make a new one, under another name. To destroy this one as it is, use terraform destroy -refresh=false.",
		plan.title(), state.Size.ValueString(), plan.Size.ValueString(), state.Size.ValueString()))
}

// planCreate checks a creation, or the second half of a replacement.
func (r *Resource) planCreate(ctx context.Context, plan *model) diag.Diagnostics {
	if r.Session == nil {
		return nil
	}
	var diags diag.Diagnostics
	if plan.image() != "" && !plan.Namespace.IsUnknown() {
		diags.Append(plancheck.Plan(ctx, r.Session, plan.use())...)
	}
	if diags.HasError() || r.Session.PlanChecks == tfbase.ChecksOff {
		return diags
	}
	diags.Append(r.planClass(ctx, plan)...)
	if !diags.HasError() {
		diags.Append(r.rehearse(ctx, plan)...)
	}
	return r.Session.PlanChecks.Soften(diags...)
}

// planClass judges the storage class as far as it is known. One that is not there may be
// made in this run.
func (r *Resource) planClass(ctx context.Context, plan *model) diag.Diagnostics {
	if plan.Image.IsUnknown() || plan.StorageClassName.IsUnknown() && plan.image() == "" {
		return nil
	}
	name := plan.StorageClassName.ValueString()
	if id := plan.image(); id != "" {
		namespace, imageName, err := tfbase.ParseID(id)
		if err != nil || r.Session.Promised(id) {
			return nil
		}
		image, err := r.images.Recent(ctx, namespace, imageName)
		if err != nil || !imagestate.Of(image).Ready() {
			return nil // the gate has judged it
		}
		if diags := checkImageClass(plan, image); diags.HasError() {
			return diags
		}
		name = image.Status.StorageClassName
	}
	class, err := r.classes.Recent(ctx, "", name)
	if err != nil {
		return r.planMissingClass(ctx, plan, diag.SeverityWarning)
	}
	return checkModes(plan, class)
}

// rehearse lets Harvester's own webhooks and the quota judge the volume at plan, by a create
// that stores nothing. A namespace that is missing may be made in the same run.
func (r *Resource) rehearse(ctx context.Context, plan *model) diag.Diagnostics {
	if !plan.known() {
		return nil
	}
	claim, diags := plan.claim(ctx, nil)
	if name := plan.StorageClassName.ValueString(); name != "" {
		claim.Spec.StorageClassName = &name
	}
	if diags.HasError() {
		return diags
	}
	err := r.claims.DryRunCreate(ctx, claim.Namespace, claim)
	if err == nil || !kube.Refused(err) {
		return nil // or something that the apply will report better
	}
	return diag.Diagnostics{diagnose.API("plan", plan.title(), "Harvester was asked without creating anything.", err)}
}

// known says that everything the server would be told is known; it fills in the class by itself.
func (m *model) known() bool {
	return tfbase.Known(m.Name, m.Namespace, m.Size, m.Image, m.VolumeMode, m.AccessMode, m.Description, m.Labels, m.Tags)
}

// planGrowth judges whether the volume can grow as things are.
func (r *Resource) planGrowth(ctx context.Context, plan, state *model) diag.Diagnostics {
	if r.Session == nil || r.Session.PlanChecks == tfbase.ChecksOff {
		return nil
	}
	class, err := r.classes.Recent(ctx, "", state.StorageClassName.ValueString())
	if err == nil && (class.AllowVolumeExpansion == nil || !*class.AllowVolumeExpansion) {
		return r.Session.PlanChecks.Soften(diag.NewAttributeErrorDiagnostic(path.Root("size"), "Storage class does not let volumes grow", fmt.Sprintf(
			"The %s has %s, and the configuration asks for %s, but its storage class %q has allow_volume_expansion = false.\n\n"+
				"Set the size to %s again, or let the class's volumes grow first (allow_volume_expansion = true).",
			plan.title(), state.Size.ValueString(), plan.Size.ValueString(), class.Name, state.Size.ValueString())))
	}
	err = r.rehearseGrowth(ctx, plan)
	if err == nil || kube.Transient(err) || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return r.Session.PlanChecks.Soften(diag.WithPath(path.Root("size"), growthRefused(plan, "Harvester was asked without changing anything.", err)))
}
