// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// status is an error answer of the API. The texts of webhooks are as kube-apiserver words them.
func status(code int, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: int32(code), Message: message}}
}

const (
	deniedText  = `admission webhook "validator.harvesterhci.io" denied the request: no such class`
	failingText = `Internal error occurred: failed calling webhook "validator.harvesterhci.io": failed to call webhook: ` +
		`Post "https://harvester-webhook.harvester-system.svc:443/v1/webhook/validation?timeout=10s": dial tcp 10.53.0.9:443: connect: connection refused`
)

func TestTransientAndRefused(t *testing.T) {
	t.Parallel()
	things := schema.GroupResource{Resource: "things"}
	answer := func(code int) error {
		return apierrors.NewGenericServerResponse(code, "post", things, "a", "", 0, true)
	}
	type row struct {
		err                          error
		transient, refused, rejected bool
	}
	rows := map[string]row{
		"nothing":                        {nil, false, false, false},
		"reset":                          {errors.New("connection reset by peer"), true, false, false},
		"interrupted":                    {context.Canceled, false, false, false},
		"out of time":                    {context.DeadlineExceeded, false, false, false},
		"bad gateway":                    {answer(http.StatusBadGateway), true, false, false},
		"too many requests":              {answer(http.StatusTooManyRequests), true, false, false},
		"conflict":                       {answer(http.StatusConflict), false, false, true},
		"forbidden":                      {answer(http.StatusForbidden), false, false, true},
		"bad request":                    {apierrors.NewBadRequest("no such field"), false, true, true},
		"quota":                          {apierrors.NewForbidden(things, "a", errors.New("exceeded quota: storage")), false, true, true},
		"a webhook that cannot be asked": {status(http.StatusInternalServerError, failingText), true, false, false},
		"one that another webhook could not ask": {
			status(http.StatusInternalServerError, `admission webhook "a" denied the request: `+failingText), false, true, true,
		},
	}
	for _, code := range []int{400, 403, 404, 409, 422, 429, 500, 503} {
		rows[fmt.Sprint("a webhook that answers ", code)] = row{fmt.Errorf("wrapped: %w", status(code, deniedText)), false, true, true}
	}
	for name, want := range rows {
		if got := (row{want.err, Transient(want.err), Refused(want.err), Rejected(want.err)}); got != want {
			t.Errorf("%s: transient %v, refused %v, rejected %v", name, got.transient, got.refused, got.rejected)
		}
	}
}

// Whatever writes is sent again while a webhook cannot be asked, and never when one has refused.
func TestWritesAreSentAgain(t *testing.T) {
	t.Parallel()
	writes := everyRequest(t)
	for name, write := range writes {
		if write.method == http.MethodGet || name == "upload" {
			continue
		}
		for label, test := range map[string]struct {
			code int
			text string
			want int64 // requests
			ends bool  // well
		}{
			"cannot be asked": {http.StatusInternalServerError, failingText, 2, true},
			"denied with 403": {http.StatusForbidden, deniedText, 1, false},
			"denied with 409": {http.StatusConflict, deniedText, 1, false},
			"denied with 500": {http.StatusInternalServerError, deniedText, 1, false},
			"denied with 503": {http.StatusServiceUnavailable, deniedText, 1, false},
		} {
			t.Run(name+" "+label, func(t *testing.T) {
				t.Parallel()
				requests, err := sent(t, write.send, func(w http.ResponseWriter) {
					w.WriteHeader(test.code)
					_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"message":%q}`, test.code, test.text)
				})
				if requests != test.want || (err == nil) != test.ends {
					t.Errorf("%d requests, want %d; it ends with %v", requests, test.want, err)
				}
			})
		}
	}
}

// sent counts the requests if the first one fails like that and all others succeed.
func sent(t *testing.T, send func(context.Context, *Client) error, fail func(http.ResponseWriter)) (requests int64, err error) {
	t.Helper()
	var count atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		if count.Add(1) == 1 {
			fail(w)
			return
		}
		_, _ = io.WriteString(w, `{"apiVersion":"harvesterhci.io/v1beta1","kind":"VirtualMachineImage","metadata":{"namespace":"default","name":"a"}}`)
	}))
	defer server.Close()
	client, err := Connect(Connection{Host: server.URL, Token: "t", Insecure: true}, "test")
	if err != nil {
		t.Fatal(err)
	}
	err = send(t.Context(), client)
	return count.Load(), err
}

// A plan asks once: it has no time for more, and a warning is enough.
func TestDryRunAsksOnce(t *testing.T) {
	t.Parallel()
	requests, err := sent(t, func(ctx context.Context, c *Client) error {
		images := For[metav1.PartialObjectMetadata](c, hostileKind, "VirtualMachineImage")
		return images.DryRunCreate(ctx, "default", &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "a"}})
	}, func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) })
	if requests != 1 || !Transient(err) {
		t.Errorf("%d requests, %v", requests, err)
	}
}

// A restart whose answer got lost may be under way, and is not asked for again.
func TestLostRestartIsNotRepeated(t *testing.T) {
	t.Parallel()
	requests, err := sent(t, everyRequest(t)["subresource"].send, func(http.ResponseWriter) { panic(http.ErrAbortHandler) })
	if requests != 1 || err == nil {
		t.Errorf("%d requests, %v", requests, err)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection reset by peer")
	for name, test := range map[string]struct {
		interrupt time.Duration // after that; 0 is never
		fails     int           // so many times, then it succeeds
		calls     int
		want      error
	}{
		"trouble that passes": {0, 2, 3, nil},
		"trouble that lasts":  {0, 99, tries, broken},
		"an interrupted run":  {time.Second, 99, 2, context.Canceled}, // in the first pause: one more call, which fails at once
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.interrupt > 0 {
					time.AfterFunc(test.interrupt, cancel)
				}
				calls := 0
				_, err := Retry(ctx, func(ctx context.Context) (int, error) {
					if calls++; ctx.Err() != nil {
						return 0, ctx.Err()
					}
					if calls > test.fails {
						return 0, nil
					}
					return 0, broken
				})
				if calls != test.calls || !errors.Is(err, test.want) {
					t.Errorf("%d calls, want %d; it ends with %v", calls, test.calls, err)
				}
			})
		})
	}
}
