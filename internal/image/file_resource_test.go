// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image_test

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// What was computed of a file before, and the server refuses, is computed anew by the next apply.
func TestAccImage_forgetsARefusedChecksum(t *testing.T) { // not parallel: it sets the folder of the cache
	cluster, name := acctest.Shared(t), acctest.Name(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	path, content := acctest.RawImage(t, 1<<20)
	sum := sha512.Sum512(content)
	right := hex.EncodeToString(sum[:])
	wrong := strings.Repeat("ab", sha512.Size)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				PreConfig:   func() { misremember(t, path, right, wrong) },
				Config:      upload(name, path, ""),
				ExpectError: acctest.Said(`Image import failed.*the\s+file\s+is\s+read\s+anew`),
			},
			{Config: upload(name, path, ""), ConfigStateChecks: []statecheck.StateCheck{
				expect("state", knownvalue.StringExact("Active")), expect("file_sha512", knownvalue.StringExact(right)),
			}},
		},
	})
}

// misremember makes the cache say something else of a file.
func misremember(t *testing.T, path, right, wrong string) {
	t.Helper()
	file, err := transfer.Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	cache := transfer.UserCache()
	if _, err := cache.Scan(t.Context(), file, transfer.Treatment{Decompress: true, Pad: true}); err != nil {
		t.Fatal(err)
	}
	entries, err := filepath.Glob(filepath.Join(cache.Dir, "*.json"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("the cache has %q (%v)", entries, err)
	}
	text, err := os.ReadFile(entries[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(entries[0], bytes.ReplaceAll(text, []byte(right), []byte(wrong)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Files that are no images are refused by the plan.
func TestAccImage_filesThatAreNoImages(t *testing.T) {
	t.Parallel()
	cluster, folder := acctest.Shared(t), t.TempDir()
	for name, test := range map[string]struct{ content, wants string }{
		"empty.img.gz":  {"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00", `is\s+empty\s+once\s+it\s+is\s+unpacked`},
		"page.img":      {"<!DOCTYPE html><title>404</title>", `is\s+an\s+HTML\s+page`},
		"pointer.img":   {"version https://git-lfs.github.com/spec/v1\n", `git\s+lfs\s+pull`},
		"raw.qcow2":     {"some disk", `has\s+the\s+name\s+of\s+a\s+qcow2\s+image`},
		"archive.img":   {"PK\x03\x04 and more", `packed\s+with\s+zip`},
		"cut.qcow2.img": {"QFI\xfb\x00\x00\x00\x03", `ends\s+within\s+its\s+header`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, image := filepath.Join(folder, name), acctest.Name(t)
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             gone(cluster, image),
				Steps: []resource.TestStep{{
					Config: upload(image, path, ""), PlanOnly: true, ExpectError: acctest.Said(`File not usable.*` + test.wants),
				}},
			})
		})
	}
}
