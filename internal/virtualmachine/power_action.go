// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

// Values of operation.
const (
	powerStart      = "start"
	powerStop       = "stop"
	powerRestart    = "restart"
	powerSoftReboot = "soft_reboot"
)

// actionLimit is how long an action of a machine may take by default.
const actionLimit = 10 * time.Minute

// powerAction is the action harvester_virtualmachine_power.
type powerAction struct{ tfbase.Action }

var _ tfbase.CompleteAction = (*powerAction)(nil)

// NewPowerAction returns the action harvester_virtualmachine_power, not yet configured.
func NewPowerAction() action.Action {
	return &powerAction{tfbase.Action{TypeName: "harvester_virtualmachine_power"}}
}

type powerModel struct {
	VirtualMachine types.String `tfsdk:"virtual_machine"`
	Operation      types.String `tfsdk:"operation"`
	Timeout        types.String `tfsdk:"timeout"`
}

// starts says that the machine runs anew after the operation.
func (m powerModel) starts() bool {
	return m.Operation.ValueString() == powerStart || m.Operation.ValueString() == powerRestart
}

// Schema describes the action.
func (a *powerAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Starts, stops or restarts a virtual machine, and waits until it has done so. A machine with a disk from an image that is not complete is not started. " +
			"Starting one of the run strategy `Halted` makes that `Always`, and stopping one of `Always` makes it `Halted`, as in Harvester's dashboard; " +
			"a `harvester_virtualmachine` that says otherwise takes it back with the next apply. Needs Terraform 1.14 or newer.",
		Attributes: map[string]schema.Attribute{
			machineArgument: tfbase.ReferenceArgument(what, "harvester_virtualmachine.<name>.id"),
			"operation": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "What to do: `start`; `stop`, which lets the guest shut down; `restart`, which is both; or `soft_reboot`, which asks the guest to reboot and does not " +
					"wait, as whether it does is up to it. What runs already is not started again, and what is off is not stopped; only what runs can be restarted.",
				Validators: []validator.String{stringvalidator.OneOf(powerStart, powerStop, powerRestart, powerSoftReboot)},
			},
			"timeout": tfbase.TimeoutArgument(actionLimit),
		},
	}
}

// ModifyPlan looks at the machine, and refuses to start one from incomplete images.
func (a *powerAction) ModifyPlan(ctx context.Context, req action.ModifyPlanRequest, resp *action.ModifyPlanResponse) {
	var config powerModel
	if resp.Diagnostics.Append(req.Config.Get(ctx, &config)...); resp.Diagnostics.HasError() || config.VirtualMachine.IsUnknown() || !a.PlansChecks() {
		return
	}
	on := actOn(a.Session, config.VirtualMachine)
	vm, diags := on.planned(ctx)
	resp.Diagnostics.Append(diags...)
	if vm == nil || !config.starts() {
		return
	}
	for _, image := range on.images(ctx, vm) {
		if image.refusal != nil && !a.Session.Images.Has(session.ImageID(image.id)) {
			resp.Diagnostics.Append(plancheck.Planned(a.Session.PlanChecks, path.Root(machineArgument), imagestate.StartVM, image.refusal))
		}
		resp.Diagnostics.Append(a.Session.Unchecked(image.err)...)
	}
}

// Invoke does it, and waits until it is done.
func (a *powerAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config powerModel
	if !a.Loaded(&resp.Diagnostics, req.Config.Get(ctx, &config)) {
		return
	}
	ctx, cancel := tfbase.Acting(ctx, config.Timeout, actionLimit)
	defer cancel()
	on := actOn(a.Session, config.VirtualMachine)
	diags := on.power(ctx, config, func(text string) {
		resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf("Virtual machine %s: %s", config.VirtualMachine.ValueString(), text)})
	})
	resp.Diagnostics.Append(tfbase.OfAction(diags)...)
}

// power carries an operation out. Tell hears of each step.
func (a acted) power(ctx context.Context, config powerModel, tell func(string)) diag.Diagnostics {
	seen, diags := a.look(ctx)
	if diags.HasError() {
		return diags
	}
	if config.starts() {
		if diags := a.startable(ctx, seen.vm); diags.HasError() {
			return diags
		}
	}
	runs := seen.vmi != nil && !ofAnother(seen.vm, seen.vmi) && !seen.vmi.IsFinal() && seen.vmi.DeletionTimestamp == nil
	reached, err := goal{running: true}, error(nil)
	switch operation := config.Operation.ValueString(); {
	case operation == powerStart && !runs:
		if strategy, _ := seen.vm.RunStrategy(); strategy != kubevirtv1.RunStrategyAlways { // which starts by itself
			tell("starting")
			err = a.ask(ctx, api.VirtualMachines, powerStart)
		}
	case operation == powerStart:
		tell("runs already")
	case operation == powerStop:
		reached = goal{}
		if strategy, _ := seen.vm.RunStrategy(); runs || strategy == kubevirtv1.RunStrategyAlways {
			tell("stopping")
			err = a.ask(ctx, api.VirtualMachines, powerStop)
		}
	case !runs:
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("operation"), "Virtual machine not running", fmt.Sprintf(
			"The %s does not run, so there is nothing to restart. Nothing was done.\n\nUse operation = %q.", a.title(), powerStart))}
	case operation == powerRestart:
		tell("restarting")
		reached.not = string(seen.vmi.UID)
		err = a.ask(ctx, api.VirtualMachines, powerRestart)
	default:
		if err = a.ask(ctx, api.VirtualMachineInstances, "softreboot"); err == nil {
			tell("the guest was asked to reboot")
			return nil
		}
	}
	if err != nil {
		return diag.Diagnostics{diagnose.API(config.Operation.ValueString(), a.title(), "Look at its state before you try again.", err)}
	}
	diags = a.watch(ctx, a.model, reached, "What was asked of it stays asked.", tell)
	if !diags.HasError() {
		tell(map[bool]string{true: "runs", false: "is off"}[reached.running])
	}
	return diags
}

// ask sends a request, again while KubeVirt itself is writing to the machine.
func (a acted) ask(ctx context.Context, gvr apischema.GroupVersionResource, subresource string) error {
	for try := 1; ; try++ {
		err := a.Session.Client.PutSubresource(ctx, gvr, a.Namespace.ValueString(), a.Name.ValueString(), subresource)
		if err == nil || !apierrors.IsConflict(err) || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		}
	}
}

// startable is the gate: all refusals are shown together.
func (a acted) startable(ctx context.Context, vm *kubevirtv1.VirtualMachine) (diags diag.Diagnostics) {
	for _, image := range a.images(ctx, vm) {
		switch {
		case image.err != nil:
			diags.Append(diagnose.API("read", fmt.Sprintf("image %q", image.id), "The virtual machine was not started.", image.err))
		case image.refusal != nil:
			diags.Append(diag.NewAttributeErrorDiagnostic(path.Root(machineArgument), image.refusal.Summary, image.refusal.Detail(imagestate.StartVM)+"\n\nNothing was done."))
		}
	}
	return diags
}

// imageOfDisk is an image that a disk of a machine is from, with what is to be said of it.
type imageOfDisk struct {
	id      string
	refusal *imagestate.Refusal
	err     error
}

// images are those that the disks of a machine are from, as its templates and its volumes tell.
func (a acted) images(ctx context.Context, vm *kubevirtv1.VirtualMachine) (found []imageOfDisk) {
	templates, known := disk.ParseTemplates(vm), map[string]bool{}
	for _, volume := range withTemplate(vm).Spec.Template.Spec.Volumes {
		name := disk.Claim(&volume)
		if name == "" {
			continue
		}
		reference := ""
		claim, err := a.volumes.Get(ctx, vm.Namespace, name)
		if err == nil {
			reference = claim.Annotations[api.AnnotationImageID]
		}
		if template := templates.Of(name); template != nil && reference == "" {
			reference = template.Annotations[api.AnnotationImageID]
		}
		namespace, image, wrong := tfbase.ParseReference(reference, vm.Namespace)
		if id := tfbase.ID(namespace, image); wrong == nil && !known[id] {
			known[id] = true
			found = append(found, a.image(ctx, id, err == nil))
		}
	}
	return found
}

// image judges an image by what it is now. One that is gone, or goes, has done its part if the volume is there.
func (a acted) image(ctx context.Context, id string, made bool) imageOfDisk {
	namespace, name, _ := tfbase.ParseID(id)
	image, err := kube.For[api.VirtualMachineImage](a.Session.Client, api.Images, api.KindImage).Get(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err) && made:
		return imageOfDisk{id: id}
	case apierrors.IsNotFound(err):
		return imageOfDisk{id: id, refusal: imagestate.Absent(id)}
	case err != nil:
		return imageOfDisk{id: id, err: err}
	}
	state := imagestate.Of(image)
	if made && state.State == imagestate.Terminating {
		return imageOfDisk{id: id}
	}
	return imageOfDisk{id: id, refusal: imagestate.Check(state, imagestate.StartVM)}
}
