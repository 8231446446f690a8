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
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// finish brings an image that was found incomplete to Active. The file is read, and a place among the
// uploads taken, only if the server wants the data.
func (r *lifecycle) finish(ctx context.Context, image *api.VirtualMachineImage, plan *model) (*api.VirtualMachineImage, diag.Diagnostics) {
	pass, diags := r.turn(ctx, plan, leftAsIs)
	defer pass()
	if diags.HasError() {
		return image, diags
	}
	place := r.place()
	defer place.release()
	filler := r.filler(image, plan, place)
	var warnings diag.Diagnostics
	if plan.uploads() {
		filler.content = func(ctx context.Context) (*transfer.Content, error) {
			content, diags := r.readyToSend(ctx, plan, leftAsIs)
			if diags.HasError() {
				return nil, &objects.DescribedError{Diagnostics: diags}
			}
			warnings = diags
			return content, nil
		}
	}
	image, diags = filler.run(ctx, plan, leftAsIs)
	switch {
	case filler.offered != nil && filler.offered.SHA512 != "":
		plan.FileSHA512 = types.StringValue(filler.offered.SHA512)
	case plan.FileSHA512.IsUnknown():
		plan.FileSHA512 = types.StringNull()
	}
	return image, append(warnings, diags...)
}

func (r *lifecycle) place() *place { return &place{slots: r.Session.Uploads} }

// filler returns the filler of an image whose data comes from elsewhere.
func (r *lifecycle) filler(image *api.VirtualMachineImage, plan *model, place *place) *filler {
	return &filler{
		session: r.Session, images: r.images, made: image, backend: image.Spec.Backend, stall: plan.stall(), place: place,
		marked: image.Unverified(), backingImages: r.backingImages, tells: tells, lastWord: lastWord,
		target: wait.Target{Resource: api.Images, Namespace: image.Namespace, Name: image.Name, UID: image.UID},
	}
}

// provide lets the filler send the content, if there is any.
func (f *filler) provide(content *transfer.Content) {
	if content != nil {
		f.content = func(context.Context) (*transfer.Content, error) { return content, nil }
	}
}

// run fills and verifies the image and describes a failure. It returns the image last seen,
// nil if it is gone.
func (f *filler) run(ctx context.Context, plan *model, left string) (*api.VirtualMachineImage, diag.Diagnostics) {
	latest, err := f.fill(ctx)
	if err == nil {
		latest, err = f.verify(ctx, latest)
	}
	if latest == nil {
		latest = f.made
	}
	failed, fails := errors.AsType[*failure](err)
	if fails && f.offered != nil && refusesChecksum(failed.Error()) {
		transfer.UserCache().Forget(*f.offered)
	}
	known, described := errors.AsType[*objects.DescribedError](err)
	wrong, differs := errors.AsType[*difference](err)
	switch {
	case err == nil:
		return latest, nil
	case differs && errors.Is(err, errGone):
		return nil, diag.Diagnostics{wrong.diagnostic(plan.title(), "The image was deleted.")}
	case differs:
		return latest, diag.Diagnostics{wrong.diagnostic(plan.title(), fmt.Sprintf("The image could not be deleted: %s %s", diagnose.Said(err), left))}
	case described && errors.Is(err, errGone):
		return nil, known.Diagnostics
	case errors.Is(err, errGone):
		return nil, diag.Diagnostics{diagnose.API("finish", plan.title(), "It is not in the state any more. The next apply makes it anew.", err)}
	case described && fails: // it could not be made anew
		return latest, append(known.Diagnostics, unfinished(plan, latest, left, err))
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
			left, failed.cure(plan),
		}, "\n\n"))
	}
	state := imagestate.Of(image)
	return diagnose.API("finish", plan.title(), fmt.Sprintf("It was last seen as %s. %s", state.Status(), left), err)
}

// cure says what to do about the usual causes of a failed import.
func (f *failure) cure(plan *model) string {
	message := strings.ToLower(f.Error())
	switch {
	case f.stuck:
		return "Have it made anew: terraform apply -replace=<address of this resource>."
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
