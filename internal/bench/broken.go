// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// appended is what Harvester writes into a stream that it cannot finish.
const appended = "failed to copy download content to target(bench.gz), err: unexpected EOF"

// brokenDownloads sends 100 downloads of each kind that ends properly but is not whole, cut
// at other places each time, and counts those that are noticed without leaving a file.
func brokenDownloads(ctx context.Context, b *bench, r *report) error {
	const each = 100
	content := make([]byte, mib)
	source := rand.NewChaCha8([32]byte{})
	_, _ = source.Read(content[:mib/2])
	random := rand.New(source) //nolint:gosec // must be the same each time
	whole := gzipped(content)
	noticed, notes := 0, ""
	for _, kind := range []struct {
		name string
		sent func() []byte
	}{
		{"cut with the text of an error", func() []byte {
			return append(bytes.Clone(whole[:2+random.IntN(len(whole)-2)]), appended...)
		}},
		{"short but valid gzip", func() []byte { return gzipped(content[:random.IntN(len(content))]) }},
		{"text after the end", func() []byte { return append(bytes.Clone(whole), appended...) }},
	} {
		count := 0
		for range each {
			seen, err := b.notices(ctx, kind.sent(), mib)
			if err != nil {
				return err
			}
			if seen {
				count++
			}
		}
		noticed += count
		notes += fmt.Sprintf("%s: %d of %d; ", kind.name, count, each)
	}
	seen, err := b.notices(ctx, whole, mib)
	if err == nil && seen {
		err = errors.New("a download that was whole was refused")
	}
	r.figure("broken_downloads_noticed", float64(noticed), 0, notes[:len(notes)-2])
	return err
}

// notices says whether a download of that stream fails without leaving a file.
func (b *bench) notices(ctx context.Context, sent []byte, size int64) (bool, error) {
	folder, err := os.MkdirTemp(b.dir, "broken-*")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(sent) }))
	defer server.Close()
	address, err := url.Parse(server.URL)
	if err != nil {
		return false, err
	}
	download := &transfer.Download{
		URL: address, Packed: true, Size: size, Target: transfer.Target{Path: filepath.Join(folder, "disk.img"), FileMode: 0o600, DirMode: 0o700},
	}
	received, err := download.Receive(ctx, server.Client())
	if err == nil {
		return false, received.Commit()
	}
	if !errors.As(err, new(*transfer.StreamError)) {
		return false, err
	}
	left, err := os.ReadDir(folder)
	return len(left) == 0, err
}

func gzipped(content []byte) []byte {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write(content) // into memory
	_ = writer.Close()
	return packed.Bytes()
}
