// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package diagnose_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

func TestAPI(t *testing.T) {
	t.Parallel()
	images := schema.GroupResource{Group: "harvesterhci.io", Resource: "virtualmachineimages"}
	answer := func(code int, body string) error {
		return &transfer.StatusError{Code: code, Status: fmt.Sprint(code, " ", http.StatusText(code)), Body: body}
	}
	denied := func(code int32, reason metav1.StatusReason) error {
		return &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: code, Reason: reason, Message: `admission webhook "validator.harvesterhci.io" denied the request: no such class`,
		}}
	}
	for name, test := range map[string]struct {
		err     error
		summary string
		says    []string
	}{
		"interrupted":      {context.Canceled, "Interrupted", []string{"apply again"}},
		"deadline":         {context.DeadlineExceeded, "Timed out", []string{"timeouts block"}},
		"wait":             {&wait.TimeoutError{Last: "Uploading, 40 %", Waited: time.Minute}, "Timed out", []string{"within 1m0s; last seen: Uploading, 40 %."}},
		"stall":            {&wait.TimeoutError{Last: "Uploading, 40 %", Stalled: time.Minute}, "Timed out", []string{"nothing changed for 1m0s", "timeouts block"}},
		"stall, settable":  {&wait.TimeoutError{Last: "Uploading, 40 %", Stalled: time.Minute, Setting: "stall_timeout"}, "Timed out", []string{"nothing changed for 1m0s", "raise stall_timeout"}},
		"file":             {&transfer.FileError{Path: "x", Reason: "is empty"}, "File not usable", []string{`the file "x" is empty.`}},
		"no Harvester API": {&kube.HarvesterAPIError{Host: "https://x:6443", Status: "404"}, "Harvester API not reachable", []string{"k8s/clusters/local"}},
		"expired":          {apierrors.NewUnauthorized("Unauthorized"), "Not authorized", []string{"expired", "30 days"}},
		"forbidden":        {apierrors.NewForbidden(images, "a", errors.New("no")), "Not allowed", []string{"forbidden"}},
		"not found":        {apierrors.NewNotFound(images, "a"), "Not found", []string{`"a" not found`}},
		"webhook": {
			apierrors.NewBadRequest(`admission webhook "validator.harvesterhci.io" denied the request: url is required`),
			"Rejected by the cluster",
			[]string{": url is required."},
		},
		"webhook that answers 500": {denied(http.StatusInternalServerError, ""), "Rejected by the cluster", []string{": no such class."}},
		"webhook that answers 503": {denied(http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable), "Rejected by the cluster", []string{": no such class."}},
		"webhook that answers 403": {denied(http.StatusForbidden, metav1.StatusReasonForbidden), "Rejected by the cluster", []string{": no such class."}},
		"webhook that answers 409": {denied(http.StatusConflict, metav1.StatusReasonConflict), "Rejected by the cluster", []string{": no such class."}},
		"webhook out of reach": {
			apierrors.NewInternalError(errors.New(`failed calling webhook "validator.harvesterhci.io": connection refused`)),
			"Error from the cluster",
			[]string{"failed calling webhook", "restarted or upgraded"},
		},
		"server in trouble": {apierrors.NewInternalError(errors.New("etcd")), "Error from the cluster", []string{"restarted or upgraded"}},
		"network":           {&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}, "Cluster not reachable", []string{"refused", "proxy settings"}},
		"upload 401":        {answer(401, ""), "Not authorized", []string{"expired"}},
		"upload 403":        {answer(403, ""), "Not allowed", []string{"right to update"}},
		"upload 404":        {answer(404, "404 page not found"), "Harvester API not reachable", []string{"6443"}},
		"image vanished":    {answer(404, `{"type":"error"}`), "Not found", []string{"deleted while"}},
		"upload 413":        {answer(413, "Too Large"), "Upload refused by a proxy", []string{"Too Large", "proxy-body-size"}},
		"upload 504":        {answer(504, ""), "Upload interrupted", []string{"Apply again"}},
		"upload 500":        {answer(500, "upload failed: EOF"), "Upload failed", []string{"upload failed: EOF."}},
		"redirected":        {&transport.RedirectError{Target: "https://evil.example/a", Reason: "which is another host"}, "Redirected elsewhere", []string{"redirects to https://evil.example/a, which", "no redirect is needed"}},
		"too large":         {&transport.TooLargeError{What: "an object", Bound: 64 << 20}, "Answer too large", []string{"more than 64 MiB", "what answers"}},
		"anything":          {errors.New("surprise"), "Unexpected error", []string{"surprise."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := diagnose.API("finish", `image "default/a"`, "It stays as it is.", fmt.Errorf("wrapped: %w", test.err))
			if name == "anything" || name == "network" {
				got = diagnose.API("finish", `image "default/a"`, "It stays as it is.", test.err)
			}
			if got.Summary() != test.summary {
				t.Errorf("the summary is %q, want %q", got.Summary(), test.summary)
			}
			for _, part := range append(test.says, `Could not finish the image "default/a": `, "\n\nIt stays as it is.") {
				if !strings.Contains(got.Detail(), part) {
					t.Errorf("%q is missing in:\n%s", part, got.Detail())
				}
			}
			if strings.Contains(got.Detail(), "..") || strings.Contains(got.Detail(), "denied the request") {
				t.Errorf("reads badly:\n%s", got.Detail())
			}
		})
	}
}

// What a server says is shown without secrets and without what a terminal would obey.
func TestServersAreQuotedWithCare(t *testing.T) {
	t.Parallel()
	const (
		said = "Get \"https://ci:s3cr3t@host/disk.raw?sig=s3cr3t\":\n\x1b[31mrefused\u202e\r"
		want = "Get \"https://ci:***@host/disk.raw?…\":\n\\x1b[31mrefused\\u202e\\r"
	)
	images := schema.GroupResource{Group: "harvesterhci.io", Resource: "virtualmachineimages"}
	for name, err := range map[string]error{
		"any error":   errors.New(said),
		"bad request": apierrors.NewBadRequest(said),
		"webhook":     apierrors.NewBadRequest("admission webhook \"a\" denied the request: " + said),
		"forbidden":   apierrors.NewForbidden(images, "a", errors.New(said)),
		"answer":      apierrors.NewGenericServerResponse(http.StatusBadGateway, "post", images, "a", said, 0, true),
		"network":     &net.OpError{Op: "dial", Net: "tcp", Err: errors.New(said)},
		"timeout":     &wait.TimeoutError{Last: said, Waited: time.Minute},
		"upload":      &transfer.StatusError{Code: 500, Status: "500", Body: said},
		"download":    &transfer.RefusedError{StatusError: transfer.StatusError{Code: 500, Status: "500", Body: said}},
		"stream":      &transfer.StreamError{Reason: "broken", Said: said},
	} {
		got := diagnose.API("finish", `image "default/a"`, "Last seen: "+said, err).Detail()
		quoted := strings.Trim(strconv.Quote(strings.ReplaceAll(want, `\x1b[31mrefused\u202e\r`, "")), `"`) // as some answers are
		if strings.Count(got, want)+strings.Count(got, quoted) != 2 || strings.ContainsAny(got, "\x1b\r\u202e") || strings.Contains(got, "s3cr3t") {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got := diagnose.Said(errors.New(said)); got != want+"." {
		t.Errorf("got %q", got)
	}
	if _, _, got := diagnose.Config(errors.New(said)); got != want {
		t.Errorf("got %q", got)
	}
	long := diagnose.API("finish", "image", "It stays.", errors.New(strings.Repeat("x", 1<<20))).Detail()
	if len(long) > 6<<10 || !strings.Contains(long, "cut, it has 1048576 bytes") {
		t.Errorf("got %d bytes", len(long))
	}
}
