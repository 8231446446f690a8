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
	info := func(settings ...debug.BuildSetting) *debug.BuildInfo { return &debug.BuildInfo{Settings: settings} }
	revision, modified := debug.BuildSetting{Key: "vcs.revision", Value: "e04decf"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for want, info := range map[string]*debug.BuildInfo{
		"":                                info(),
		" (commit e04decf)":               info(revision),
		" (commit e04decf, with changes)": info(revision, modified),
	} {
		if got := built(info, true); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := built(nil, false); got != "" {
		t.Errorf("without a note: %q", got)
	}
}
