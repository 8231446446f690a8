// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Action is what every action does alike. Actions embed it, with their TypeName.
type Action struct {
	TypeName string
	// Session is nil while the provider is not configured.
	Session *session.Session
}

// CompleteAction is all that an action can do. See Complete.
type CompleteAction interface {
	action.ActionWithConfigure
	action.ActionWithModifyPlan
}

// Metadata names the action.
func (a *Action) Metadata(_ context.Context, _ action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = a.TypeName
}

// Configure takes the session.
func (a *Action) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	configured, diags := session.From(req.ProviderData)
	resp.Diagnostics.Append(diags...)
	if configured != nil {
		a.Session = configured
	}
}

// Loaded says whether the action can begin: its configuration was loaded, with these diagnostics, and there is a connection.
func (a *Action) Loaded(diags *diag.Diagnostics, load diag.Diagnostics) bool {
	diags.Append(load...)
	if a.Session == nil && !diags.HasError() {
		diags.Append(session.Unconfigured())
	}
	return !diags.HasError()
}

// PlansChecks says whether a plan is to look at the cluster.
func (a *Action) PlansChecks() bool {
	return a.Session != nil && a.Session.PlanChecks != session.ChecksOff
}

// ReferenceArgument is the argument that says by its id what an action is for. Of is how a resource gives one.
func ReferenceArgument(what, of string) schema.Attribute {
	return schema.StringAttribute{
		Required: true, MarkdownDescription: "The id, `namespace/name`, of the " + what + ", as in `" + of + "`.",
		Validators: []validator.String{Rule("Invalid reference", "must be the id of a "+what+", namespace/name", func(value string) []string {
			if _, _, err := ParseID(value); err != nil {
				return []string{"expected the id of the " + what + ", namespace/name, as in " + of}
			}
			return nil
		})},
	}
}

// TimeoutArgument is the argument that limits an action.
func TimeoutArgument(limit time.Duration) schema.Attribute {
	return schema.StringAttribute{
		Optional: true, MarkdownDescription: "How long the action may take, as in `30s`, `10m` or `2h`. Default: `" + short(limit) + "`.",
		Validators: []validator.String{Duration()},
	}
}

// Acting limits ctx to the timeout, or to the limit without one.
func Acting(ctx context.Context, timeout types.String, limit time.Duration) (context.Context, context.CancelFunc) {
	if d, err := time.ParseDuration(timeout.ValueString()); err == nil { // validation has refused what does not parse
		limit = d
	}
	return wait.WithLimit(ctx, limit)
}

// OfAction tells of a problem of an action, which has an argument where resources have a block of time limits.
func OfAction(found diag.Diagnostics) (told diag.Diagnostics) {
	for _, one := range found {
		summary, detail := one.Summary(), strings.ReplaceAll(one.Detail(), "the limit in the timeouts block", "timeout in the action's configuration")
		var same diag.Diagnostic = diag.NewErrorDiagnostic(summary, detail)
		if one.Severity() == diag.SeverityWarning {
			same = diag.NewWarningDiagnostic(summary, detail)
		}
		if at, ok := one.(diag.DiagnosticWithPath); ok {
			same = diag.WithPath(at.Path(), same)
		}
		told.Append(same)
	}
	return told
}
