// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

func TestLocation(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Skip(err)
	}
	want := location(filepath.Join(folder, "disk.img"))
	for _, same := range []string{filepath.Join(link, "disk.img"), filepath.Join(folder, "x", "..", "disk.img")} {
		if got := location(same); got != want {
			t.Errorf("%s is at %s, want %s", same, got, want)
		}
	}
	if location(filepath.Join(folder, "other.img")) == want || location(filepath.Join(folder, "not", "there", "disk.img")) == want {
		t.Error("other files are at the same place")
	}
}

func TestFilenameInTheHomeDirectory(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	m := model{Filename: types.StringValue("~/disk.img")}
	if got := m.target().Path; got != filepath.Join(home, "disk.img") {
		t.Errorf("got %s", got)
	}
	m.describe(transfer.Digest{})
	if m.ID.ValueString() != "~/disk.img" {
		t.Errorf("the id is %s", m.ID)
	}
}

// What makes downloads impossible is found with the plan, for an image that is not made yet as well.
func TestWayIsCheckedWithThePlan(t *testing.T) {
	t.Parallel()
	for status, refused := range map[int]bool{http.StatusNotFound: true, http.StatusOK: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
		if err != nil {
			t.Fatal(err)
		}
		plan := &model{Image: types.StringUnknown(), Filename: types.StringValue(filepath.Join(t.TempDir(), "disk.img"))}
		for checks, severity := range map[session.PlanChecks]string{session.ChecksError: "Error", session.ChecksWarn: "Warning", session.ChecksOff: ""} {
			r := &Resource{Base: tfbase.Base{Session: session.New(client, checks, 1)}}
			_, _, diags := r.check(t.Context(), plan, false)
			got := ""
			if len(diags) > 0 {
				got = diags[0].Severity().String()
			}
			if want := map[bool]string{true: severity}[refused]; got != want || len(diags) > 0 && !strings.Contains(diags[0].Summary(), "Harvester API") {
				t.Errorf("%d, %s: got %v", status, checks, diags)
			}
		}
	}
}
