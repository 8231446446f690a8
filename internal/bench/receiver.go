// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// receiver is a server that takes uploads and forgets them.
type receiver struct {
	// rate limits each upload, in bytes a second; 0 does not.
	rate int64

	bytes atomic.Int64
	// sniffed counts the uploads whose qcow2 header lay in what the first read of
	// 1 KiB returned, which is where Harvester looks for it.
	sniffed atomic.Int64
}

// start serves TLS 1.3.
func (r *receiver) start() *httptest.Server {
	server := httptest.NewUnstartedServer(r)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	return server
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	head := make([]byte, 1<<10)
	n, _ := req.Body.Read(head) // a broken body shows below
	if at := bytes.Index(head[:n], qcow2Header[:4]); at >= 0 && at+len(qcow2Header) <= n {
		r.sniffed.Add(1)
	}
	body := io.Reader(req.Body)
	if r.rate > 0 {
		body = &throttled{Reader: body, rate: r.rate, context: req.Context(), started: time.Now()}
	}
	// The struct hides io.Discard's own way of reading, 8 KiB at a time.
	rest, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, body, make([]byte, 256<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.bytes.Add(int64(n) + rest)
}

// throttled reads no faster than at a rate.
type throttled struct {
	io.Reader
	rate    int64
	context context.Context //nolint:containedctx // that of one request
	started time.Time
	read    int64
}

func (t *throttled) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	t.read += int64(n)
	due := t.started.Add(time.Duration(float64(t.read) / float64(t.rate) * float64(time.Second)))
	if ahead := time.Until(due); ahead > time.Millisecond {
		wait.Pause(t.context, ahead)
	}
	return n, err
}
