// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// snapshotAction is the action harvester_virtualmachine_snapshot.
type snapshotAction struct{ tfbase.Action }

var _ tfbase.CompleteAction = (*snapshotAction)(nil)

// NewSnapshotAction returns the action harvester_virtualmachine_snapshot, not yet configured.
func NewSnapshotAction() action.Action {
	return &snapshotAction{tfbase.Action{TypeName: "harvester_virtualmachine_snapshot"}}
}

type snapshotModel struct {
	VirtualMachine types.String `tfsdk:"virtual_machine"`
	Name           types.String `tfsdk:"name"`
	Timeout        types.String `tfsdk:"timeout"`
}

// Schema describes the action.
func (a *snapshotAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Takes a snapshot of a virtual machine, which stays in the cluster, and waits until it can be used. Nothing deletes it by itself. " +
			"Needs Terraform 1.14 or newer.",
		Attributes: map[string]schema.Attribute{
			machineArgument: tfbase.ReferenceArgument(what, "harvester_virtualmachine.<name>.id"),
			"name": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of the snapshot, which must be free. Default: that of the machine, and the time (UTC), as in `web-20260131-235959`.",
				Validators:          []validator.String{tfbase.Name()},
			},
			"timeout": tfbase.TimeoutArgument(actionLimit),
		},
	}
}

// ModifyPlan looks at the machine, and whether the name is free.
func (a *snapshotAction) ModifyPlan(ctx context.Context, req action.ModifyPlanRequest, resp *action.ModifyPlanResponse) {
	var config snapshotModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &config)...); resp.Diagnostics.HasError() || config.VirtualMachine.IsUnknown() || !a.PlansChecks() {
		return
	}
	on := actOn(a.Session, config.VirtualMachine)
	_, diags := on.planned(ctx)
	resp.Diagnostics.Append(diags...)
	name := config.Name.ValueString()
	if name == "" {
		return
	}
	_, err := on.snapshots().Get(ctx, on.Namespace.ValueString(), name)
	switch {
	case err == nil:
		resp.Diagnostics.Append(a.Session.PlanChecks.Soften(on.taken(name, ""))...)
	case !apierrors.IsNotFound(err):
		resp.Diagnostics.Append(a.Session.Unchecked(err)...)
	}
}

// Invoke takes the snapshot.
func (a *snapshotAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config snapshotModel
	if !a.Loaded(&resp.Diagnostics, req.Config.Get(ctx, &config)) {
		return
	}
	ctx, cancel := tfbase.Acting(ctx, config.Timeout, actionLimit)
	defer cancel()
	on := actOn(a.Session, config.VirtualMachine)
	name := config.Name.ValueString()
	if name == "" {
		name = on.Name.ValueString() + time.Now().UTC().Format("-20060102-150405")
	}
	diags := on.snapshot(ctx, name, func(text string) {
		resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf("Snapshot %s/%s: %s", on.Namespace.ValueString(), name, text)})
	})
	resp.Diagnostics.Append(tfbase.OfAction(diags)...)
}

// snapshot takes one of that name. Tell hears of each step.
func (a acted) snapshot(ctx context.Context, name string, tell func(string)) diag.Diagnostics {
	seen, diags := a.look(ctx)
	if diags.HasError() {
		return diags
	}
	wanted := snapshotOf(seen.vm, name)
	token := rand.String(16) // tells this snapshot from another of its name, if the answer is lost
	wanted.Annotations = map[string]string{api.AnnotationOrigin: token}
	tell("being taken of " + tfbase.KeyID(a.model))
	err := a.askSnapshot(ctx, wanted)
	if apierrors.IsAlreadyExists(err) || kube.Denied(err) { // the webhook refuses a name that is taken, before the API can
		switch existing, wrong := a.snapshots().Get(ctx, wanted.Namespace, name); {
		case wrong != nil:
		case existing.Annotations[api.AnnotationOrigin] != token:
			return diag.Diagnostics{a.taken(name, "Nothing was done.")}
		default:
			err = nil
		}
	}
	if err != nil {
		return diag.Diagnostics{diagnose.API("take a snapshot of", a.title(), "There is none of that name, unless the answer got lost.", err)}
	}
	if err = a.awaitSnapshot(ctx, seen.vm, name, tell); err != nil {
		return diag.Diagnostics{diagnose.API("take a snapshot of", a.title(),
			fmt.Sprintf("Harvester was asked for the snapshot %q, and may still complete it. Delete it in Harvester if it is not wanted.", name), err)}
	}
	tell("can be used")
	return nil
}

// taken refuses a name that is not free.
func (a acted) taken(name, left string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("name"), "Snapshot exists already", diagnose.Paragraphs(
		fmt.Sprintf("There is a snapshot or backup %q in the namespace %q already.", name, a.Namespace.ValueString()), left, "Choose another name, or leave it out."))
}
