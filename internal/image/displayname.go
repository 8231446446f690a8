// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Harvester wants display names unique in a namespace, and counts an image until it is gone for good
// (pkg/image/common/validator.go, CheckDisplayName). Terraform plans and applies images in any order, so an image
// that takes over a display name asks what becomes of the one that has it.
const (
	// untilTold is how long a plan waits for that of the image which has the display name. Terraform begins with all
	// images at about the same time.
	untilTold = 5 * time.Second
	// untilGiven is how long an apply waits for an image that is deleted or replaced in this run, for all it
	// knows: what uses that image has to go first. An image of others is given untilTold.
	untilGiven = 2 * time.Minute
	// lag is how long Harvester may take to notice that a display name was given up.
	lag = 30 * time.Second
)

// holders are the other images that have the display name. Harvester 1.8.1 puts no label on one whose display name
// cannot be the value of a label, so the images themselves are asked.
func (r *lifecycle) holders(ctx context.Context, plan *model) ([]api.VirtualMachineImage, error) {
	images, err := r.images.List(ctx, plan.Namespace.ValueString(), "")
	return slices.DeleteFunc(images, func(image api.VirtualMachineImage) bool {
		return image.Spec.DisplayName != plan.DisplayName.ValueString() || image.Name == plan.Name.ValueString()
	}), err
}

func idOf(image *api.VirtualMachineImage) session.ImageID {
	return session.ImageID(imagestate.Of(image).ID())
}

// rehearsedConflict: the display name is taken, unless it is by the very image that is
// replaced, or by one that this plan deletes or replaces.
func (r *lifecycle) rehearsedConflict(ctx context.Context, plan *model) (diags diag.Diagnostics) {
	holders, err := r.holders(ctx, plan)
	if err != nil {
		return r.Session.Unchecked(err) // the apply will say
	}
	for i := range holders {
		switch holder := &holders[i]; r.fate(ctx, holder) {
		case session.Leaves:
		case session.Untold:
			if r.Session.ImageFates.Foreign(idOf(holder)) || !ours(holder) && !r.Session.ImageFates.WasRead(idOf(holder)) {
				return r.soften(taken(plan, holder, ""))
			}
			diags.Append(session.Warnings(taken(plan, holder, "That is well if this run deletes that image, or gives it another display name: apply waits for that."))...)
		case session.Stays, session.Comes:
			return r.soften(taken(plan, holder, ""))
		}
	}
	return diags
}

// fate is what becomes of an image in this walk. One that was refreshed in it is in the state, so it is planned some time.
func (r *lifecycle) fate(ctx context.Context, image *api.VirtualMachineImage) session.Fate {
	if image.DeletionTimestamp != nil {
		return session.Leaves
	}
	soon, cancel := context.WithTimeout(ctx, untilTold)
	defer cancel()
	fate := r.Session.ImageFates.Of(soon, idOf(image))
	if fate == session.Untold && r.Session.ImageFates.WasRead(idOf(image)) {
		return r.Session.ImageFates.Of(ctx, idOf(image))
	}
	return fate
}

// ours says that this provider made the image, in whichever configuration.
func ours(image *api.VirtualMachineImage) bool {
	return slices.ContainsFunc(image.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool { return entry.Manager == kube.FieldManager })
}

// send makes the object. Harvester looks at the display name before Kubernetes looks at the name.
func (r *lifecycle) send(ctx context.Context, plan *model, wanted *api.VirtualMachineImage) (*api.VirtualMachineImage, error) {
	for began, given := time.Now(), time.Now(); ; {
		image, err := r.images.Create(ctx, wanted.Namespace, wanted)
		if err == nil {
			r.Session.ImageFates.Tell(idOf(image), session.Stays)
		}
		if !apierrors.IsConflict(err) {
			return image, err
		}
		held, wrong := r.displayNameTaken(ctx, plan, time.Since(began))
		switch {
		case wrong != nil:
			return nil, wrong
		case held:
			given = time.Now()
		case time.Since(given) > lag:
			return nil, err // it is about something else
		}
	}
}

// displayNameTaken tells an image that has the display name from one that gives it up in this run (held), or had it a
// moment ago, whose end Harvester has not noticed yet (no error), and from the very image that is wanted.
func (r *lifecycle) displayNameTaken(ctx context.Context, plan *model, waited time.Duration) (held bool, err error) {
	if _, err := r.images.Get(ctx, plan.Namespace.ValueString(), plan.Name.ValueString()); err == nil {
		return false, apierrors.NewAlreadyExists(api.Images.GroupResource(), plan.Name.ValueString())
	}
	holders, err := kube.Retry(ctx, func(ctx context.Context) ([]api.VirtualMachineImage, error) { return r.holders(ctx, plan) })
	if err != nil {
		return false, err
	}
	for i := range holders {
		if !r.givesUp(&holders[i], waited) {
			return false, &objects.DescribedError{Diagnostics: diag.Diagnostics{taken(plan, &holders[i], leftNothing+
				" With create_before_destroy the new image would have to exist beside the old one, which takes another display name.")}}
		}
	}
	tflog.Info(ctx, "Waiting for the display name to be given up", map[string]any{"image": plan.id(), "display_name": plan.DisplayName.ValueString()})
	if wait.Pause(ctx, 500*time.Millisecond); ctx.Err() != nil {
		return false, &objects.DescribedError{Diagnostics: diag.Diagnostics{diagnose.API("create", plan.title(),
			"It was waiting for another image to give up the display name. "+leftNothing, ctx.Err())}}
	}
	return len(holders) > 0, nil
}

// givesUp says that it is worth waiting for the end of an image. The plan has refused one that stays, so one of which
// nothing is told yet most likely goes, once what uses it is gone.
func (r *lifecycle) givesUp(image *api.VirtualMachineImage, waited time.Duration) bool {
	if image.DeletionTimestamp != nil {
		return true
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	switch r.Session.ImageFates.Of(now, idOf(image)) {
	case session.Leaves:
		return true
	case session.Stays, session.Comes:
		return false
	case session.Untold:
	}
	if ours(image) {
		return waited < untilGiven
	}
	return waited < untilTold
}

func taken(plan *model, other *api.VirtualMachineImage, left string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("display_name"), "Display name is taken", strings.TrimSpace(fmt.Sprintf(
		"The image %q has the display name %q already; Harvester wants them unique in a namespace.\n\n"+
			"Choose another display_name, or use or import that image. %s",
		imagestate.Of(other).ID(), plan.DisplayName.ValueString(), left)))
}
