// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// create makes the object, or takes over the one that an earlier apply with the
// same intent made before it was killed.
func (r *lifecycle) create(ctx context.Context, plan *model, from material) (*api.VirtualMachineImage, diag.Diagnostics) {
	wanted, diags := plan.toAPI(ctx)
	if diags.HasError() {
		return nil, diags
	}
	if from.content != nil {
		wanted.Annotations[api.AnnotationSize] = strconv.FormatInt(from.content.Size, 10)
	}
	if from.content != nil && plan.Backend.ValueString() == api.BackendBackingImage {
		wanted.Spec.Checksum = from.content.SHA512
	}
	wanted.Annotations[api.AnnotationOrigin] = origin(wanted.Spec, from)
	for try := 1; ; try++ {
		image, err := r.images.Create(ctx, wanted.Namespace, wanted)
		if err == nil {
			return image, nil
		}
		again := try < creates && kube.Transient(err)
		switch {
		case again: // if it took effect all the same, the next try finds our own image
			pause(ctx, time.Second<<try)
		case apierrors.IsAlreadyExists(err):
			image, again, diags = r.existing(ctx, plan, wanted)
		case apierrors.IsConflict(err): // Harvester looks at the display name before Kubernetes looks at the name
			image, again, diags = r.displayNameTaken(ctx, plan, wanted)
		default:
			diags = diag.Diagnostics{diagnose.API("create", plan.title(), leftBy(err), err)}
		}
		if !again || diags.HasError() {
			return image, diags
		}
	}
}

// creates is how often the object is sent at most.
const creates = 5

// leftBy says what state a failed create leaves things in.
func leftBy(err error) string {
	if kube.Transient(err) {
		return "Whether it was created is not known: if so, the next apply goes on with it."
	}
	return leftNothing
}

// origin is the fingerprint of what an image is made from. Two images of one
// name with the same one are the same image.
func origin(spec api.VirtualMachineImageSpec, from material) string {
	spec.Retry = nil // the one thing that can change later
	text, _ := json.Marshal(spec)
	if from.content != nil {
		text = append(text, from.content.SHA512...)
	}
	if from.source != nil { // another image can have the name by now
		text = append(text, from.source.UID...)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// existing deals with an image that has the name already: one on its way out is
// waited for, our own unfinished one is taken over (or removed, if it failed for
// good), any other is a mistake.
func (r *lifecycle) existing(ctx context.Context, plan *model, wanted *api.VirtualMachineImage) (image *api.VirtualMachineImage, again bool, diags diag.Diagnostics) {
	image, err := r.images.Get(ctx, wanted.Namespace, wanted.Name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, true, nil
	case err != nil:
		return nil, false, diag.Diagnostics{diagnose.API("create", plan.title(), leftNothing, err)}
	}
	state := imagestate.Of(image)
	ours := image.Annotations[api.AnnotationOrigin] == wanted.Annotations[api.AnnotationOrigin]
	switch {
	case state.State == imagestate.Terminating:
		return nil, true, r.awaitGone(ctx, plan, image)
	case ours && state.Terminal:
		tflog.Info(ctx, "Removing what an earlier apply left unfinished and failed", map[string]any{"image": plan.id()})
		if diags := r.requestDeletion(ctx, plan, image); diags.HasError() {
			return nil, false, diags
		}
		return nil, true, r.awaitGone(ctx, plan, image)
	case ours:
		tflog.Info(ctx, "Taking over what an earlier apply of the same configuration began", map[string]any{"image": plan.id(), "state": state.Status()})
		return r.takeOver(ctx, plan, wanted)
	}
	return nil, false, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("name"), "Image already exists", fmt.Sprintf(
		"There is an image %q in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n"+
			"To manage that image here, import it:\n  terraform import %s.<name> %s\nOtherwise choose another name.", plan.id(), r.TypeName, plan.id()))}
}

// takeOver gives the image what can have changed in the configuration since.
func (r *lifecycle) takeOver(ctx context.Context, plan *model, wanted *api.VirtualMachineImage) (image *api.VirtualMachineImage, again bool, diags diag.Diagnostics) {
	annotations := map[string]any{api.AnnotationDescription: nil} // it may be gone from the configuration
	for key, value := range wanted.Annotations {
		annotations[key] = value
	}
	patch := map[string]any{"metadata": map[string]any{"labels": wanted.Labels, "annotations": annotations}}
	if wanted.Spec.Retry != nil {
		patch["spec"] = map[string]any{"retry": *wanted.Spec.Retry}
	}
	image, err := r.images.Patch(ctx, wanted.Namespace, wanted.Name, patch)
	switch {
	case apierrors.IsNotFound(err):
		return nil, true, nil
	case err != nil:
		return nil, false, diag.Diagnostics{diagnose.API("take over", plan.title(), "It was left as an earlier apply made it.", err)}
	}
	return image, false, nil
}

// awaitGone waits until an image that is being deleted does not exist any more.
func (r *lifecycle) awaitGone(ctx context.Context, plan *model, image *api.VirtualMachineImage) diag.Diagnostics {
	target := wait.Target{Resource: api.Images, Namespace: image.Namespace, Name: image.Name, UID: image.UID}
	err := r.Session.Hub.UntilGone(ctx, target, func(*unstructured.Unstructured) string { return "an image of that name is being deleted" })
	if err != nil {
		return diag.Diagnostics{diagnose.API("create", plan.title(), leftNothing, err)}
	}
	return nil
}

// displayNameTaken tells an image that has the display name from one that had it a
// moment ago, whose end Harvester has not noticed yet, and from the very image that is wanted.
func (r *lifecycle) displayNameTaken(ctx context.Context, plan *model, wanted *api.VirtualMachineImage) (image *api.VirtualMachineImage, again bool, diags diag.Diagnostics) {
	others, err := r.images.List(ctx, plan.Namespace.ValueString(), api.LabelImageDisplayName+"="+plan.DisplayName.ValueString())
	if err != nil {
		return nil, false, diag.Diagnostics{diagnose.API("create", plan.title(), leftNothing, err)}
	}
	for _, other := range others {
		if other.Name == wanted.Name {
			return r.existing(ctx, plan, wanted)
		}
		if other.DeletionTimestamp == nil {
			return nil, false, diag.Diagnostics{taken(plan, &other, leftNothing)}
		}
	}
	if pause(ctx, 500*time.Millisecond); ctx.Err() != nil {
		return nil, false, diag.Diagnostics{diagnose.API("create", plan.title(), "The display name was just given up by another image. "+leftNothing, ctx.Err())}
	}
	return nil, true, nil
}

func taken(plan *model, other *api.VirtualMachineImage, left string) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("display_name"), "Display name is taken", strings.TrimSpace(fmt.Sprintf(
		"The image %q has the display name %q already; Harvester wants them unique in a namespace.\n\n"+
			"Choose another display_name, or use or import that image. %s",
		imagestate.Of(other).ID(), plan.DisplayName.ValueString(), left)))
}
