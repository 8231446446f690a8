// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package userdata judges the data that a guest's cloud-init reads at boot, wherever a configuration has them.
package userdata

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"sigs.k8s.io/yaml"
)

// beginnings are what user data can begin with: cloud-init's headers (its handlers
// ignore case and leading space), and what other programs that read the same data expect.
var beginnings = []string{
	cloudConfig, "#!", "#include", "#cloud-boothook", "#part-handler", "#upstart-job", jinja, "content-type:", "mime-version:",
	"#ps1", "rem cmd", "<powershell>", "<script>", // cloudbase-init
	"{",                                         // Ignition
	"version: v1alpha1", "apiversion: v1alpha1", // Talos
}

const (
	cloudConfig = "#cloud-config"
	jinja       = "## template: jinja"
)

var gzipMagic = []byte{0x1f, 0x8b}

// Advise finds in user data what cloud-init would probably not take. Advice is a warning: other
// programs read these data too, and cloud-init's YAML parser differs from the one here.
// It never repeats the data.
func Advise(at path.Path, data []byte) diag.Diagnostics {
	return warning(at, "User data may not work", adviseUserData(data))
}

// AdviseNetwork is Advise for network data.
func AdviseNetwork(at path.Path, data []byte) diag.Diagnostics {
	return warning(at, "Network data may not work", adviseYAML(data))
}

func warning(at path.Path, summary, finding string) diag.Diagnostics {
	if finding == "" {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(at, summary, finding)}
}

func adviseUserData(data []byte) string {
	if len(data) == 0 || bytes.HasPrefix(data, gzipMagic) {
		return ""
	}
	text := strings.ToLower(strings.TrimSpace(string(data)))
	if !slices.ContainsFunc(beginnings, func(beginning string) bool { return strings.HasPrefix(text, beginning) }) {
		return "They do not begin with a line that tells cloud-init what they are, so it ignores them. YAML needs the first line \"#cloud-config\", " +
			"a script \"#!/bin/sh\" or the like. If the guest has another program that reads them, all is well."
	}
	if first, _, _ := strings.Cut(text, "\n"); strings.TrimSpace(first) != cloudConfig {
		return ""
	}
	return adviseYAML(data)
}

var lineNumber = regexp.MustCompile(`line (\d+)`)

// adviseYAML wants a mapping. Of a parser's message it repeats only the line's number.
func adviseYAML(data []byte) string {
	if len(data) == 0 || bytes.HasPrefix(data, gzipMagic) {
		return ""
	}
	var content any
	err := yaml.Unmarshal(data, &content)
	if err != nil {
		where := ""
		if match := lineNumber.FindStringSubmatch(err.Error()); match != nil {
			where = fmt.Sprintf(", near line %s", match[1])
		}
		return "They do not look like valid YAML" + where + ". cloud-init ignores all of it then, and says so only in its log in the guest."
	}
	if _, isMapping := content.(map[string]any); content != nil && !isMapping {
		return "They are YAML, but no mapping of keys to values as cloud-init wants it."
	}
	return ""
}
