// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package userdata_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/harvester-community/terraform-provider-harvester/internal/userdata"
)

func TestAdvise(t *testing.T) {
	t.Parallel()
	const header, yaml, mapping = "tells cloud-init", "valid YAML", "no mapping"
	for name, test := range map[string]struct{ data, want string }{
		"nothing":               {"", ""},
		"cloud-config":          {"#cloud-config\npackages: [vim]\n", ""},
		"cloud-config, alone":   {"#cloud-config\n", ""},
		"cloud-config, indent":  {"  #cloud-config\n  packages: [vim]\n", ""},
		"capitals":              {"#Cloud-Config\npackages: [vim]\n", ""},
		"archive":               {"#cloud-config-archive\n- content: x\n", ""},
		"script":                {"#!/bin/sh\necho hello\n", ""},
		"include":               {"#include\nhttps://example.com/x\n", ""},
		"MIME":                  {"Content-Type: multipart/mixed; boundary=x\n", ""},
		"gzip":                  {"\x1f\x8b\x08\x00\xff", ""},
		"template":              {"## template: jinja\n#cloud-config\na: {{ b }}\n", ""},
		"PowerShell":            {"#ps1_sysnative\nGet-Date\n", ""},
		"Ignition":              {`{"ignition":{"version":"3.0.0"}}`, ""},
		"Talos":                 {"version: v1alpha1\nmachine: {}\n", ""},
		"no header":             {"packages: [vim]\n", header},
		"header in a wrong way": {"# cloud-config\npackages: [vim]\n", header},
		"invalid YAML":          {"#cloud-config\npassword: swordfish: 1\n", yaml + ", near line 2"},
		"tab":                   {"#cloud-config\nusers:\n\t- swordfish\n", yaml},
		"list":                  {"#cloud-config\n- swordfish\n", mapping},
		"unknown anchor":        {"#cloud-config\na: *swordfish\n", yaml},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			for _, d := range userdata.Advise(path.Root("user_data"), []byte(test.data)) {
				got += d.Severity().String() + " " + d.Summary() + ": " + d.Detail()
			}
			if (test.want == "") != (got == "") || got != "" && !strings.HasPrefix(got, "Warning User data may not work: ") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if strings.Contains(got, "swordfish") {
				t.Errorf("the warning repeats the data: %q", got)
			}
		})
	}
}

func TestAdviseNetwork(t *testing.T) {
	t.Parallel()
	if got := userdata.AdviseNetwork(path.Root("network_data"), []byte("version: 2\n")); len(got) > 0 {
		t.Errorf("got %v", got)
	}
	got := userdata.AdviseNetwork(path.Root("network_data"), []byte("- swordfish\n"))
	if len(got) != 1 || got.HasError() || got[0].Summary() != "Network data may not work" || strings.Contains(got[0].Detail(), "swordfish") {
		t.Errorf("got %v", got)
	}
}
