// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"path/filepath"
	"testing"
)

func TestHome(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home) // Windows
	for path, want := range map[string]string{
		"~": home, "~/images/disk.raw": filepath.Join(home, "images", "disk.raw"),
		"~other/disk.raw": "~other/disk.raw", "images/~/disk.raw": "images/~/disk.raw", "/disk.raw": "/disk.raw", "": "",
	} {
		if got := Home(path); got != want {
			t.Errorf("Home(%q) = %q, want %q", path, got, want)
		}
	}
}
