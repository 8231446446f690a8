// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

var hostileKind = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "virtualmachineimages"}

// everyRequest is one request of each kind that a client sends, and its method.
func everyRequest(t *testing.T) map[string]struct {
	method string
	send   func(context.Context, *Client) error
} {
	t.Helper()
	file := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(file, []byte(strings.Repeat("the user's data ", 64)), 0o600); err != nil {
		t.Fatal(err)
	}
	images := func(c *Client) Resource[metav1.PartialObjectMetadata] {
		return For[metav1.PartialObjectMetadata](c, hostileKind, "VirtualMachineImage")
	}
	return map[string]struct {
		method string
		send   func(context.Context, *Client) error
	}{
		"get": {http.MethodGet, func(ctx context.Context, c *Client) error {
			_, err := images(c).Get(ctx, "default", "a")
			return err
		}},
		"list": {http.MethodGet, func(ctx context.Context, c *Client) error {
			_, err := images(c).List(ctx, "default", "")
			return err
		}},
		"watch": {http.MethodGet, func(ctx context.Context, c *Client) error {
			events, err := c.Dynamic().Resource(hostileKind).Watch(ctx, metav1.ListOptions{})
			if err == nil {
				events.Stop()
			}
			return err
		}},
		"create": {http.MethodPost, func(ctx context.Context, c *Client) error {
			_, err := images(c).Create(ctx, "default", &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "a"}})
			return err
		}},
		"patch": {http.MethodPatch, func(ctx context.Context, c *Client) error {
			_, err := images(c).Patch(ctx, "default", "a", map[string]any{"spec": nil})
			return err
		}},
		"delete": {http.MethodDelete, func(ctx context.Context, c *Client) error { return images(c).Delete(ctx, "default", "a", "") }},
		"subresource": {http.MethodPut, func(ctx context.Context, c *Client) error {
			return c.PutSubresource(ctx, hostileKind, "default", "a", "restart")
		}},
		"probe": {http.MethodGet, func(ctx context.Context, c *Client) error { return c.ProbeHarvesterAPI(ctx) }},
		"upload": {http.MethodPost, func(ctx context.Context, c *Client) error {
			inspected, err := transfer.Inspect(file)
			if err != nil {
				return err
			}
			upload := transfer.Upload{URL: c.ImageURL("default", "a"), Part: "chunk", Content: transfer.Content{File: inspected, Size: inspected.Size}}
			return upload.Send(ctx, c.Transfers())
		}},
		"download": {http.MethodGet, func(ctx context.Context, c *Client) error {
			download := transfer.Download{
				URL: c.ImageURL("default", "a").JoinPath("download"), Packed: true,
				Target: transfer.Target{Path: filepath.Join(t.TempDir(), "a.raw")},
			}
			received, err := download.Receive(ctx, c.Transfers())
			if err == nil {
				received.Discard()
			}
			return err
		}},
	}
}

// A server, or somebody between, redirects to a place that would take the token and the data.
func TestNothingFollowsARedirectElsewhere(t *testing.T) {
	t.Parallel()
	var stolen atomic.Int64
	thief := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stolen.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"apiVersion":"harvesterhci.io/v1beta1","kind":"VirtualMachineImage","metadata":{"name":"a"}}`)
	})
	plain, secure := httptest.NewServer(thief), httptest.NewTLSServer(thief)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	requests := everyRequest(t)
	for target, address := range map[string]string{
		"plain HTTP": plain.URL,
		"other port": secure.URL,
		"other host": strings.Replace(secure.URL, "127.0.0.1", "localhost", 1),
	} {
		for _, code := range []int{301, 302, 303, 307, 308} {
			for name, request := range requests {
				t.Run(strings.Join([]string{name, target, strconv.Itoa(code)}, " "), func(t *testing.T) {
					t.Parallel()
					home := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
						w.Header().Set("Location", address+"/stolen?token=s3cr3t")
						w.WriteHeader(code)
					}))
					defer home.Close()
					client, err := Connect(Connection{Host: home.URL, Token: planted, Insecure: true}, "test")
					if err != nil {
						t.Fatal(err)
					}
					ctx, stop := context.WithTimeout(t.Context(), time.Minute)
					defer stop()
					err = request.send(ctx, client)
					refused, ok := errors.AsType[*transport.RedirectError](err)
					if !ok || refused.Target != address+"/stolen?…" {
						t.Errorf("got %v", err)
					}
					if Transient(err) {
						t.Error("it would be tried again")
					}
				})
			}
		}
	}
	t.Cleanup(func() {
		if n := stolen.Load(); n > 0 {
			t.Errorf("the thief got %d requests", n)
		}
	})
}

// A redirect on the same server is followed, with all that was sent, unless it makes a read of a write.
func TestRedirectsOnTheSameServer(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		for name, request := range everyRequest(t) {
			t.Run(name+" "+strconv.Itoa(code), func(t *testing.T) {
				t.Parallel()
				var first, second string // what was sent
				home := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					sent := r.Method + " " + r.Header.Get("Authorization") + " " + string(body)
					if r.URL.Path == "/moved" {
						second = sent
						w.WriteHeader(http.StatusTeapot)
						return
					}
					first = sent
					w.Header().Set("Location", "/moved")
					w.WriteHeader(code)
				}))
				defer home.Close()
				client, err := Connect(Connection{Host: home.URL, Token: planted, Insecure: true}, "test")
				if err != nil {
					t.Fatal(err)
				}
				err = request.send(t.Context(), client)
				refused := errors.As(err, new(*transport.RedirectError))
				follows := code >= 307 || request.method == http.MethodGet
				switch {
				case follows && (refused || second != first || first == ""):
					t.Errorf("sent %q, then %q: %v", first, second, err)
				case !follows && (!refused || second != ""):
					t.Errorf("sent %q, then %q: %v", first, second, err)
				}
			})
		}
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a"},"data":{"a":"`)
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte(strings.Repeat("A", 1<<20))); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	client, err := Connect(Connection{Host: server.URL, Token: "t"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Dynamic().Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).
		Namespace("default").Get(t.Context(), "a", metav1.GetOptions{})
	tooLarge, ok := errors.AsType[*transport.TooLargeError](err)
	if !ok || tooLarge.Bound != transport.MostOfObject || Transient(err) {
		t.Errorf("got %v", err)
	}
}

func TestHostHidesCredentials(t *testing.T) {
	t.Parallel()
	client := Client{base: &url.URL{Scheme: "https", User: url.UserPassword("me", "s3cr3t"), Host: "h.example"}}
	if got := client.Host(); got != "https://me:***@h.example" {
		t.Errorf("got %q", got)
	}
}
