// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// model is harvester_image_download as Terraform has it.
type model struct {
	ID                  types.String `tfsdk:"id"`
	Image               types.String `tfsdk:"image"`
	Filename            types.String `tfsdk:"filename"`
	FilePermission      types.String `tfsdk:"file_permission"`
	DirectoryPermission types.String `tfsdk:"directory_permission"`
	Decompress          types.Bool   `tfsdk:"decompress"`
	StallTimeout        types.String `tfsdk:"stall_timeout"`

	Size     types.Int64  `tfsdk:"size"`
	SHA256   types.String `tfsdk:"sha256"`
	SHA512   types.String `tfsdk:"sha512"`
	Format   types.String `tfsdk:"format"`
	ImageUID types.String `tfsdk:"image_uid"`

	Timeouts *tfbase.Timeouts `tfsdk:"timeouts"`
}

func (m *model) title() string {
	return fmt.Sprintf("image %q to %q", m.Image.ValueString(), m.Filename.ValueString())
}

// key is the image's. The validator has seen to its form.
func (m *model) key() (namespace, name string) {
	namespace, name, _ = tfbase.ParseID(m.Image.ValueString())
	return namespace, name
}

func (m *model) use() plancheck.Use {
	return plancheck.Use{Image: m.Image.ValueString(), Operation: imagestate.Download, At: path.Root("image")}
}

// path is filename on this machine.
func (m *model) path() string { return transfer.Home(m.Filename.ValueString()) }

func (m *model) target() transfer.Target {
	return transfer.Target{Path: m.path(), FileMode: mode(m.FilePermission), DirMode: mode(m.DirectoryPermission)}
}

// mode is what the validator has let pass.
func mode(text types.String) fs.FileMode {
	bits, _ := strconv.ParseUint(text.ValueString(), 8, 32)
	return fs.FileMode(bits)
}

// defaultStall outlasts a restart of the server's proxies and of Longhorn's pods.
const defaultStall = 5 * time.Minute

func (m *model) stall() time.Duration {
	// Validation has refused what does not parse.
	if d, err := time.ParseDuration(m.StallTimeout.ValueString()); err == nil {
		return d
	}
	return defaultStall
}

// expect plans a download.
func (m *model) expect() {
	m.Size = types.Int64Unknown()
	m.SHA256, m.SHA512, m.Format, m.ImageUID = types.StringUnknown(), types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
}

// describe takes over what the file holds.
func (m *model) describe(digest transfer.Digest) {
	m.ID = m.Filename
	m.Size = types.Int64Value(digest.Size)
	m.SHA256, m.SHA512 = types.StringValue(digest.SHA256), types.StringValue(digest.SHA512)
	m.Format = types.StringValue(strings.ToLower(string(digest.Format)))
}

// parseImportID splits namespace/name:filename.
func parseImportID(id string) (image, filename string, err error) {
	image, filename, found := strings.Cut(id, ":")
	if _, _, wrong := tfbase.ParseID(image); wrong != nil || !found || filename == "" {
		return "", "", fmt.Errorf("expected namespace/name:filename, for example %q, but got %q", "default/ubuntu:images/ubuntu.img", id)
	}
	return image, filename, nil
}
