// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// What a failure leaves behind, said in its diagnostic.
const (
	leftNothing = "Nothing was created."
	leftTainted = "The image object exists, marked as tainted: the next apply deletes it and starts over."
	leftAsIs    = "The image object stays as it is, and the next apply tries again to finish it."
)

// ready checks everything that can be checked before the first write, and
// returns the file to send, nil if there is none.
func (r *Resource) ready(ctx context.Context, plan *model) (*transfer.File, diag.Diagnostics) {
	if use, needed := plan.sourceUse(); needed {
		_, diags := plancheck.Apply(ctx, r.session, use)
		return nil, diags
	}
	return r.readyToSend(ctx, plan, leftNothing)
}

// readyToSend inspects the file and the way to the upload API.
func (r *Resource) readyToSend(ctx context.Context, plan *model, left string) (*transfer.File, diag.Diagnostics) {
	if plan.SourceType.ValueString() != api.SourceUpload {
		return nil, nil
	}
	file, diags := plan.file(left)
	if diags.HasError() {
		return nil, diags
	}
	if err := r.session.Client.ProbeHarvesterAPI(ctx); err != nil {
		return nil, diag.Diagnostics{diagnose.API("upload", plan.title(), left, err)}
	}
	return file, nil
}

// file inspects file_path.
func (m *model) file(left string) (*transfer.File, diag.Diagnostics) {
	at := path.Root("file_path")
	if m.FilePath.IsNull() {
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Missing file",
			strings.TrimSpace(fmt.Sprintf("The %s is to be uploaded, but file_path does not say from where. %s", m.title(), left)))}
	}
	file, err := transfer.Inspect(m.FilePath.ValueString())
	if err == nil {
		_, _, err = file.Preflight()
	}
	if err != nil {
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "File not usable",
			fmt.Sprintf("The %s cannot be uploaded: %s. The path is looked up on the machine that runs Terraform, in its working directory. %s", m.title(), err, left))}
	}
	return &file, nil
}

// create makes the object.
func (r *Resource) create(ctx context.Context, plan *model) (*api.VirtualMachineImage, diag.Diagnostics) {
	wanted, diags := plan.toAPI(ctx)
	if diags.HasError() {
		return nil, diags
	}
	image, err := r.images.Create(ctx, wanted.Namespace, wanted)
	switch {
	case err == nil:
		return image, nil
	case apierrors.IsAlreadyExists(err):
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("name"), "Image already exists", fmt.Sprintf(
			"There is an image %q in the cluster already, made outside of this Terraform state. Nothing was created or changed.\n\n"+
				"To manage that image here, import it:\n  terraform import harvester_image.<name> %s\nOtherwise choose another name.", plan.id(), plan.id()))}
	case apierrors.IsConflict(err):
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("display_name"), "Display name is taken", fmt.Sprintf(
			"Another image in the namespace %q has the display name %q; Harvester wants them unique. %s\n\n"+
				"Choose another display_name, or use or import that image.", plan.Namespace.ValueString(), plan.DisplayName.ValueString(), leftNothing))}
	}
	return nil, diag.Diagnostics{diagnose.API("create", plan.title(), leftNothing, err)}
}

// change applies what can change in place and returns the image as it is now.
func (r *Resource) change(ctx context.Context, plan, state *model) (*api.VirtualMachineImage, diag.Diagnostics) {
	patch, diags := plan.patch(ctx, state)
	if diags.HasError() {
		return nil, diags
	}
	var image *api.VirtualMachineImage
	var err error
	if len(patch) > 0 {
		image, err = r.images.Patch(ctx, plan.Namespace.ValueString(), plan.Name.ValueString(), patch)
	} else {
		image, err = r.images.Get(ctx, plan.Namespace.ValueString(), plan.Name.ValueString())
	}
	if err != nil {
		return nil, diag.Diagnostics{diagnose.API("change", plan.title(), "Nothing was changed.", err)}
	}
	return image, nil
}

// finish brings an image that was found incomplete to Active.
func (r *Resource) finish(ctx context.Context, image *api.VirtualMachineImage, plan *model) (*api.VirtualMachineImage, diag.Diagnostics) {
	file, diags := r.readyToSend(ctx, plan, leftAsIs)
	if diags.HasError() {
		return image, diags
	}
	return r.fill(ctx, image, file, plan, leftAsIs)
}

// unfinished describes why the image did not become ready.
func unfinished(plan *model, image *api.VirtualMachineImage, left string, err error) diag.Diagnostic {
	var failed *failure
	if errors.As(err, &failed) {
		return diag.NewErrorDiagnostic("Image import failed", strings.Join([]string{
			fmt.Sprintf("Harvester could not import the %s: %s", plan.title(), strings.TrimSuffix(failed.image.Message, ".")) + ".",
			left, cure(failed.image, plan),
		}, "\n\n"))
	}
	state := imagestate.Of(image)
	return diagnose.API("finish", plan.title(), fmt.Sprintf("It was last seen as %s. %s", state.Status(), left), err)
}

// cure says what to do about the usual causes of a failed import.
func cure(image imagestate.Image, plan *model) string {
	message := strings.ToLower(image.Message)
	switch {
	case strings.Contains(message, "checksum"):
		return "The data is not what checksum says. Compare it with the sha512sum of the data: either the checksum is for another file, or the data is damaged."
	case plan.SourceType.ValueString() == api.SourceDownload:
		return "Check that the cluster itself (not only this machine) can fetch the url, including its proxy settings and trusted certificates."
	case strings.Contains(message, "no space"), strings.Contains(message, "insufficient"):
		return "Free space on the cluster's disks, or choose a storage class with other disks."
	}
	return "Remove the cause, then apply again."
}
