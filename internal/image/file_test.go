// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

func TestDataBehindThePackedDataIsAWarning(t *testing.T) {
	t.Parallel()
	content := transfer.Content{File: transfer.File{Path: "openwrt.img.gz"}}
	if diags := behind(content); len(diags) > 0 {
		t.Errorf("without reason: %v", diags)
	}
	content.Behind = true
	diags := behind(content)
	if len(diags) != 1 || diags[0].Severity() != diag.SeverityWarning || !strings.Contains(diags[0].Detail(), `"openwrt.img.gz" goes on after its packed data`) {
		t.Errorf("got %v", diags)
	}
}

// A file is not to blame for a run that was interrupted.
func TestFileDiagnostic(t *testing.T) {
	t.Parallel()
	m := model{Namespace: types.StringValue("default"), Name: types.StringValue("a")}
	if got := m.fileDiagnostic(context.Canceled, leftNothing); got.Summary() == "File not usable" || strings.Contains(got.Detail(), "looked up") {
		t.Errorf("interrupted: %s: %s", got.Summary(), got.Detail())
	}
	got := m.fileDiagnostic(&transfer.FileError{Path: "x", Reason: "is empty once it is unpacked"}, leftNothing)
	if got.Summary() != "File not usable" || !strings.Contains(got.Detail(), `the file "x" is empty once it is unpacked.`) || !strings.Contains(got.Detail(), leftNothing) {
		t.Errorf("empty: %s: %s", got.Summary(), got.Detail())
	}
}

// Who computed the checksum is who can set it right.
func TestCureOfARefusedChecksum(t *testing.T) {
	t.Parallel()
	const message = "the expected Checksum doesn't match the file actual checksum"
	for name, test := range map[string]struct {
		plan  model
		wants string
	}{
		"ours":          {model{SourceType: types.StringValue(api.SourceUpload)}, "the file is read anew"},
		"the user's":    {model{SourceType: types.StringValue(api.SourceUpload), Checksum: types.StringValue("ab")}, "not what checksum says"},
		"of a download": {model{SourceType: types.StringValue(api.SourceDownload), Checksum: types.StringValue("ab")}, "not what checksum says"},
	} {
		if got := (&failure{image: imagestate.Image{Message: message}}).cure(&test.plan); !strings.Contains(got, test.wants) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

type notes map[string][]byte

func (n notes) SetKey(_ context.Context, key string, value []byte) diag.Diagnostics {
	n[key] = value
	return nil
}

func (n notes) GetKey(_ context.Context, key string) ([]byte, diag.Diagnostics) { return n[key], nil }

func TestRememberAndForget(t *testing.T) {
	t.Parallel()
	private := notes{}
	content := scanned(t, "content")
	remember(t.Context(), private, content)
	if got, same := remembered(t.Context(), private).Of(content.File, content.Treatment); !same || got.SHA512 != content.SHA512 {
		t.Errorf("got %+v", got)
	}
	forget(t.Context(), private)
	if _, same := remembered(t.Context(), private).Of(content.File, content.Treatment); same {
		t.Error("it is still remembered")
	}
}

// scanned is the content of a file.
func scanned(t *testing.T, text string) transfer.Content {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := transfer.Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	content, err := file.Scan(t.Context(), transfer.Treatment{})
	if err != nil {
		t.Fatal(err)
	}
	return content
}
