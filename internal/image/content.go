// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// Values of decompress and of file_changes.
const (
	decompressAuto = "auto"
	decompressNone = "none"
	changesReplace = "replace"
	changesIgnore  = "ignore"
)

// keyFile notes in the private state what was found in the file, so that an
// unchanged file is not read again.
const keyFile = "file"

// treatment is what happens to the file on its way.
func (m *model) treatment() transfer.Treatment {
	return transfer.Treatment{
		Decompress: m.Decompress.ValueString() != decompressNone,
		Pad:        m.Backend.ValueString() != api.BackendCDI,
	}
}

// uploads says that the image's data comes from here.
func (m *model) uploads() bool { return m.SourceType.ValueString() == api.SourceUpload }

// file looks for file_path.
func (m *model) file() (transfer.File, error) {
	return transfer.Inspect(transfer.Home(m.FilePath.ValueString()))
}

// inspect looks at file_path without reading all of it.
func (m *model) inspect(ctx context.Context, left string) (transfer.File, diag.Diagnostics) {
	if m.FilePath.IsNull() {
		return transfer.File{}, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(filePath, "Missing file",
			strings.TrimSpace(fmt.Sprintf("The %s is to be uploaded, but file_path does not say from where. %s", m.title(), left)))}
	}
	file, err := m.file()
	if err == nil {
		_, _, err = file.Preflight(ctx, m.treatment())
	}
	if err != nil {
		return file, diag.Diagnostics{m.fileDiagnostic(err, left)}
	}
	return file, nil
}

var filePath = path.Root("file_path")

func (m *model) fileDiagnostic(err error, left string) diag.Diagnostic {
	if !errors.As(err, new(*transfer.FileError)) { // the run was interrupted, or its time is over
		return diagnose.API("upload", m.title(), left, err)
	}
	return diag.NewAttributeErrorDiagnostic(filePath, "File not usable", strings.TrimSpace(fmt.Sprintf(
		"The %s cannot be uploaded: %s. The path is looked up on the machine that runs Terraform, in its working directory. %s", m.title(), err, left)))
}

// awaited: what makes the file may be part of the same run.
func (m *model) awaited(err error) diag.Diagnostic {
	return diag.NewAttributeWarningDiagnostic(filePath, "File not found", fmt.Sprintf(
		"To upload the %s, apply needs a file that is not there yet: %s. That is well if this run makes it; let the image depend on what does "+
			"(depends_on), so that Terraform does it first. Apply checks the file before it makes the image.\n\n"+
			"The path is looked up on the machine that runs Terraform, in its working directory.", m.title(), err))
}

// content is what the file holds and what it is recognized by. It is compared with checksum, if there is one.
func (m *model) content(ctx context.Context, left string) (content *transfer.Content, sign transfer.Sign, diags diag.Diagnostics) {
	file, diags := m.inspect(ctx, left)
	if diags.HasError() {
		return nil, sign, diags
	}
	content, err := m.read(ctx, file)
	if err == nil {
		sign, err = content.Sign(ctx)
	}
	if err != nil {
		return nil, sign, diag.Diagnostics{m.fileDiagnostic(err, left)}
	}
	if stated := m.Checksum.ValueString(); stated != "" && stated != content.SHA512 && stated != content.FileSHA512 {
		return nil, sign, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("checksum"), "Checksum does not match", fmt.Sprintf(
			"The file %q is not what checksum says: its SHA-512 is\n  %s\n\n"+
				"Either the checksum is for another file, or the file is damaged. %s", file.Path, content.FileSHA512, left))}
	}
	return content, sign, behind(*content)
}

// read reads all of the file only if it has to be known before it is sent: its checksum, to be compared or because verify
// says so, or its length.
func (m *model) read(ctx context.Context, file transfer.File) (*transfer.Content, error) {
	cache := transfer.UserCache()
	if content, known := cache.Known(file, m.treatment()); known {
		return &content, nil
	}
	if m.Checksum.ValueString() == "" && m.Verify.ValueString() != verifyStrict {
		if content, err := file.Unread(ctx, m.treatment()); err != nil || content != nil {
			return content, err
		}
	}
	content, err := cache.Scan(ctx, file, m.treatment())
	return &content, err
}

// behind warns of a file that goes on after its packed data.
func behind(content transfer.Content) diag.Diagnostics {
	if !content.Behind {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(filePath, "Data after the packed data", fmt.Sprintf(
		"The file %q goes on after its packed data ends. What stands there was left out, as gunzip and bunzip2 leave it out; all before it was unpacked, "+
			"and its checksums are right. Some vendors put a signature there. If the file should hold more, it is damaged.", content.File.Path))}
}

// planContent decides what a file means for an image that exists: the same
// content is the same image, other content is another image. A file that is not
// there says nothing.
func (r *lifecycle) planContent(ctx context.Context, plan, state *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if !plan.uploads() {
		return
	}
	var content *transfer.Content
	ignored := plan.FileChanges.ValueString() == changesIgnore && state.State.ValueString() == string(imagestate.Active)
	if !ignored || restated(plan, state) {
		content = r.found(ctx, plan, req, resp)
	}
	if content != nil && !ignored {
		r.compareContent(ctx, plan, state, *content, req, resp)
	}
	planChecksum(plan, state, content, resp)
}

// found reads the file, unless it is known; nil if it is not there, or cannot be read.
func (r *lifecycle) found(ctx context.Context, plan *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) *transfer.Content {
	if !tfbase.Known(plan.FilePath, plan.Decompress) || plan.FilePath.IsNull() {
		return nil
	}
	file, err := plan.file()
	if err != nil {
		return nil
	}
	content, known := remembered(ctx, req.Private).Of(file, plan.treatment())
	if !known {
		if content, err = transfer.UserCache().Scan(ctx, file, plan.treatment()); err != nil {
			resp.Diagnostics.Append(r.soften(plan.fileDiagnostic(err, r.planning(plan).left))...)
			return nil
		}
		resp.Diagnostics.Append(remember(ctx, resp.Private, content)...)
	}
	return &content
}

func (r *lifecycle) compareContent(
	ctx context.Context, plan, state *model, content transfer.Content, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) {
	switch stored := state.FileSHA512.ValueString(); {
	case stored == content.SHA512:
		plan.FileSHA512 = state.FileSHA512
	case stored == "":
		resp.Diagnostics.Append(r.adoptContent(ctx, plan, content, req, resp)...)
	case r.applies(ctx, plan, state, req.Private, !req.Plan.Raw.Equal(req.State.Raw)):
		resp.Diagnostics.AddAttributeError(filePath, "File changed since the plan", fmt.Sprintf(
			"The file %q is not what it was when the plan was made: it has other content now than the %s, which would have to be made anew for it. "+
				"The plan did not say so, so nothing was changed.\n\nPlan again (with a refresh), then apply that plan.", content.File.Path, plan.title()))
	default:
		// Unknown, because a value here would be a promise about a file that can
		// change again before the apply.
		plan.FileSHA512 = types.StringUnknown()
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("file_sha512"))
	}
}

// applies tells the planning of an apply, which must come to the same as the plan, from the plan itself: only a plan
// refreshes, an apply plans only what is to change, and what it finds is another file than the last refresh saw. A plan
// without refresh that meets all of that is taken for an apply.
func (r *lifecycle) applies(ctx context.Context, plan, state *model, private privateState, changes bool) bool {
	changes = changes || state.State.ValueString() != string(imagestate.Active)
	if !changes || r.Session == nil || r.Session.ImageFates.WasRead(session.ImageID(state.id())) || !plan.FilePath.Equal(state.FilePath) {
		return false
	}
	seen, _ := private.GetKey(ctx, keySight) // an unreadable note is as good as none
	return seen != nil && !bytes.Equal(seen, plan.sight())
}

// keySight notes in the private state, at each Read, which file there was.
const keySight = "sight"

// sight is the file as it lies there, unread: its size, times and place.
func (m *model) sight() []byte {
	var seen transfer.Seen
	if file, err := m.file(); err == nil {
		seen = file.Unscanned(false).Seen()
	}
	text, err := json.Marshal(seen)
	if err != nil {
		return nil // a path that is no text is not worth remembering
	}
	return text
}

// restated says that the configuration states another checksum than before.
func restated(plan, state *model) bool {
	return !plan.Checksum.IsNull() && !plan.Checksum.Equal(state.Checksum)
}

// planChecksum compares a checksum that was added or changed with the data that the image has. It may be that of the
// file as it is, or of what was sent of it.
func planChecksum(plan, state *model, content *transfer.Content, resp *resource.ModifyPlanResponse) {
	if !restated(plan, state) {
		return
	}
	has := plan.FileSHA512.ValueString()
	if has == "" {
		has = state.FileSHA512.ValueString()
	}
	stated := plan.Checksum.ValueString()
	same := stated != "" && (stated == has || content != nil && content.SHA512 == has && stated == content.FileSHA512)
	if !same {
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("checksum"))
	}
}

// adoptContent takes the file for the image's, which was imported or made by the
// official provider, unless the cluster knows better. An image is never replaced for that. One that others
// have put in the place of ours is only as good as the cluster says.
func (r *lifecycle) adoptContent(
	ctx context.Context, plan *model, content transfer.Content, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse,
) diag.Diagnostics {
	stored, ours := "", true
	if r.Session != nil {
		unread := r.Session.Within(ctx, func(ctx context.Context) diag.Diagnostics {
			if image, err := r.images.Get(ctx, plan.Namespace.ValueString(), plan.Name.ValueString()); err == nil {
				stored, ours = r.storedChecksum(ctx, image), r.identity(ctx, req.Private, plan).Is(image)
			}
			return nil
		})
		resp.Diagnostics.Append(unread...)
	}
	switch {
	case stored == content.SHA512, stored == "" && ours:
		plan.FileSHA512 = types.StringValue(content.SHA512)
		return nil
	case !ours:
		plan.FileSHA512 = types.StringUnknown()
		if stored != "" {
			resp.RequiresReplace = append(resp.RequiresReplace, path.Root("file_sha512"))
		}
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(filePath, "File differs from the image", fmt.Sprintf(
		"The %s was made from other data than the file %q holds now (SHA-512 %.12s… in the cluster, %.12s… here). It is left as it is.\n\n"+
			"To make it anew from the file, use terraform apply -replace=<its address>; else correct file_path.",
		plan.title(), content.File.Path, stored, content.SHA512))}
}

// recognize notes the content of a file whose image the official provider
// uploaded: it kept the path, but no checksum. So the first plan after a switch has nothing to do, and
// later ones notice an edited file. A file that is not there or differs is left to the plan.
func (r *lifecycle) recognize(ctx context.Context, state *model, image *api.VirtualMachineImage, private privateWriter, ours bool) {
	if !state.uploads() || state.FilePath.IsNull() || !state.FileSHA512.IsNull() || !imagestate.Of(image).Ready() ||
		state.FileChanges.ValueString() == changesIgnore {
		return
	}
	file, err := state.file()
	if err != nil {
		return
	}
	content, err := transfer.UserCache().Scan(ctx, file, state.treatment())
	if err != nil {
		return
	}
	if stored := r.storedChecksum(ctx, image); stored == content.SHA512 || stored == "" && ours {
		state.FileSHA512 = types.StringValue(content.SHA512)
		remember(ctx, private, content)
	}
}

// storedChecksum is the SHA-512 of what the cluster stores; empty if it does not tell.
func (r *lifecycle) storedChecksum(ctx context.Context, image *api.VirtualMachineImage) string {
	if !imagestate.Of(image).Ready() || image.Spec.Checksum != "" {
		return image.Spec.Checksum
	}
	stored, err := r.backingImages.Get(ctx, api.NamespaceLonghorn, api.BackingImageName(image))
	if err != nil {
		return "" // reading Longhorn's objects takes rights that not everybody has
	}
	return stored.Status.Checksum
}

func remembered(ctx context.Context, private privateState) (seen transfer.Seen) {
	if text, _ := private.GetKey(ctx, keyFile); text != nil {
		_ = json.Unmarshal(text, &seen) // what cannot be read matches no file
	}
	return seen
}

type privateWriter interface {
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

func remember(ctx context.Context, private privateWriter, content transfer.Content) diag.Diagnostics {
	text, err := json.Marshal(content.Seen())
	if err != nil {
		return nil // a path that is no text is not worth remembering
	}
	return private.SetKey(ctx, keyFile, text)
}

// forget drops what is remembered of a file: what the server refused may be another one than it was.
func forget(ctx context.Context, private privateWriter) diag.Diagnostics {
	return private.SetKey(ctx, keyFile, nil)
}
