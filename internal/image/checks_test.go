// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

const harvesterAPI = "/v1/harvester/schemas/harvesterhci.io.virtualmachineimage"

// against is the lifecycle of images in a fake cluster.
func against(t *testing.T, objects map[string]any, checks session.PlanChecks) *lifecycle {
	t.Helper()
	r := &lifecycle{Base: tfbase.Base{Session: session.New(fake(t, objects), checks, 1)}, form: plain{}}
	r.images = kube.For[api.VirtualMachineImage](r.Session.Client, api.Images, api.KindImage)
	return r
}

// uploading is a plan to upload a file.
func uploading(path string) model {
	return model{
		Name: types.StringValue("a"), Namespace: types.StringValue("default"), DisplayName: types.StringUnknown(), // so nothing is rehearsed
		SourceType: types.StringValue(api.SourceUpload), Backend: types.StringValue(api.BackendBackingImage), FilePath: types.StringValue(path),
	}
}

func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func packedWith(t *testing.T, content []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func sum(content []byte) string {
	sum := sha512.Sum512(content)
	return hex.EncodeToString(sum[:])
}

// What Create would refuse, the plan refuses as well: in a replacement the good image is destroyed in between.
func TestOneListOfChecks(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	there := map[string]any{harvesterAPI: object{}}
	disk := bytes.Repeat([]byte("disk"), 1024)
	packed := packedWith(t, disk)
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-5] ^= 1 // in its checksum
	for name, test := range map[string]struct {
		objects     map[string]any
		checks      session.PlanChecks
		content     []byte
		checksum    string
		plan, apply string // severity, summary and argument; empty if accepted
	}{
		"right":               {objects: there, content: disk, checksum: sum(disk)},
		"packed":              {objects: there, content: packed, checksum: sum(packed)},
		"sum of what is sent": {objects: there, content: packed, checksum: sum(disk)},
		"no Harvester API":    {content: disk, plan: "Error Harvester API not reachable", apply: "Error Harvester API not reachable"},
		"no Harvester API, warn": {
			content: disk, checks: session.ChecksWarn, plan: "Warning Harvester API not reachable", apply: "Error Harvester API not reachable",
		},
		"no Harvester API, off": {content: disk, checks: session.ChecksOff, apply: "Error Harvester API not reachable"},
		"damaged":               {objects: there, content: damaged, plan: "Error File not usable file_path", apply: "Error File not usable file_path"},
		"another file": {
			objects: there, content: disk, checksum: sum(packed), plan: "Error Checksum does not match checksum", apply: "Error Checksum does not match checksum",
		},
		"empty": {objects: there, content: []byte{}, plan: "Error File not usable file_path", apply: "Error File not usable file_path"},
		// What makes it may be part of the run.
		"not there": {objects: there, plan: "Warning File not found file_path", apply: "Error File not usable file_path"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.checks == "" {
				test.checks = session.ChecksError
			}
			r := against(t, test.objects, test.checks)
			m := uploading(filepath.Join(t.TempDir(), "missing.img"))
			if test.content != nil {
				m.FilePath = types.StringValue(write(t, "disk.img", test.content))
			}
			if test.checksum != "" {
				m.Checksum = types.StringValue(test.checksum)
			}
			diags := r.planCreate(t.Context(), &m)
			if got := heads(diags); got != test.plan {
				t.Errorf("at plan: got %q, want %q", got, test.plan)
			}
			if promised := r.Session.Images.Has("default/a"); promised == diags.HasError() {
				t.Errorf("promised is %v", promised)
			}
			from, diags := r.ready(t.Context(), &m)
			if got := heads(diags); got != test.apply {
				t.Errorf("at apply: got %q, want %q", got, test.apply)
			}
			if test.apply == "" && (from.content == nil || from.content.SHA512 != sum(disk)) {
				t.Errorf("at apply: from %+v", from.content)
			}
		})
	}
}

// A server that has Harvester's API is asked for it once.
func TestTheWayIsRemembered(t *testing.T) {
	t.Parallel()
	objects := map[string]any{harvesterAPI: object{}}
	r := against(t, objects, session.ChecksError)
	if err := r.Session.Client.ProbeHarvesterAPI(t.Context()); err != nil {
		t.Fatal(err)
	}
	delete(objects, harvesterAPI)
	if err := r.Session.Client.ProbeHarvesterAPI(t.Context()); err != nil {
		t.Errorf("asked again: %v", err)
	}
}

func TestFilePathInTheHomeDirectory(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if err := os.WriteFile(filepath.Join(home, "disk.raw"), bytes.Repeat([]byte{1}, 512), 0o600); err != nil {
		t.Fatal(err)
	}
	m := uploading("~/disk.raw")
	content, _, diags := m.content(t.Context(), "")
	if diags.HasError() || content.File.Path != filepath.Join(home, "disk.raw") {
		t.Errorf("got %v, %+v", diags, content)
	}
}

func TestURLOfADownload(t *testing.T) {
	t.Parallel()
	for address, refused := range map[string]bool{
		"http://example.com/disk.raw": false, "HTTPS://example.com/disk.raw": false, "s3://bucket/disk.qcow2": true, "ftp://example.com/disk.qcow2": true,
	} {
		for source, counts := range map[string]bool{api.SourceDownload: true, api.SourceRestore: false} {
			m := model{SourceType: types.StringValue(source), URL: types.StringValue(address)}
			if got := m.checkURL().HasError(); got != (refused && counts) {
				t.Errorf("%s, %s: refused is %v", source, address, got)
			}
		}
	}
	m := model{SourceType: types.StringValue(api.SourceDownload), URL: types.StringValue("ftp://ci:s3cr3t@example.com/x")}
	if text := heads(m.checkURL()) + m.checkURL()[0].Detail(); strings.Contains(text, "s3cr3t") || !strings.Contains(text, `"ftp"`) {
		t.Errorf("got %s", text)
	}
}

// Harvester looks at the display name first, which the image that is replaced has itself. So it is asked again with another one.
func TestRehearsalBehindTheDisplayName(t *testing.T) {
	t.Parallel()
	const images = "/apis/harvesterhci.io/v1beta1/namespaces/default/virtualmachineimages"
	for name, test := range map[string]struct {
		second string // what Harvester says then
		want   string
	}{
		"nothing else":        {"", ""},
		"something else":      {"url is invalid", "Error Rejected by the cluster"},
		"something missing":   {"storage class fast not found", "Warning Harvester would refuse this now"},
		"about display names": {"displayName is not a valid Kubernetes label value", "Error Rejected by the cluster display_name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				refuse := func(code int, reason, message string) {
					w.WriteHeader(code)
					_ = json.NewEncoder(w).Encode(object{
						"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
						"message": `admission webhook "validator.harvesterhci.io" denied the request: ` + message,
					})
				}
				var sent api.VirtualMachineImage
				switch {
				case r.Method == http.MethodGet && r.URL.Path == images:
					_ = json.NewEncoder(w).Encode(object{"kind": "VirtualMachineImageList", "apiVersion": "harvesterhci.io/v1beta1", "items": []any{holding("a", "A", "", false)}})
				case r.Method != http.MethodPost || r.URL.Query().Get("dryRun") != "All" || json.NewDecoder(r.Body).Decode(&sent) != nil:
					refuse(http.StatusNotFound, "NotFound", "not found")
				case sent.Spec.DisplayName == "A":
					refuse(http.StatusConflict, "Conflict", "A resource with the same name exists")
				case test.second != "":
					refuse(http.StatusUnprocessableEntity, "Invalid", test.second)
				default:
					_ = json.NewEncoder(w).Encode(holding("a", sent.Spec.DisplayName, "", false))
				}
			}))
			t.Cleanup(server.Close)
			client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
			if err != nil {
				t.Fatal(err)
			}
			r := lifecycle{Base: tfbase.Base{Session: session.New(client, session.ChecksError, 1)}, form: plain{}}
			r.images = kube.For[api.VirtualMachineImage](client, api.Images, api.KindImage)
			m := model{
				Name: types.StringValue("a"), Namespace: types.StringValue("default"), DisplayName: types.StringValue("A"),
				SourceType: types.StringValue(api.SourceDownload), URL: types.StringValue("http://x"), Backend: types.StringValue(api.BackendBackingImage),
				SecurityParameters: types.MapNull(types.StringType), Labels: types.MapNull(types.StringType), Tags: types.MapNull(types.StringType),
			}
			if got := heads(r.rehearse(t.Context(), &m)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
