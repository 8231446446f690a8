// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// waitAction is the action harvester_image_wait.
type waitAction struct{ tfbase.Action }

var _ tfbase.CompleteAction = (*waitAction)(nil)

// NewWaitAction returns the action harvester_image_wait, not yet configured.
func NewWaitAction() action.Action {
	return &waitAction{tfbase.Action{TypeName: "harvester_image_wait"}}
}

type waitModel struct {
	Image   types.String `tfsdk:"image"`
	Timeout types.String `tfsdk:"timeout"`
}

// Schema describes the action.
func (a *waitAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Waits until an image is ready, and shows how far it is. It fails with Harvester's reason as soon as the image cannot become ready any more. " +
			"Needs Terraform 1.14 or newer.",
		Attributes: map[string]schema.Attribute{
			"image":   tfbase.ReferenceArgument("image", "harvester_image.<name>.id"),
			"timeout": tfbase.TimeoutArgument(readyLimit),
		},
	}
}

// ModifyPlan refuses to wait for an image that cannot become ready, unless this run makes it anew.
func (a *waitAction) ModifyPlan(ctx context.Context, req action.ModifyPlanRequest, resp *action.ModifyPlanResponse) {
	var config waitModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	id := config.Image.ValueString()
	if resp.Diagnostics.HasError() || config.Image.IsUnknown() || !a.PlansChecks() || a.Session.Images.Has(session.ImageID(id)) {
		return
	}
	namespace, name, _ := tfbase.ParseID(id) // it was validated
	image, err := kube.For[api.VirtualMachineImage](a.Session.Client, api.Images, api.KindImage).Get(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		resp.Diagnostics.AddAttributeWarning(path.Root("image"), "Image not found",
			fmt.Sprintf("There is no image %q in this cluster. That is well if this run creates it by then.\n\nRefer to the resource that does, as in harvester_image.<name>.id.", id))
	case err != nil:
		resp.Diagnostics.Append(a.Session.Unchecked(err)...)
	default:
		if refusal := hopeless(imagestate.Of(image)); refusal != nil {
			resp.Diagnostics.Append(plancheck.Planned(a.Session.PlanChecks, path.Root("image"), imagestate.Use, refusal))
		}
	}
}

// Invoke waits.
func (a *waitAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var config waitModel
	if !a.Loaded(&resp.Diagnostics, req.Config.Get(ctx, &config)) {
		return
	}
	ctx, cancel := tfbase.Acting(ctx, config.Timeout, readyLimit)
	defer cancel()
	began := time.Now()
	id := config.Image.ValueString()
	tell := func(text string) {
		resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf("Image %s: %s", id, text)})
	}
	namespace, name, _ := tfbase.ParseID(id) // it was validated
	image, err := kube.For[api.VirtualMachineImage](a.Session.Client, api.Images, api.KindImage).Get(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		absent := imagestate.Absent(id)
		resp.Diagnostics.AddAttributeError(path.Root("image"), absent.Summary, absent.Reason+"\n\n"+absent.Remedy)
		return
	case err != nil:
		resp.Diagnostics.Append(diagnose.API("read", fmt.Sprintf("image %q", id), "Nothing was changed.", err))
		return
	}
	_, refusal, err := untilReady(ctx, a.Session, image, tell)
	switch {
	case err != nil:
		resp.Diagnostics.Append(tfbase.OfAction(diag.Diagnostics{diagnose.API("wait for", fmt.Sprintf("image %q", id), "Nothing was changed.", err)})...)
	case refusal != nil:
		resp.Diagnostics.AddAttributeError(path.Root("image"), refusal.Summary, refusal.Detail(imagestate.Use))
	default:
		tell(fmt.Sprintf("ready after %s", time.Since(began).Round(time.Second)))
	}
}
