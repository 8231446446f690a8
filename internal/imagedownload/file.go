// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// keyWritten notes in the private state what was written. The state tells what the
// file holds now, which can be something else.
const keyWritten = "written"

type privateReader interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

type privateState interface {
	privateReader
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

func recorded(ctx context.Context, private privateReader) (written transfer.Digest) {
	if text, _ := private.GetKey(ctx, keyWritten); text != nil {
		_ = json.Unmarshal(text, &written) // what cannot be read matches no file
	}
	return written
}

func record(ctx context.Context, private privateState, written transfer.Digest) diag.Diagnostics {
	text, err := json.Marshal(written)
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Unexpected value", "Please report this to the provider's developers: "+err.Error()+".")}
	}
	return private.SetKey(ctx, keyWritten, text)
}

// stat looks at the file; nil if there is none. What is no regular file is as good as none: the
// next download says so.
func (m *model) stat() (fs.FileInfo, error) {
	info, err := os.Stat(m.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, nil
	}
	return info, nil
}

// look takes over what the file holds now. It is read only if its size or time changed.
func (m *model) look(ctx context.Context, private privateState) (found bool, diags diag.Diagnostics) {
	info, err := m.stat()
	if err != nil {
		return false, m.unreadable(err)
	}
	if info == nil {
		return false, nil
	}
	written := recorded(ctx, private)
	now := written
	if !written.Unchanged(info) {
		if now, err = transfer.Examine(ctx, m.path()); err != nil {
			return false, m.unreadable(err)
		}
	}
	if now.SHA512 == written.SHA512 && written.Is(info) {
		diags = record(ctx, private, now) // with the new time
	}
	m.describe(now)
	m.seePermission(info)
	return true, diags
}

// unreadable says why nobody knows what the file holds.
func (m *model) unreadable(err error) diag.Diagnostics {
	why := err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		why = "the time limit of timeouts.read ran out"
	case errors.Is(err, context.Canceled):
		why = "the run was interrupted"
	}
	return m.failure("File not readable", "Whether the file %q is still what was downloaded is not known: %s. The state was left as it was.",
		m.Filename.ValueString(), why)
}

// seePermission takes over permissions that others set.
func (m *model) seePermission(info fs.FileInfo) {
	if info.Mode().Perm() != mode(m.FilePermission) {
		m.FilePermission = types.StringValue(fmt.Sprintf("%04o", info.Mode().Perm()))
	}
}

func (m *model) setPermission() diag.Diagnostics {
	if err := os.Chmod(m.path(), mode(m.FilePermission)); err != nil {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("file_permission"), "Cannot set permissions", fmt.Sprintf(
			"The file was left as it is: %s.", err))}
	}
	return nil
}

// remove deletes the file unless somebody changed it.
func (m *model) remove(ctx context.Context, written transfer.Digest) diag.Diagnostics {
	m.target().Sweep()
	info, err := m.stat()
	if err == nil && info == nil {
		return nil
	}
	if err == nil && !written.Is(info) {
		return m.leftInPlace("Another download, or another program, has put a file of its own in its place.")
	}
	if err == nil && !written.Unchanged(info) {
		var now transfer.Digest
		if now, err = transfer.Examine(ctx, m.path()); err == nil && now.SHA512 != written.SHA512 {
			return m.leftInPlace("Somebody has changed it.")
		}
	}
	if err == nil {
		err = os.Remove(m.path())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m.failure("File not removed", "The file cannot be removed: %s.", err)
	}
	return nil
}

func (m *model) leftInPlace(why string) diag.Diagnostics {
	return diag.Diagnostics{diag.NewWarningDiagnostic("File left in place", fmt.Sprintf(
		"The file %q is not the one that was downloaded any more, so it was left as it is. %s Terraform does not manage it from now on; "+
			"remove it by hand if nobody needs it.", m.Filename.ValueString(), why))}
}

// holds says that the file is still what was written, as far as the state tells.
func (m *model) holds(written transfer.Digest) bool { return m.SHA512.ValueString() == written.SHA512 }
