// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

func TestCommand(t *testing.T) {
	t.Parallel()
	for line, test := range map[string]struct {
		code         int
		serves       bool
		out, trouble string // what is in there
	}{
		"":             {serves: true},
		"-debug":       {serves: true},
		"--debug":      {serves: true},
		"--version":    {out: "terraform-provider-harvester dev"},
		"version":      {out: "terraform-provider-harvester dev"},
		"--help":       {out: "watch --help"},
		"-h":           {out: "--version"},
		"watch --help": {out: "HARVESTER_TOKEN"},
		"watch --moon": {code: 2, trouble: "-moon"},
		"wach":         {code: 2, trouble: `unknown command: "wach"`},
	} {
		var out, trouble bytes.Buffer
		code, done := command(strings.Fields(line), &out, &trouble)
		if code != test.code || done == test.serves {
			t.Errorf("%q ends with %d, %t", line, code, done)
		}
		for _, pair := range [][2]string{{out.String(), test.out}, {trouble.String(), test.trouble}} {
			if !strings.Contains(pair[0], pair[1]) || (pair[0] == "") != (pair[1] == "") {
				t.Errorf("%q says %q, want %q", line, pair[0], pair[1])
			}
		}
	}
}

func TestBuilt(t *testing.T) {
	t.Parallel()
	noted := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123"}}}
	for _, test := range []struct {
		commit string
		info   *debug.BuildInfo
		want   string
	}{
		{"e04decf-dirty", noted, " (commit e04decf-dirty)"},
		{"", noted, " (commit 0123)"},
		{"", &debug.BuildInfo{}, ""},
		{"", nil, ""},
	} {
		if got := built(test.commit, test.info); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
