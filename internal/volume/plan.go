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
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// same says that the plan differs from the state only in what is computed anew.
func (m *model) same(state *model) bool {
	settled := *m
	settled.State, settled.Message, settled.Phase, settled.AttachedVM = state.State, state.Message, state.Phase, state.AttachedVM
	return reflect.DeepEqual(settled, *state)
}

// stirs names what moves with a change: a volume that grows says so, and one that is on its way to somewhere may have arrived.
func (m *model) stirs(state *model) []string {
	switch now := state.State.ValueString(); {
	case now != stateReady && now != stateInUse:
		return []string{"state", "message", "phase", "attached_vm"}
	case m.grows(state):
		return []string{"message"}
	}
	return nil
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
func (c clients) planMissingClass(ctx context.Context, plan *model, severity diag.Severity) diag.Diagnostics {
	name := plan.StorageClassName.ValueString()
	if c.session.PlanChecks == session.ChecksOff || name == "" || plan.Image.IsUnknown() || plan.image() != "" ||
		c.session.Classes.Has(session.ClassName(name)) {
		return nil
	}
	if _, err := c.classes.Recent(ctx, "", name); !apierrors.IsNotFound(err) {
		return c.session.Unchecked(err)
	}
	found := diag.NewAttributeErrorDiagnostic(classPath, "Storage class not found", fmt.Sprintf(
		"There is no storage class %q in this cluster, so the %s could not be made now.\n\n"+
			"Choose another, or refer to the resource that creates it (harvester_storageclass.<name>.name), so that Terraform makes it first.", name, plan.title()))
	if severity == diag.SeverityWarning {
		return session.Warnings(found)
	}
	return c.session.PlanChecks.Soften(found)
}

func shrinkage(plan, state *model) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("size"), "Volume cannot shrink", fmt.Sprintf(
		"The %s has %s, and the configuration asks for %s. A volume can grow but not shrink: its end may hold data.\n\n"+
			"Set the size to at least %s. For a smaller volume make a new one, under another name. To destroy this one as it is, use terraform destroy -refresh=false.",
		plan.title(), state.Size.ValueString(), plan.Size.ValueString(), state.Size.ValueString()))
}

// check passes a new volume through the gate of its image and Harvester's own checks, and judges
// changes of the size. At apply, prepare and the request itself do.
func check(ctx context.Context, checking *tfbase.Checking[*model]) diag.Diagnostics {
	c := clientsOf(checking.Session)
	switch {
	case checking.Applying: // prepare does, with what it finds
		return nil
	case checking.State == nil:
		return c.planCreate(ctx, checking.Plan)
	case checking.Plan.grows(checking.State):
		return c.planGrowth(ctx, checking.Plan, checking.State)
	}
	return nil
}

// planDefaultClass judges the class of a volume whose configuration names none. To the later checks it is a class that is not
// known yet.
func (c clients) planDefaultClass(ctx context.Context, plan *model) diag.Diagnostics {
	if plan.Image.IsUnknown() || plan.image() != "" {
		return nil // the image has one
	}
	class, diags := (&judging{clients: c, plan: plan}).defaultClass(ctx)
	return c.session.PlanChecks.Soften(append(diags, checkModes(plan, class)...)...)
}

// planCreate checks a creation, or the second half of a replacement.
func (c clients) planCreate(ctx context.Context, plan *model) diag.Diagnostics {
	_, diags := (&judging{clients: c, plan: plan}).basis(ctx)
	if !diags.HasError() {
		diags.Append(c.rehearse(ctx, plan)...)
	}
	return diags
}

// that stores nothing. A namespace that is missing may be made in the same run.
func (c clients) rehearse(ctx context.Context, plan *model) diag.Diagnostics {
	if !plan.known() {
		return nil
	}
	wanted, diags := tfbase.Wanted[model, volume](ctx, plan)
	if diags.HasError() {
		return diags
	}
	err := c.claims.DryRunCreate(ctx, wanted.Namespace, wanted.PersistentVolumeClaim)
	if err == nil || !kube.Refused(err) {
		return c.session.Unchecked(err) // or something that the apply will report better
	}
	return diag.Diagnostics{diagnose.API("plan", plan.title(), "Harvester was asked without creating anything.", err)}
}

// known says that everything the server would be told is known; it fills in the class by itself.
func (m *model) known() bool {
	return tfbase.Known(m.Name, m.Namespace, m.Size, m.Image, m.VolumeMode, m.AccessMode, m.Description, m.Labels, m.Tags)
}

// planGrowth judges whether the volume can grow as things are.
func (c clients) planGrowth(ctx context.Context, plan, state *model) diag.Diagnostics {
	class, err := c.classes.Recent(ctx, "", state.StorageClassName.ValueString())
	if err == nil && (class.AllowVolumeExpansion == nil || !*class.AllowVolumeExpansion) {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("size"), "Storage class does not let volumes grow", fmt.Sprintf(
			"The %s has %s, and the configuration asks for %s, but its storage class %q has allow_volume_expansion = false.\n\n"+
				"Set the size to %s again, or let the class's volumes grow first (allow_volume_expansion = true).",
			plan.title(), state.Size.ValueString(), plan.Size.ValueString(), class.Name, state.Size.ValueString()))}
	}
	err = c.rehearseGrowth(ctx, plan)
	if err == nil || !kube.Refused(err) && !apierrors.IsForbidden(err) {
		return c.session.Unchecked(err)
	}
	return diag.Diagnostics{diag.WithPath(path.Root("size"), growthRefused(plan, "Harvester was asked without changing anything.", err))}
}
