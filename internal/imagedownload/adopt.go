// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// adopt takes a file that was imported for a download of the image, if it is one.
func (r *Resource) adopt(ctx context.Context, state *model, private privateState) diag.Diagnostics {
	if diags := r.Connected(); diags.HasError() {
		return diags
	}
	image, diags := plancheck.Apply(ctx, r.Session, state.use())
	if diags.HasError() {
		return diags
	}
	info, err := state.stat()
	if err != nil || info == nil {
		return state.failure("Nothing to import", "There is no file %q. To download the image, leave the import out and apply.", state.Filename.ValueString())
	}
	digest, err := transfer.Examine(ctx, state.path())
	if err != nil {
		return state.unreadable(err)
	}
	if wrong := state.compare(ctx, image, checksum(image, r.storedAs(ctx, image)), digest); wrong != "" {
		return state.failure("File is not the image", "The file %q cannot be imported as a download of the image %q: %s.\n\n"+
			"To download the image, leave the import out and apply.", state.Filename.ValueString(), state.Image.ValueString(), wrong)
	}
	state.describe(digest)
	state.Decompress = types.BoolValue(digest.Format != transfer.Gzip)
	state.DirectoryPermission = types.StringValue("0755")
	state.seePermission(info)
	state.ImageUID = types.StringValue(string(image.UID))
	return record(ctx, private, digest)
}

// compare says why a file is not the image. CDI makes a new file for each download, so of
// those only the format can be compared.
func (m *model) compare(ctx context.Context, image *api.VirtualMachineImage, sum string, digest transfer.Digest) (wrong string) {
	if image.Spec.Backend == api.BackendCDI {
		if digest.Format != transfer.QCOW2 {
			wrong = "it is no qcow2 file, as downloads of this image are"
		}
		return wrong
	}
	size, content := digest.Size, digest.SHA512
	if digest.Format == transfer.Gzip {
		file, err := transfer.Inspect(m.path())
		if err != nil {
			return err.Error()
		}
		unpacked, err := file.Scan(ctx, transfer.Treatment{Decompress: true})
		if err != nil {
			return err.Error()
		}
		size, content = unpacked.Size, unpacked.SHA512
	}
	switch {
	case image.Status.Size > 0 && size != image.Status.Size:
		return fmt.Sprintf("it holds %d bytes, but the image %d", size, image.Status.Size)
	case sum != "" && !strings.EqualFold(content, sum):
		return "its SHA-512 is another one"
	}
	return ""
}
