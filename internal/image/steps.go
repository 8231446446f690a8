// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
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
	begun.release, begun.finish = func() {}, func() {}
	if begun.from, diags = r.ready(ctx, plan); diags.HasError() {
		return begun, diags
	}
	release, wrong := r.slot(ctx, plan)
	begun.release = release
	if diags.Append(wrong...); diags.HasError() {
		return begun, diags
	}
	begun.image, begun.finish, wrong = r.create(ctx, plan, begun.from)
	diags.Append(wrong...)
	return begun, diags
}

// beginning is an image whose object was made.
type beginning struct {
	image *api.VirtualMachineImage
	from  material
	// release gives back the place among the uploads; finish ends the creation.
	release, finish func()
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

// slot waits for a place among the parallel uploads. It is taken before the
// object is made, because Harvester waits only a minute for the first byte.
func (r *lifecycle) slot(ctx context.Context, plan *model) (release func(), diags diag.Diagnostics) {
	if !plan.uploads() {
		return func() {}, nil
	}
	release, err := r.Session.Uploads.Take(ctx)
	if err != nil {
		return func() {}, diag.Diagnostics{diagnose.API("upload", plan.title(), "It was waiting for other uploads to end. "+leftNothing, err)}
	}
	return release, nil
}

// change applies what can change in place and returns the image as it is now.
func (r *lifecycle) change(ctx context.Context, plan, state *model, identity objects.Identity) (*api.VirtualMachineImage, diag.Diagnostics) {
	patch, diags := plan.patch(ctx, state)
	if diags.HasError() {
		return nil, diags
	}
	image, err := objects.Change(ctx, r.images, identity, patch)
	if err != nil {
		return nil, objects.ChangeFailed(plan.title(), err)
	}
	return image, nil
}

// finish brings an image that was found incomplete to Active. The file is read
// only if the server wants the data.
func (r *lifecycle) finish(ctx context.Context, image *api.VirtualMachineImage, plan *model) (*api.VirtualMachineImage, diag.Diagnostics) {
	pass, diags := r.turn(ctx, plan, leftAsIs)
	defer pass()
	if diags.HasError() {
		return image, diags
	}
	release, diags := r.slot(ctx, plan)
	defer release()
	if diags.HasError() {
		return image, diags
	}
	filler := r.filler(image, plan, release)
	var warnings diag.Diagnostics
	if plan.uploads() {
		filler.content = func(ctx context.Context) (*transfer.Content, error) {
			content, diags := r.readyToSend(ctx, plan, leftAsIs)
			if diags.HasError() {
				return nil, &objects.DescribedError{Diagnostics: diags}
			}
			warnings = diags
			plan.FileSHA512 = types.StringValue(content.SHA512)
			return content, nil
		}
	}
	image, diags = filler.run(ctx, image, plan, leftAsIs)
	return image, append(warnings, diags...)
}

// filler returns the filler of an image whose data comes from elsewhere.
func (r *lifecycle) filler(image *api.VirtualMachineImage, plan *model, release func()) *filler {
	return &filler{
		session: r.Session, images: r.images, backend: image.Spec.Backend, stall: plan.stall(), sent: release,
		target: wait.Target{Resource: api.Images, Namespace: image.Namespace, Name: image.Name, UID: image.UID},
	}
}

// provide lets the filler send the content, if there is any.
func (f *filler) provide(content *transfer.Content) {
	if content != nil {
		f.content = func(context.Context) (*transfer.Content, error) { return content, nil }
	}
}

// run fills the image and describes a failure. It returns the image last seen,
// nil if it is gone.
func (f *filler) run(ctx context.Context, image *api.VirtualMachineImage, plan *model, left string) (*api.VirtualMachineImage, diag.Diagnostics) {
	latest, err := f.fill(ctx)
	if latest == nil {
		latest = image
	}
	if failed, ok := errors.AsType[*failure](err); ok && f.offered != nil && refusesChecksum(failed.Error()) {
		transfer.UserCache().Forget(*f.offered)
	}
	known, described := errors.AsType[*objects.DescribedError](err)
	switch {
	case err == nil:
		return latest, nil
	case errors.Is(err, errGone):
		return nil, diag.Diagnostics{diagnose.API("finish", plan.title(), "It is not in the state any more. The next apply makes it anew.", err)}
	case described:
		return latest, known.Diagnostics
	}
	return latest, diag.Diagnostics{unfinished(plan, latest, left, err)}
}

// defaultStall outlasts what Harvester does without a sign of life: Longhorn's
// waits and a restart of its pods.
const defaultStall = 5 * time.Minute

func (m *model) stall() time.Duration {
	// Validation has refused what does not parse.
	if d, err := time.ParseDuration(m.StallTimeout.ValueString()); err == nil {
		return d
	}
	return defaultStall
}

// unfinished describes why the image did not become ready.
func unfinished(plan *model, image *api.VirtualMachineImage, left string, err error) diag.Diagnostic {
	if failed, ok := errors.AsType[*failure](err); ok {
		return diag.NewErrorDiagnostic("Image import failed", strings.Join([]string{
			fmt.Sprintf("Harvester could not import the %s: %s", plan.title(), strings.TrimSuffix(failed.Error(), ".")) + ".",
			left, cure(failed.Error(), plan),
		}, "\n\n"))
	}
	state := imagestate.Of(image)
	return diagnose.API("finish", plan.title(), fmt.Sprintf("It was last seen as %s. %s", state.Status(), left), err)
}

// cure says what to do about the usual causes of a failed import.
func cure(message string, plan *model) string {
	message = strings.ToLower(message)
	switch {
	case strings.Contains(message, "passphrase"):
		return "The secret does not hold the passphrase any more that the source was encrypted with. Put the old CRYPTO_KEY_VALUE back into it, then apply again."
	case refusesChecksum(message) && plan.uploads() && plan.Checksum.IsNull():
		return "What arrived is not what the file held when it was read for its checksum. That is forgotten: apply again, and the file is read anew."
	case refusesChecksum(message):
		return "The data is not what checksum says. Compare it with the sha512sum of the data: either the checksum is for another file, or the data is damaged."
	case plan.SourceType.ValueString() == api.SourceDownload:
		return "Check that the cluster itself (not only this machine) can fetch the url, including its proxy settings and trusted certificates."
	case strings.Contains(message, "no space"), strings.Contains(message, "insufficient"):
		return "Free space on the cluster's disks, or choose a storage class with other disks."
	}
	return "Remove the cause, then apply again."
}

// refusesChecksum says that the data was not what its checksum says.
func refusesChecksum(message string) bool {
	return strings.Contains(strings.ToLower(message), "checksum")
}
