// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
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
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// Values of decompress.
const (
	decompressAuto = "auto"
	decompressNone = "none"
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

// inspect looks at file_path without reading all of it.
func (m *model) inspect(ctx context.Context, left string) (transfer.File, diag.Diagnostics) {
	at := path.Root("file_path")
	if m.FilePath.IsNull() {
		return transfer.File{}, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Missing file",
			strings.TrimSpace(fmt.Sprintf("The %s is to be uploaded, but file_path does not say from where. %s", m.title(), left)))}
	}
	file, err := transfer.Inspect(m.FilePath.ValueString())
	if err == nil {
		_, _, err = file.Preflight(ctx, m.treatment())
	}
	if err != nil {
		return file, diag.Diagnostics{m.fileDiagnostic(err, left)}
	}
	return file, nil
}

func (m *model) fileDiagnostic(err error, left string) diag.Diagnostic {
	if !errors.As(err, new(*transfer.FileError)) { // the run was interrupted, or its time is over
		return diagnose.API("upload", m.title(), left, err)
	}
	return diag.NewAttributeErrorDiagnostic(path.Root("file_path"), "File not usable", strings.TrimSpace(fmt.Sprintf(
		"The %s cannot be uploaded: %s. The path is looked up on the machine that runs Terraform, in its working directory. %s", m.title(), err, left)))
}

// content reads the file, unless it is known, and compares it with checksum.
func (m *model) content(ctx context.Context, left string) (*transfer.Content, diag.Diagnostics) {
	file, diags := m.inspect(ctx, left)
	if diags.HasError() {
		return nil, diags
	}
	content, err := transfer.UserCache().Scan(ctx, file, m.treatment())
	if err != nil {
		return nil, diag.Diagnostics{m.fileDiagnostic(err, left)}
	}
	if stated := m.Checksum.ValueString(); stated != "" && stated != content.SHA512 && stated != content.FileSHA512 {
		return nil, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("checksum"), "Checksum does not match", fmt.Sprintf(
			"The file %q is not what checksum says: its SHA-512 is\n  %s\n%s\n\n"+
				"Either the checksum is for another file, or the file is damaged.", file.Path, content.FileSHA512, left))}
	}
	return &content, behind(content)
}

// behind warns of a file that goes on after its packed data.
func behind(content transfer.Content) diag.Diagnostics {
	if !content.Behind {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("file_path"), "Data after the packed data", fmt.Sprintf(
		"The file %q goes on after its packed data ends. What stands there was left out, as gunzip and bunzip2 leave it out; all before it was unpacked, "+
			"and its checksums are right. Some vendors put a signature there. If the file should hold more, it is damaged.", content.File.Path))}
}

// planContent decides what a file means for an image that exists: the same
// content is the same image, other content is another image. A file that is not
// there says nothing.
func (r *lifecycle) planContent(ctx context.Context, plan, state *model, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if !plan.uploads() || plan.FilePath.IsNull() || plan.FilePath.IsUnknown() || plan.Decompress.IsUnknown() {
		return
	}
	file, err := transfer.Inspect(plan.FilePath.ValueString())
	if err != nil {
		return
	}
	content, known := remembered(ctx, req.Private).Of(file, plan.treatment())
	if !known {
		if content, err = transfer.UserCache().Scan(ctx, file, plan.treatment()); err != nil {
			resp.Diagnostics.Append(plan.fileDiagnostic(err, ""))
			return
		}
		resp.Diagnostics.Append(remember(ctx, resp.Private, content)...)
	}
	switch state.FileSHA512.ValueString() {
	case content.SHA512:
		plan.FileSHA512 = state.FileSHA512
	case "":
		resp.Diagnostics.Append(r.adoptContent(ctx, plan, content, req, resp)...)
	default:
		// Unknown, because a value here would be a promise about a file that can
		// change again before the apply.
		plan.FileSHA512 = types.StringUnknown()
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("file_sha512"))
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
		if image, err := r.images.Get(ctx, plan.Namespace.ValueString(), plan.Name.ValueString()); err == nil {
			stored, ours = r.storedChecksum(ctx, image), r.identity(ctx, req.Private, plan).Is(image)
		}
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
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("file_path"), "File differs from the image", fmt.Sprintf(
		"The %s was made from other data than the file %q holds now (SHA-512 %.12s… in the cluster, %.12s… here). It is left as it is.\n\n"+
			"To make it anew from the file, use terraform apply -replace=<its address>; else correct file_path.",
		plan.title(), content.File.Path, stored, content.SHA512))}
}

// recognize notes the content of a file whose image the official provider
// uploaded: it kept the path, but no checksum. So the first plan after a switch has nothing to do, and
// later ones notice an edited file. A file that is not there or differs is left to the plan.
func (r *lifecycle) recognize(ctx context.Context, state *model, image *api.VirtualMachineImage, private privateWriter, ours bool) {
	if !state.uploads() || state.FilePath.IsNull() || !state.FileSHA512.IsNull() || !imagestate.Of(image).Ready() {
		return
	}
	file, err := transfer.Inspect(state.FilePath.ValueString())
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
