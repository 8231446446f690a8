// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

func write(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	content = bytes.Repeat([]byte("QFI\xfb0123456789"), size/14+1)[:size]
	path = filepath.Join(t.TempDir(), "disk.img")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func upload(t *testing.T, server *httptest.Server, path string) *transfer.Upload {
	t.Helper()
	file, err := transfer.Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &transfer.Upload{URL: address.JoinPath("v1/images/default/a"), Part: "chunk", Content: file.Unscanned(true)}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	for name, content := range map[string]string{"good": "x", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(good, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, wants := range map[string]string{
		"good": "", "link": "", "empty": "is empty", "missing": "does not exist", ".": "is a directory", "good/below": "cannot be opened",
	} {
		_, err := transfer.Inspect(filepath.Join(dir, name))
		var wrong *transfer.FileError
		switch {
		case wants == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case wants != "" && (!errors.As(err, &wrong) || !strings.HasPrefix(wrong.Reason, wants)):
			t.Errorf("%s: got %v, want %q", name, err, wants)
		}
	}
}

// received is what a server got.
type received struct {
	query       url.Values
	length      int64
	proto       string
	part, file  string
	content     []byte
	firstRead   int
	hasMagic    bool
	contentType string
}

func receive(r *http.Request) (received, error) {
	got := received{query: r.URL.Query(), length: r.ContentLength, proto: r.Proto, contentType: r.Header.Get("Content-Type")}
	first := make([]byte, 1024)
	got.firstRead, _ = r.Body.Read(first)
	got.hasMagic = bytes.Contains(first[:got.firstRead], []byte("QFI\xfb"))
	_, params, err := mime.ParseMediaType(got.contentType)
	if err != nil {
		return got, err
	}
	form := multipart.NewReader(io.MultiReader(bytes.NewReader(first[:got.firstRead]), r.Body), params["boundary"])
	part, err := form.NextPart()
	if err != nil {
		return got, err
	}
	got.part, got.file = part.FormName(), part.FileName()
	if got.content, err = io.ReadAll(part); err != nil {
		return got, err
	}
	if _, err := form.NextPart(); !errors.Is(err, io.EOF) {
		return got, fmt.Errorf("after the file: %w", err)
	}
	return got, nil
}

// receiving is a server that tells what it gets.
func receiving(t *testing.T) (*httptest.Server, <-chan received) {
	t.Helper()
	results := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got, err := receive(r)
		if err != nil {
			t.Error(err)
		}
		results <- got
	}))
	t.Cleanup(server.Close)
	return server, results
}

func TestSend(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"one byte": 1, "a block": 512, "a block and a byte": 513, "larger than buffers": 3<<20 + 7} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, results := receiving(t)
			path, content := write(t, size)
			u := upload(t, server, path)
			if err := u.Send(t.Context(), server.Client()); err != nil {
				t.Fatal(err)
			}
			verify(t, <-results, u, content)
		})
	}
}

func verify(t *testing.T, got received, u *transfer.Upload, content []byte) {
	t.Helper()
	padded := append(bytes.Clone(content), make([]byte, (512-len(content)%512)%512)...)
	if !bytes.Equal(got.content, padded) {
		t.Errorf("the server got %d bytes, want %d, or others", len(got.content), len(padded))
	}
	if size := fmt.Sprint(len(padded)); got.query.Get("size") != size || got.query.Get("action") != "upload" {
		t.Errorf("the query is %v, want size %s", got.query, size)
	}
	if got.part != "chunk" || got.file != "disk.img" || got.length <= int64(len(padded)) {
		t.Errorf("got part %q, file %q, Content-Length %d", got.part, got.file, got.length)
	}
	if !got.hasMagic && len(content) >= 4 {
		t.Errorf("the first %d bytes the server read do not reach the content", got.firstRead)
	}
	if u.Sent() != int64(len(padded)) {
		t.Errorf("Sent() is %d", u.Sent())
	}
}

// A redirect that keeps the method sends the whole body again.
func TestSendFollowsRedirects(t *testing.T) {
	t.Parallel()
	results := make(chan received, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/images/default/a", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/moved?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/moved", func(_ http.ResponseWriter, r *http.Request) {
		got, err := receive(r)
		if err != nil {
			t.Error(err)
		}
		results <- got
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	path, content := write(t, 1000)
	u := upload(t, server, path)
	if err := u.Send(t.Context(), server.Client()); err != nil {
		t.Fatal(err)
	}
	verify(t, <-results, u, content)
}

func TestSendReportsAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status    int
		body      string
		says      string
		transient bool
	}{
		"plain text": {500, "upload failed: EOF\n", "500 Internal Server Error: upload failed: EOF", true},
		"a page":     {413, "<html><head><title>413 Request Entity Too Large</title></head><body>nginx</body></html>", "413 Request Entity Too Large", false},
		"nothing":    {504, "", "the server answered 504 Gateway Timeout", true},
		"throttled":  {429, "", "429", true},
		"forbidden":  {403, "no", "403 Forbidden: no", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			path, _ := write(t, 2000)
			err := upload(t, server, path).Send(t.Context(), server.Client())
			var status *transfer.StatusError
			if !errors.As(err, &status) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "nginx") || status.Transient() != test.transient {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

func TestSendNoticesAChangedFile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(path string) error
		says   string
	}{
		"truncated": {func(p string) error { return os.Truncate(p, 1<<20) }, "changed its size"},
		"grown": {func(p string) error {
			f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString("more")
			return err
		}, "changed its size"},
		"edited":  {func(p string) error { return os.Chtimes(p, time.Time{}, time.Now().Add(time.Hour)) }, "was modified"},
		"removed": {os.Remove, "disappeared"},
		"replaced": {func(p string) error {
			if err := os.WriteFile(p+".new", make([]byte, 8<<20), 0o600); err != nil {
				return err
			}
			return os.Rename(p+".new", p)
		}, "was replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, _ := write(t, 8<<20)
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.ReadFull(r.Body, make([]byte, 1024))
				if err := test.change(path); err != nil {
					t.Error(err)
				}
				_, _ = io.Copy(io.Discard, r.Body)
			}))
			defer server.Close()
			err := upload(t, server, path).Send(t.Context(), server.Client())
			var wrong *transfer.FileError
			if !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

func TestSendObeysItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 1024))
		cancel()
		<-release
	}))
	defer server.Close()
	defer close(release)
	path, _ := write(t, 32<<20)
	started := time.Now()
	if err := upload(t, server, path).Send(ctx, server.Client()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("it took %s to stop", took)
	}
}

func BenchmarkSend(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer server.Close()
	path := filepath.Join(b.TempDir(), "disk.img")
	const size = 64 << 20
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		b.Fatal(err)
	}
	file, err := transfer.Inspect(path)
	if err != nil {
		b.Fatal(err)
	}
	address, _ := url.Parse(server.URL)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		u := &transfer.Upload{URL: address, Part: "chunk", Content: file.Unscanned(true)}
		if err := u.Send(b.Context(), server.Client()); err != nil {
			b.Fatal(err)
		}
	}
}

// An answer is shown in one line, without secrets, what a terminal would obey, or megabytes of it.
func TestAnswersAreShownWithCare(t *testing.T) {
	t.Parallel()
	const said = "Get \"https://ci:s3cr3t@host/disk.raw?sig=s3cr3t\":\n\x1b[31mrefused\u202e"
	message, err := json.Marshal(map[string]string{"message": said})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ body, want string }{
		"text":   {said, `Get "https://ci:***@host/disk.raw?…": \x1b[31mrefused\u202e`},
		"JSON":   {string(message), `Get "https://ci:***@host/disk.raw?…": \x1b[31mrefused\u202e`},
		"page":   {"<html><title>" + said + "</title>", `Get "https://ci:***@host/disk.raw?…": \x1b[31mrefused\u202e`},
		"binary": {strings.Repeat("\x00\xff", 1<<20), "cut, it has "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.WriteString(w, test.body)
			}))
			defer server.Close()
			path, _ := write(t, 100)
			address, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			download := transfer.Download{URL: address, Packed: true, Target: transfer.Target{Path: filepath.Join(t.TempDir(), "a.raw")}}
			_, refused := download.Receive(t.Context(), server.Client())
			for direction, err := range map[string]error{"upload": upload(t, server, path).Send(t.Context(), server.Client()), "download": refused} {
				if name == "JSON" && direction == "upload" {
					continue // is shown as it is
				}
				if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cr3t") || len(err.Error()) > 5<<10 {
					t.Errorf("%s: got %q", direction, err)
				}
			}
		})
	}
}

func TestRedirectsAreFinal(t *testing.T) {
	t.Parallel()
	if transfer.Again(fmt.Errorf("wrapped: %w", &transport.RedirectError{}), 1) {
		t.Error("a redirect elsewhere would be tried again")
	}
}
