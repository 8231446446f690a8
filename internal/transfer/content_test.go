// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// bzipped is bzip2 of "hello\n", which Go can unpack but not pack.
const bzipped = "BZh91AY&SY\xc1\xc0\x80\xe2\x00\x00\x01\x41\x00\x00\x10\x02\x44\xa0\x00\x30\xcd\x00\xc3\x46\x29\x97\x17\x72\x45\x38\x50\x90\xc1\xc0\x80\xe2"

func packed(t *testing.T, format string, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var writer io.WriteCloser
	var err error
	switch format {
	case "xz":
		writer, err = xz.NewWriter(&out)
	case "zstd":
		writer, err = zstd.NewWriter(&out)
	case "gzip":
		return gzipped(content)
	default:
		return content
	}
	if err != nil {
		t.Fatal(err)
	}
	_, _ = writer.Write(content)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sum(content []byte) string {
	s := sha512.Sum512(content)
	return hex.EncodeToString(s[:])
}

func inspected(t *testing.T, content []byte) transfer.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := transfer.Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestScanAndOpenAgree: what Scan promises is what Open delivers, for every
// compression, with and without padding.
func TestScanAndOpenAgree(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789"), 300_001)
	for name, test := range map[string]struct {
		file, want []byte
		treatment  transfer.Treatment
	}{
		"as it is":           {large, large, transfer.Treatment{}},
		"padded":             {large, large, transfer.Treatment{Pad: true}},
		"no padding needed":  {large[:1024], large[:1024], transfer.Treatment{Pad: true}},
		"gzip":               {packed(t, "gzip", large), large, transfer.Treatment{Decompress: true, Pad: true}},
		"xz":                 {packed(t, "xz", large), large, transfer.Treatment{Decompress: true, Pad: true}},
		"zstd":               {packed(t, "zstd", large), large, transfer.Treatment{Decompress: true, Pad: true}},
		"bzip2":              {[]byte(bzipped), []byte("hello\n"), transfer.Treatment{Decompress: true, Pad: true}},
		"gzip, not unpacked": {packed(t, "gzip", large), packed(t, "gzip", large), transfer.Treatment{}},
		"plain, decompress":  {large, large, transfer.Treatment{Decompress: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content, err := inspected(t, test.file).Scan(t.Context(), test.treatment)
			if err != nil {
				t.Fatal(err)
			}
			want := bytes.Clone(test.want)
			if test.treatment.Pad {
				want = append(want, make([]byte, (512-len(want)%512)%512)...)
			}
			if content.Size != int64(len(want)) || content.SHA512 != sum(want) || content.FileSHA512 != sum(test.file) {
				t.Errorf("Scan says %d bytes, %.8s, file %.8s; want %d, %.8s, %.8s",
					content.Size, content.SHA512, content.FileSHA512, len(want), sum(want), sum(test.file))
			}
			for range 2 { // a retry starts over
				reader, err := content.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(reader)
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("Open delivers %d bytes (%v), want %d", len(got), err, len(want))
				}
				_ = reader.Close()
			}
		})
	}
}

func TestScanReportsDamage(t *testing.T) {
	t.Parallel()
	whole := packed(t, "gzip", bytes.Repeat([]byte("0123456789"), 10_000))
	_, err := inspected(t, whole[:len(whole)-20]).Scan(t.Context(), transfer.Treatment{Decompress: true})
	if !errors.As(err, new(*transfer.FileError)) || !strings.Contains(err.Error(), "to its end") {
		t.Errorf("a cut archive gives %v", err)
	}
}

func TestScanObeysItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := inspected(t, make([]byte, 1<<20)).Scan(ctx, transfer.Treatment{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
}
