// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// What a failure leaves behind, said in its diagnostic.
const (
	leftNothing = "Nothing was created."
	leftTainted = "The image object exists, marked as tainted: the next apply deletes it and starts over."
	leftAsIs    = "The image object stays as it is, and the next apply tries again to finish it."
)

// begin checks all there is to check, waits for a place and makes the object.
func (r *lifecycle) begin(ctx context.Context, plan *model) (begun beginning, diags diag.Diagnostics) {
	begun.place, begun.finish = r.place(), func() {}
	if begun.from, diags = r.ready(ctx, plan); diags.HasError() {
		return begun, diags
	}
	if diags.Append(r.enter(ctx, plan, begun.place)...); diags.HasError() {
		return begun, diags
	}
	diags.Append(r.create(ctx, plan, &begun)...)
	return begun, diags
}

// beginning is an image whose object was made.
type beginning struct {
	image *api.VirtualMachineImage
	from  material
	// takenOver says that an earlier apply made it.
	takenOver bool
	// place is the one among the uploads, if it takes one.
	place *place
	// finish ends the creation, when the image is in the state.
	finish func()
}

// turn waits until no other clone of the same source is being made in this run.
func (r *lifecycle) turn(ctx context.Context, plan *model, left string) (pass func(), diags diag.Diagnostics) {
	use, needed := r.sourceUse(plan)
	if !needed {
		return func() {}, nil
	}
	pass, err := r.Session.Clones.Take(ctx, session.ImageID(use.Image))
	if err != nil {
		return func() {}, diag.Diagnostics{diagnose.API("finish", plan.title(),
			fmt.Sprintf("It was waiting for another clone of the image %q to be ready, because Harvester fails to make two at a time. %s", use.Image, left), err)}
	}
	return pass, nil
}

// enter waits for a place among the parallel uploads. It is taken before the object is made, because
// Harvester waits only a minute for the first byte. With it the time limit of the creation starts.
func (r *lifecycle) enter(ctx context.Context, plan *model, place *place) diag.Diagnostics {
	if !plan.uploads() {
		return nil
	}
	if err := place.take(ctx); err != nil {
		return diag.Diagnostics{diagnose.API("upload", plan.title(), "It was waiting for other uploads to end. "+leftNothing, err)}
	}
	wait.Restart(ctx)
	return nil
}

// create makes the object, or takes over the one that an earlier apply with the same intent made before
// it was killed.
func (r *lifecycle) create(ctx context.Context, plan *model, begun *beginning) diag.Diagnostics {
	from := begun.from
	wanted, diags := plan.toAPI(ctx)
	if diags.HasError() {
		return diags
	}
	if from.content != nil {
		wanted.Annotations[api.AnnotationSize] = strconv.FormatInt(from.content.Size, 10)
	}
	if from.content != nil && plan.Backend.ValueString() == api.BackendBackingImage {
		wanted.Spec.Checksum = from.content.SHA512
	}
	if from.content != nil && !trusts(wanted.Spec, from.content) {
		maps.Copy(wanted.Annotations, unverified(from.sign))
	}
	creation := objects.Creating(r.Session.Hub, r.images, plan.title(), wanted)
	creation.Intent = intent(wanted.Spec, from)
	creation.Foreign = objects.Foreign{Type: r.TypeName, ID: plan.id(), One: "an image", Short: "image"}
	creation.Send = func(ctx context.Context) (*api.VirtualMachineImage, error) {
		r.untilLastWord(ctx, plan)
		return r.send(ctx, plan, wanted)
	}
	creation.TakeOver = func(ctx context.Context, existing *api.VirtualMachineImage) (*api.VirtualMachineImage, error) {
		begun.takenOver = true
		return r.takeOver(ctx, plan, existing, wanted, from)
	}
	image, finish, wrong := creation.Run(ctx)
	begun.image, begun.finish = image, finish
	return append(diags, wrong...)
}

// untilLastWord waits until Harvester has nothing more to say of an upload that this walk cut short by deleting its image. It finds
// the image by its name, so it would write on the new one that its upload broke. One that is ready would look broken; one
// that is not initialized yet never would be, and Harvester would not hear of its data.
func (r *lifecycle) untilLastWord(ctx context.Context, plan *model) {
	noted, _ := r.Session.Incomplete.LoadAndDelete(session.ImageID(plan.id()))
	if deleted, ok := noted.(time.Time); ok {
		tflog.Info(ctx, "Waiting until Harvester is done with the incomplete image that had this name", map[string]any{"image": plan.id()})
		wait.Pause(ctx, lastWord-time.Since(deleted))
	}
}

// intent is the fingerprint of what an image is made from. Of a file it is what can be seen without reading all of it, because
// its checksum may not be known before it is sent; verify compares the whole.
func intent(spec api.VirtualMachineImageSpec, from material) string {
	spec.Retry = nil // the one thing that can change later
	facts := []any{spec}
	if from.content != nil {
		spec.Checksum = "" // known or not, it is the same file
		facts = []any{spec, from.sign.Like}
	}
	if from.source != nil { // another image can have the name by now
		facts = append(facts, from.source.UID)
	}
	return objects.Fingerprint(facts...)
}

// takeOver gives the image what can have changed in the configuration since. What it has of the file, if anything, is compared
// in the end, whether or not it was before.
func (r *lifecycle) takeOver(ctx context.Context, plan *model, existing, wanted *api.VirtualMachineImage, from material) (*api.VirtualMachineImage, error) {
	if imagestate.Of(existing).Terminal {
		tflog.Info(ctx, "Removing what an earlier apply left unfinished and failed", map[string]any{"image": plan.id()})
		return nil, r.discard(ctx, plan, existing, leftNothing)
	}
	metadata := wanted.ObjectMeta.DeepCopy()
	delete(metadata.Annotations, api.AnnotationFile) // that of the data it has stays, until other data is sent
	if from.content != nil && !trusts(existing.Spec, from.content) {
		metadata.Annotations[api.AnnotationUnverified] = "true"
	}
	patch := map[string]any{"metadata": objects.Metadata(metadata, existing.UID)}
	if wanted.Spec.Retry != nil {
		patch["spec"] = map[string]any{"retry": *wanted.Spec.Retry}
	}
	return r.images.Patch(ctx, wanted.Namespace, wanted.Name, patch)
}

// renew deletes the image that a beginning has made, which failed for good, and makes it anew. Its mark stays on as long as it
// exists, so that the next apply knows it if this one is killed.
func (r *lifecycle) renew(ctx context.Context, plan *model, begun *beginning, failed *api.VirtualMachineImage) (*api.VirtualMachineImage, error) {
	if err := r.discard(ctx, plan, failed, objects.LeftDeleting); !apierrors.IsNotFound(err) {
		return failed, err
	}
	begun.finish()
	if diags := r.create(ctx, plan, begun); diags.HasError() {
		return nil, discarded{&objects.DescribedError{Diagnostics: diags}}
	}
	return begun.image, nil
}

// discard removes our own image that failed for good. NotFound then tells that it is to be made anew; left is the state
// that an end of the wait leaves it in.
func (r *lifecycle) discard(ctx context.Context, plan *model, image *api.VirtualMachineImage, left string) error {
	diags := r.requestDeletion(ctx, plan, image)
	if !diags.HasError() {
		if err := objects.AwaitGone(ctx, r.Session.Hub, r.images, image, objects.Leaving); err != nil {
			diags = objects.Failed("create", plan.title(), left, err)
		}
	}
	if diags.HasError() {
		return &objects.DescribedError{Diagnostics: diags}
	}
	return apierrors.NewNotFound(api.Images.GroupResource(), image.Name)
}
