// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// disk writes an image of that content and returns its path.
func disk(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(name, bytes.Repeat([]byte(content), 512), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func uploadOf(file string, more map[string]any) map[string]any {
	arguments := map[string]any{"name": "a", "display_name": "a", "source_type": "upload", "file_path": file}
	maps.Copy(arguments, more)
	return arguments
}

// uploadWorld is a world that asks for the data of new images.
func uploadWorld(version string) *world {
	cluster := newWorld(map[string]string{
		classesPath + "longhorn-a":                              plainClass,
		"/apis/harvesterhci.io/v1beta1/settings/server-version": `"apiVersion":"harvesterhci.io/v1beta1","kind":"Setting","value":"` + version + `"`,
	})
	cluster.made = func(at string, object map[string]any) {
		if strings.HasPrefix(at, imagesPath) {
			object["status"] = parsed("x", `"status":{`+statusOf("Unknown")+`}`)["status"]
			status := object["status"].(map[string]any)
			status["progress"] = 0
			delete(status, "size") // of what has not arrived
		}
	}
	return cluster
}

// made is a course after an upload.
func (c *course) made(arguments map[string]any) {
	c.Helper()
	c.begin()
	config := c.configured(arguments)
	planned, _ := c.planFor(config)
	if c.failed != "" {
		c.Fatalf("the plan ends with %q: %s", c.failed, c.details)
	}
	c.applyPlan(config, planned)
}

// CDI looks for a form part of another name than Longhorn, since Harvester tells them apart.
func TestUploadPart(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for name, test := range map[string]struct{ backend, version, want string }{
		"Longhorn":       {"backingimage", "v1.8.1", "chunk"},
		"CDI":            {"cdi", "v1.8.1", "file"},
		"CDI at 1.7.1":   {"cdi", "v1.7.1", "file"},
		"CDI before":     {"cdi", "v1.7.0", "chunk"},
		"CDI, main-head": {"cdi", "master-head", "file"},
	} {
		cluster := uploadWorld(test.version)
		c := courseIn(t, "harvester_image", cluster, nil)
		c.made(uploadOf(disk(t, name), map[string]any{"backend": test.backend, "storage_class_name": "longhorn-a"}))
		if c.failed != "" || !slices.Equal(cluster.parts, []string{test.want}) || c.text("state") != "Active" {
			t.Errorf("%s: uploaded as %q, %s: %s", name, cluster.parts, c.failed, c.details)
		}
	}
}

// Other content is another image; the same content under another path is the same.
func TestChangedFile(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	c := courseIn(t, "harvester_image", uploadWorld("v1.8.1"), nil)
	first := disk(t, "a")
	c.made(uploadOf(first, nil))
	if c.failed != "" || len(c.text("file_sha512")) != 128 {
		t.Fatalf("the upload ends with %q: %s", c.failed, c.details)
	}
	for name, test := range map[string]struct {
		file string
		want []string
	}{
		"the same":       {first, nil},
		"another path":   {disk(t, "a"), nil},
		"other content":  {disk(t, "b"), []string{`AttributeName("file_sha512")`}},
		"no file at all": {first + ".gone", nil},
	} {
		if _, replaced := c.planFor(c.configured(uploadOf(test.file, nil))); c.failed != "" || !slices.Equal(replaced, test.want) {
			t.Errorf("%s: replaced for %q, %q: %s", name, replaced, c.failed, c.details)
		}
	}
	if err := os.WriteFile(first, bytes.Repeat([]byte("c"), 512), 0o600); err != nil { // of the same size
		t.Fatal(err)
	}
	if _, replaced := c.planFor(c.configured(uploadOf(first, nil))); len(replaced) != 1 {
		t.Errorf("edited: replaced for %q: %s", replaced, c.failed)
	}
}

// A file that is not what checksum says is refused before anything is made.
func TestWrongChecksum(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cluster := uploadWorld("v1.8.1")
	c := courseIn(t, "harvester_image", cluster, nil)
	c.begin()
	file := disk(t, "a")
	config := c.configured(uploadOf(file, map[string]any{"checksum": strings.Repeat("0", 128)}))
	planned, _ := c.planFor(config)
	if c.failed == "" {
		c.applyPlan(config, planned)
	}
	if c.failed != "Checksum does not match" || len(cluster.written()) > 0 || len(cluster.parts) > 0 {
		t.Errorf("it ends with %q, after %q: %s", c.failed, cluster.written(), c.details)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha512.Sum512(content)
	if c.made(uploadOf(file, map[string]any{"checksum": hex.EncodeToString(sum[:])})); c.failed != "" {
		t.Errorf("the right one ends with %q: %s", c.failed, c.details)
	}
	if !in(t, cluster.written(), hex.EncodeToString(sum[:])) {
		t.Error("Harvester is not told what to verify")
	}
}

// A server whose certificate nobody vouches for is reached only if the user says so.
func TestUnverifiedServer(t *testing.T) {
	t.Parallel()
	kind := kinds["harvester_ssh_key"]
	cluster := newWorld(map[string]string{kind.path: kind.object + usable("harvester_ssh_key")})
	for insecure, want := range map[bool]string{true: "", false: "Cluster not reachable"} {
		c := courseIn(t, "harvester_ssh_key", cluster, map[string]tftypes.Value{"insecure": tftypes.NewValue(tftypes.Bool, insecure)})
		if c.importID(kind.id); c.failed != want {
			t.Errorf("insecure = %t ends with %q: %s", insecure, c.failed, c.details)
		}
	}
}
