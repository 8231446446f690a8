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
	"sync"
	"sync/atomic"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// receiver is a server that takes uploads and forgets them.
type receiver struct {
	// rate limits each upload, in bytes a second; 0 does not.
	rate int64

	bytes atomic.Int64
	// span is that of the uploads.
	span span
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
	if err := r.take(req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// take reads one upload to its end.
func (r *receiver) take(req *http.Request) error {
	r.span.begin()
	defer r.span.end()
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
	r.bytes.Add(int64(n) + rest)
	return err
}

// span is the time from the begin of the first of several things to the end of the last.
type span struct {
	mu          sync.Mutex
	first, last time.Time
}

func (s *span) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first.IsZero() {
		s.first = time.Now()
	}
}

func (s *span) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = time.Now()
}

// take returns the span so far and begins a new one.
func (s *span) take() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.last.Sub(s.first)
	s.first, s.last = time.Time{}, time.Time{}
	return taken
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
