// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/encryption"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// check lets the secret, the other classes and Harvester's own webhooks judge a class before
// anything is done.
func check(ctx context.Context, c *tfbase.Checking[*model]) (diags diag.Diagnostics) {
	if c.State == nil {
		diags = checkSecret(ctx, c)
	}
	if c.Applying { // the requests themselves say the rest, and wait a little for it
		return diags
	}
	if c.State == nil && len(diags) == 0 {
		diags = rehearse(ctx, c.Session, c.Plan)
	}
	if c.Plan.IsDefault.ValueBool() && (c.State == nil || !c.State.IsDefault.ValueBool()) {
		diags.Append(planDefault(ctx, c.Session, c.Plan)...)
	}
	return diags
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

// checkSecret judges the secret of a class for encryption. Without the right to read it,
// that is left to Harvester.
func checkSecret(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	if !tfbase.Known(c.Plan.Parameters) {
		return nil
	}
	secrets := kube.For[corev1.Secret](c.Session.Client, api.Secrets, "Secret")
	finding, err := encryption.Behind(ctx, c.Plan.parameters(), secrets.Get)
	if err != nil || finding == nil {
		return c.Unchecked(err)
	}
	detail := fmt.Sprintf("The %s is for encryption. %s\n\n%s", c.Plan.title(), finding.Reason, finding.Remedy)
	switch {
	case finding.Absent && !c.Applying:
		return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("parameters"), finding.Summary,
			detail+" That is well if this run creates it; refer to the resource that does, so that Terraform makes it first.")}
	case c.Applying:
		detail += "\n\n" + c.Left()
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("parameters"), finding.Summary, detail)}
}

// rehearse lets Harvester's own webhooks judge the class, by a create that stores nothing.
// Whether it may be the default is another question, which the apply may answer differently.
func rehearse(ctx context.Context, s *session.Session, plan *model) diag.Diagnostics {
	if !plan.known() {
		return nil
	}
	wanted, diags := tfbase.Wanted[model, storagev1.StorageClass](ctx, plan)
	if diags.HasError() {
		return diags
	}
	delete(wanted.Annotations, api.AnnotationDefaultClass)
	err := classesOf(s).DryRunCreate(ctx, "", wanted)
	if err == nil || !kube.Refused(err) {
		return s.Unchecked(err) // or something that the apply will report better
	}
	return diag.Diagnostics{diagnose.API("plan", plan.title(), "Harvester was asked without creating anything.", err)}
}

// planDefault warns of a class that is the default already. This run may change that.
func planDefault(ctx context.Context, s *session.Session, plan *model) diag.Diagnostics {
	other := otherDefault(ctx, s, plan)
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
func otherDefault(ctx context.Context, s *session.Session, plan *model) *storagev1.StorageClass {
	classes, err := classesOf(s).RecentAll(ctx, "")
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
