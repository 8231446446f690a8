// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package diagnose_test

import (
	"strings"
	"testing"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

func TestDownload(t *testing.T) {
	t.Parallel()
	refused := func(code int, body string) error {
		return &transfer.RefusedError{StatusError: transfer.StatusError{Code: code, Status: "STATUS", Body: body}}
	}
	for name, test := range map[string]struct {
		err           error
		summary, todo string
	}{
		"target":     {&transfer.TargetError{Path: "x", Reason: "is a directory"}, "Target not usable", "Check filename"},
		"stalled":    {&transfer.StalledError{After: time.Minute, Last: "40 %"}, "Timed out", "stall_timeout"},
		"broken":     {&transfer.StreamError{Reason: "the stream ended early"}, "Download incomplete", "30 minutes"},
		"wrong":      {&transfer.StreamError{Reason: "too long", Final: true}, "Download failed", "make it anew"},
		"401":        {refused(401, ""), "Not authorized", "token"},
		"403":        {refused(403, ""), "Not allowed", "right to get"},
		"no API":     {refused(404, "404 page not found"), "Harvester API not reachable", "6443"},
		"404":        {refused(404, "not found"), "Not found", "deleted"},
		"not ready":  {refused(500, "please wait until the image has been imported"), "Image is not ready", "Wait"},
		"encrypted":  {refused(500, "encrypted image is not supported for download"), "Image is encrypted", "Decrypt"},
		"busy":       {refused(503, ""), "Download interrupted", "Apply again"},
		"all others": {refused(500, "failed to"), "Download failed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := diagnose.API("download", `image "default/x"`, "There is no file.", test.err)
			if got.Summary() != test.summary || !strings.Contains(got.Detail(), test.err.Error()) || !strings.Contains(got.Detail(), test.todo) {
				t.Errorf("got %s: %s", got.Summary(), got.Detail())
			}
		})
	}
}
