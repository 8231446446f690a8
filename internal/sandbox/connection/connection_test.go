// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package connection

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// post sends a body and returns the answer.
func post(t *testing.T, server *httptest.Server, path string) string {
	t.Helper()
	response, err := server.Client().Post(server.URL+path, "text/plain", strings.NewReader("the body"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestNextRequestIsAlive(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/ends", func(w http.ResponseWriter, r *http.Request) {
		ctx, end := context.WithCancel(r.Context())
		stop := EndWith(ctx, w)
		_, _ = io.Copy(io.Discard, r.Body)
		end()
		<-r.Context().Done() // the server has noticed
		stop()
		_, _ = io.WriteString(w, "ended")
	})
	mux.HandleFunc("/next", func(w http.ResponseWriter, r *http.Request) {
		if err := r.Context().Err(); err != nil {
			_, _ = io.WriteString(w, err.Error())
			return
		}
		_, _ = io.WriteString(w, "alive")
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	if got := post(t, server, "/ends"); got != "ended" {
		t.Errorf("the request that ends was answered with %q", got)
	}
	if got := post(t, server, "/next"); got != "alive" {
		t.Errorf("the request after it was answered with %q", got)
	}
}

func TestBodyEnds(t *testing.T) {
	failed := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, end := context.WithCancel(r.Context())
		stop := EndWith(ctx, w)
		defer stop()
		time.AfterFunc(10*time.Millisecond, end)
		_, err := io.Copy(io.Discard, r.Body)
		failed <- err
	}))
	defer server.Close()
	body, writer := io.Pipe() // which nobody writes to
	defer writer.Close()
	go func() {
		if response, err := server.Client().Post(server.URL, "text/plain", body); err == nil {
			_ = response.Body.Close()
		}
	}()
	if err := <-failed; err == nil {
		t.Error("the body was read to its end")
	}
}

func TestConnectionIsKept(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stop := EndWith(context.Background(), w)
		defer stop()
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, r.RemoteAddr)
	}))
	defer server.Close()
	if first, second := post(t, server, "/"), post(t, server, "/"); first != second {
		t.Errorf("two requests came from %s and %s", first, second)
	}
}
