// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// framed is a zstd frame that states its length.
func framed(t *testing.T, content []byte) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = encoder.Close() }()
	return encoder.EncodeAll(content, nil)
}

// What is hashed while it is sent is sent, and known afterwards, as if it had been scanned before.
func TestUnread(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789"), 300_001)
	unpacked := transfer.Treatment{Decompress: true, Pad: true}
	for name, test := range map[string]struct {
		file      []byte
		treatment transfer.Treatment
		known     bool
	}{
		"as it is":                  {large, transfer.Treatment{}, true},
		"padded":                    {large, unpacked, true},
		"larger than what is ahead": {bytes.Repeat(large, 5), unpacked, true},
		"xz":                        {packed(t, "xz", large[:20_000]), unpacked, true},
		"xz in two streams":         {slices.Concat(packed(t, "xz", large[:20_000]), make([]byte, 8), packed(t, "xz", large[:100])), unpacked, true},
		"xz, zeros behind it":       {slices.Concat(packed(t, "xz", large[:20_000]), make([]byte, 4)), unpacked, true},
		"xz, not unpacked":          {packed(t, "xz", large[:20_000]), transfer.Treatment{Pad: true}, true},
		"zstd":                      {framed(t, large), unpacked, true},
		"zstd in two frames":        {slices.Concat(framed(t, large), skippable("abc"), framed(t, large[:999])), unpacked, true},
		"zstd from a stream":        {packed(t, "zstd", large), unpacked, false},
		"gzip":                      {packed(t, "gzip", large), unpacked, false},
		"bzip2":                     {[]byte(bzipped), unpacked, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := inspected(t, test.file)
			content, err := file.Unread(t.Context(), test.treatment)
			if err != nil || (content != nil) != test.known {
				t.Fatalf("Unread says %v, %v", content, err)
			}
			if content == nil {
				return
			}
			want, err := file.Scan(t.Context(), test.treatment)
			if err != nil {
				t.Fatal(err)
			}
			u, got := sent(t, *content)
			found, ok := u.Found()
			if !ok || found != want || content.Size != want.Size || sum(got) != want.SHA512 {
				t.Errorf("sent are %d bytes, found is %+v, want %+v", len(got), found, want)
			}
		})
	}
}

// sent sends a content and returns what arrives.
func sent(t *testing.T, content transfer.Content) (*transfer.Upload, []byte) {
	t.Helper()
	server, results := receiving(t)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	u := &transfer.Upload{URL: address.JoinPath("v1/images/default/a"), Part: "chunk", Content: content}
	if _, ok := u.Found(); ok {
		t.Error("something is known before anything was sent")
	}
	if err := u.Send(t.Context(), server.Client()); err != nil {
		t.Fatal(err)
	}
	return u, (<-results).content
}

// Images that are sent one after another take no more memory than one, those that a server refuses at once included. It
// measures the whole process, so nothing else may run meanwhile.
//
//nolint:paralleltest // see above
func TestBlocksAreUsedAgain(t *testing.T) {
	const uploads, large = 20, 16 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refused" {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	file := inspected(t, make([]byte, large))
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	resident := residentMiB(t)
	for i := range uploads {
		content, err := file.Unread(t.Context(), transfer.Treatment{})
		if err != nil {
			t.Fatal(err)
		}
		u := &transfer.Upload{URL: address.JoinPath([]string{"taken", "refused"}[i%2]), Part: "chunk", Content: *content}
		if err := u.Send(t.Context(), server.Client()); (err != nil) != (i%2 == 1) {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / uploads >> 10; each > 1024 {
		t.Errorf("each upload allocates %d KiB on Go's heap", each)
	}
	if grown := residentMiB(t) - resident; grown > 60 {
		t.Errorf("the process has grown by %d MiB", grown)
	}
}

// residentMiB is how much memory of this process is resident; 0 where the system does not tell.
func residentMiB(t *testing.T) (size int) {
	t.Helper()
	pages, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(pages), new(int), &size); err != nil {
		t.Fatal(err)
	}
	return size * os.Getpagesize() >> 20
}

// An upload of a file that is not what it was taken for never ends well, and says why.
func TestUnreadNoticesWhatIsWrong(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789"), 500_000)
	noise := make([]byte, 100_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	damaged := packed(t, "xz", noise)
	damaged[len(damaged)*3/4] ^= 1
	for name, test := range map[string]struct {
		file   []byte
		change func(path string) error
		says   string
	}{
		"damaged inside":      {damaged, nil, "cannot be read to its end"},
		"replaced meanwhile":  {large, func(path string) error { return os.WriteFile(path, large[:100], 0o600) }, "changed its size"},
		"rewritten meanwhile": {large, func(path string) error { return os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)) }, "was modified"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := inspected(t, test.file)
			content, err := file.Unread(t.Context(), transfer.Treatment{Decompress: true, Pad: true})
			if err != nil || content == nil {
				t.Fatalf("Unread says %v, %v", content, err)
			}
			if test.change != nil {
				if err := test.change(file.Path); err != nil {
					t.Fatal(err)
				}
			}
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got, err := receive(r); err == nil {
					t.Errorf("a whole form of %d bytes arrives", len(got.content))
				}
			}))
			defer server.Close()
			address, _ := url.Parse(server.URL)
			u := &transfer.Upload{URL: address, Part: "chunk", Content: *content}
			err = u.Send(t.Context(), server.Client())
			if wrong, ok := errors.AsType[*transfer.FileError](err); !ok || !strings.Contains(wrong.Reason, test.says) {
				t.Errorf("it says %v, want %q", err, test.says)
			}
			if found, ok := u.Found(); ok {
				t.Errorf("it found %+v", found)
			}
		})
	}
}

// Reading ahead ends when the upload does, wherever it is.
func TestUnreadObeysItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	file := inspected(t, bytes.Repeat([]byte("0123456789"), 5_000_000))
	content, err := file.Unread(ctx, transfer.Treatment{Pad: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 1<<20))
		cancel()
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	address, _ := url.Parse(server.URL)
	u := &transfer.Upload{URL: address, Part: "chunk", Content: *content}
	if err := u.Send(ctx, server.Client()); !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v", err)
	}
}
