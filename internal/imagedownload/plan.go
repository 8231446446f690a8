// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/units"
)

// ModifyPlan decides whether to download, and checks what can be checked before.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan model
	var state *model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if state == nil || plan.Filename.Equal(state.Filename) {
		resp.Diagnostics.Append(r.claim(&plan, req.Config.Raw.String(), state == nil)...)
	}
	switch {
	case state == nil:
		resp.Diagnostics.Append(plan.warnOfOther()...)
	case !plan.Filename.Equal(state.Filename):
		return // what replaces it is planned separately
	case !state.holds(recorded(ctx, req.Private)):
		resp.Diagnostics.Append(plan.warnOfChange()...)
	case !r.outdated(ctx, &plan, state):
		return
	}
	plan.expect()
	resp.Diagnostics.Append(r.Session.Within(ctx, func(ctx context.Context) diag.Diagnostics {
		_, _, found := r.check(ctx, &plan, false)
		return found
	})...)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// outdated says that the file is not what the configuration asks for. An image that is gone, or
// cannot be seen, does not spoil the file.
func (r *Resource) outdated(ctx context.Context, plan, state *model) bool {
	if !plan.Image.Equal(state.Image) || !plan.Decompress.Equal(state.Decompress) {
		return true
	}
	if r.Session == nil {
		return false
	}
	namespace, name := plan.key()
	image, err := r.images.Recent(ctx, namespace, name)
	promised := r.Session.Images.Has(session.ImageID(plan.Image.ValueString()))
	if err != nil {
		return apierrors.IsNotFound(err) && promised
	}
	// What this run makes ready although it is ready is made anew.
	return string(image.UID) != state.ImageUID.ValueString() || promised && imagestate.Of(image).Ready()
}

// check is everything that can refuse a download before its first byte: with the plan by recent look-ups, and by fresh ones
// when the download comes next (applying). It returns the image and what is known of the file behind it.
func (r *Resource) check(ctx context.Context, plan *model, applying bool) (image *api.VirtualMachineImage, stored api.BackingImageStatus, diags diag.Diagnostics) {
	left := ""
	if applying {
		left = plan.left()
	}
	image, diags = r.checkImage(ctx, plan, applying)
	if !diags.HasError() && !plan.Filename.IsUnknown() {
		diags.Append(plan.checkTarget(left)...)
	}
	if diags.HasError() || r.Session == nil {
		return image, stored, diags
	}
	if image != nil && !plan.Filename.IsUnknown() {
		stored = r.storedAs(ctx, image)
		diags.Append(plan.checkSpace(image, stored, left)...)
	}
	if !diags.HasError() && (applying || r.Session.PlanChecks != session.ChecksOff) {
		diags.Append(r.checkWay(ctx, plan, applying)...)
	}
	return image, stored, diags
}

// checkImage returns the image if it can be downloaded now.
func (r *Resource) checkImage(ctx context.Context, plan *model, applying bool) (*api.VirtualMachineImage, diag.Diagnostics) {
	switch {
	case applying:
		return plancheck.Apply(ctx, r.Session, plan.use())
	case plan.Image.IsUnknown():
		return nil, nil
	}
	diags := plancheck.Plan(ctx, r.Session, plan.use())
	if diags.HasError() || r.Session == nil {
		return nil, diags
	}
	namespace, name := plan.key()
	if image, err := r.images.Recent(ctx, namespace, name); err == nil && imagestate.Of(image).Ready() {
		return image, diags
	}
	return nil, diags
}

// checkWay: downloads take Harvester's own API.
func (r *Resource) checkWay(ctx context.Context, plan *model, applying bool) diag.Diagnostics {
	err := r.Session.Client.ProbeHarvesterAPI(ctx)
	switch {
	case err == nil:
		return nil
	case applying:
		return failed(plan, err)
	}
	return r.Session.PlanChecks.Soften(diagnose.API("download", plan.title(), plancheck.Way(r.Session.PlanChecks), err))
}

// claim refuses a file that another download of this run writes, too: the last one would win, and each plan would want the other.
func (r *Resource) claim(plan *model, config string, anew bool) diag.Diagnostics {
	if r.Session == nil || plan.Filename.IsUnknown() {
		return nil
	}
	other := r.Session.Files.Take(location(plan.path()), session.Claim{What: plan.Image.ValueString(), Config: config, New: anew})
	if other == nil {
		return nil
	}
	return r.Session.PlanChecks.Soften(diag.NewAttributeErrorDiagnostic(path.Root("filename"), "File has two downloads", fmt.Sprintf(
		"The file %q is that of another harvester_image_download of this run as well%s. The one would overwrite the other's.\n\nGive each download a filename of its own. %s",
		plan.Filename.ValueString(), of(other.What), plancheck.Way(r.Session.PlanChecks))))
}

func of(image string) string {
	if image == "" {
		return "" // not known yet
	}
	return fmt.Sprintf(" (of the image %q)", image)
}

// location is the same for all names of a file.
func location(file string) string {
	file, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(file)); err == nil {
		return filepath.Join(folder, filepath.Base(file))
	}
	return file // the folder is yet to be made
}

// storedAs is what Longhorn knows of the file behind an image; nothing if it may not be asked.
func (r *Resource) storedAs(ctx context.Context, image *api.VirtualMachineImage) api.BackingImageStatus {
	if image.Spec.Backend == api.BackendCDI {
		return api.BackingImageStatus{}
	}
	stored, err := r.stored.Get(ctx, api.NamespaceLonghorn, api.BackingImageName(image))
	if err != nil {
		return api.BackingImageStatus{}
	}
	return stored.Status
}

// checkTarget asks whether the file could be written. Left says what state things are in.
func (m *model) checkTarget(left string) diag.Diagnostics {
	if err := m.target().Check(); err != nil {
		return m.failure("Target not usable", "%s", strings.TrimSpace(fmt.Sprintf(
			"The image %q cannot be saved here: %s. The path is looked up on the machine that runs Terraform, in its working directory. %s",
			m.Image.ValueString(), err, left)))
	}
	return nil
}

// checkSpace compares the free space with what the file takes.
func (m *model) checkSpace(image *api.VirtualMachineImage, stored api.BackingImageStatus, left string) diag.Diagnostics {
	free := m.target().Free()
	least, most := m.need(image, stored)
	if free == 0 || free >= most {
		return nil
	}
	text := strings.TrimSpace(fmt.Sprintf("The image %s takes %s, but there are only %s free for %q. %s",
		imagestate.Of(image).Title(), units.Bytes(least), units.Bytes(free), m.Filename.ValueString(), left)) +
		"\n\nFree some space, or choose another filename. A file of that name that is there already counts too: it stays until the new one is complete."
	switch {
	case free < least:
		return m.failure("Not enough disk space", "%s", text)
	case left != "":
		return nil // the plan has warned
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("filename"), "Disk space may not suffice", fmt.Sprintf(
		"The image %s holds %s, and there are only %s free for %q. Zeros take no space, so the download may fit all the same.",
		imagestate.Of(image).Title(), units.Bytes(most), units.Bytes(free), m.Filename.ValueString()))}
}

// need is what the file takes at least and at most, in bytes, as far as it is known: a
// packed file and the qcow2 file that CDI makes have sizes that nobody knows before.
func (m *model) need(image *api.VirtualMachineImage, stored api.BackingImageStatus) (least, most int64) {
	status := image.Status
	switch {
	case image.Spec.Backend == api.BackendCDI || !m.Decompress.ValueBool():
		return 0, 0
	case status.VirtualSize != status.Size: // qcow2, which has no holes
		return status.Size, status.Size
	}
	return min(stored.RealSize, status.Size), status.Size
}

// warnOfOther: a file that is there at the first download is somebody else's.
func (m *model) warnOfOther() diag.Diagnostics {
	if m.Filename.IsUnknown() {
		return nil
	}
	if info, err := m.stat(); err != nil || info == nil {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("filename"), "File will be replaced", fmt.Sprintf(
		"There is a file %q already, which this resource did not write. Apply replaces it once the download is complete.", m.Filename.ValueString()))}
}

func (m *model) warnOfChange() diag.Diagnostics {
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("filename"), "File was changed", fmt.Sprintf(
		"The file %q is not what was downloaded any more. Apply downloads it again and replaces it; copy it if its changes are worth keeping.",
		m.Filename.ValueString()))}
}
