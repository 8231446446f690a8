// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package plancheck_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// cluster serves one image, "default/ubuntu", of the given state; a status other
// than 200 answers instead.
func cluster(t *testing.T, imported string, status int) *kube.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case status != http.StatusOK:
			w.WriteHeader(status)
		case !strings.HasSuffix(r.URL.Path, "/namespaces/default/virtualmachineimages/ubuntu"):
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`))
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{
				"apiVersion": "harvesterhci.io/v1beta1", "kind": "VirtualMachineImage",
				"metadata": map[string]any{"namespace": "default", "name": "ubuntu"},
				"spec":     map[string]any{"displayName": "ubuntu", "sourceType": "upload"},
				"status": map[string]any{
					"progress": 40, "virtualSize": 2 << 30,
					"conditions": []any{
						map[string]any{"type": "Initialized", "status": "True"}, map[string]any{"type": "Imported", "status": imported},
					},
				},
			})
		}
	}))
	t.Cleanup(server.Close)
	client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func use(image string, size int64) plancheck.Use {
	return plancheck.Use{
		Image: image, Operation: imagestate.CreateVM, At: path.Root("image"), Size: size, SizeText: "1Gi", SizeAt: path.Root("size"),
	}
}

func TestGate(t *testing.T) {
	t.Parallel()
	const ready, uploading = "True", "Unknown"
	for name, test := range map[string]struct {
		imported string
		status   int
		checks   session.PlanChecks
		promised bool
		use      plancheck.Use
		plan     string // severity and summary, empty if accepted
		apply    string // summary, empty if accepted
		at       string
	}{
		"ready":                  {imported: ready, use: use("default/ubuntu", 2<<30)},
		"uploading":              {imported: uploading, use: use("default/ubuntu", 0), plan: "Error Image is not ready", apply: "Image is not ready", at: "image"},
		"uploading, warn":        {imported: uploading, checks: session.ChecksWarn, use: use("default/ubuntu", 0), plan: "Warning Image is not ready", apply: "Image is not ready", at: "image"},
		"uploading, off":         {imported: uploading, checks: session.ChecksOff, use: use("default/ubuntu", 0), apply: "Image is not ready", at: "image"},
		"uploading, promised":    {imported: uploading, promised: true, use: use("default/ubuntu", 0), apply: "Image is not ready", at: "image"},
		"missing":                {imported: ready, use: use("default/debian", 0), plan: "Error Image not found", apply: "Image not found", at: "image"},
		"too small":              {imported: ready, use: use("default/ubuntu", 1<<30), plan: "Error Disk smaller than its image", apply: "Disk smaller than its image", at: "size"},
		"no reference":           {imported: ready, use: use("ubuntu", 0), plan: "Error Invalid image reference", apply: "Invalid image reference", at: "image"},
		"cluster cannot be read": {status: http.StatusForbidden, use: use("default/ubuntu", 0), plan: "Warning Checks were left out", apply: "Not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.checks == "" {
				test.checks = session.ChecksError
			}
			if test.status == 0 {
				test.status = http.StatusOK
			}
			s := session.New(cluster(t, test.imported, test.status), test.checks, 1)
			if test.promised {
				s.Images.Add(session.ImageID(test.use.Image))
			}
			planned := plancheck.Plan(t.Context(), s, test.use)
			if got := heads(planned, true); got != test.plan {
				t.Errorf("at plan: got %q, want %q", got, test.plan)
			}
			image, applied := plancheck.Apply(t.Context(), s, test.use)
			if got := heads(applied, false); got != test.apply || (image == nil) != (test.apply != "") {
				t.Errorf("at apply: got %q and image %v, want %q", got, image, test.apply)
			}
			for _, d := range append(planned, applied...) {
				if at, ok := d.(diag.DiagnosticWithPath); ok && at.Path().String() != test.at {
					t.Errorf("shown at %s, want %s", at.Path(), test.at)
				}
			}
		})
	}
}

func heads(diags diag.Diagnostics, severity bool) string {
	texts := make([]string, 0, len(diags))
	for _, d := range diags {
		text := d.Summary()
		if severity {
			text = d.Severity().String() + " " + text
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

func TestPlanWithoutAClusterChecksNothing(t *testing.T) {
	t.Parallel()
	if diags := plancheck.Plan(t.Context(), nil, use("default/ubuntu", 0)); len(diags) > 0 {
		t.Errorf("got %v", diags)
	}
}

// A refusal at plan blocks terraform destroy too, so it must say the way out.
func TestRefusalNamesTheSwitch(t *testing.T) {
	t.Parallel()
	s := session.New(cluster(t, "Unknown", http.StatusOK), session.ChecksError, 1)
	diags := plancheck.Plan(t.Context(), s, use("default/ubuntu", 0))
	for _, want := range []string{"Cannot create the virtual machine. ", "Uploading, 40 %", "-refresh=false", "HARVESTER_PLAN_CHECKS"} {
		if !strings.Contains(diags[0].Detail(), want) {
			t.Errorf("%q is missing in:\n%s", want, diags[0].Detail())
		}
	}
}
