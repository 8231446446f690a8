// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// What bzip2 and zstd make of nothing.
const (
	bzippedNothing = "BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"
	zippedNothing  = "\x28\xb5\x2f\xfd\x24\x00\x01\x00\x00\x99\xe9\xd8\x51"
)

var unpacking = transfer.Treatment{Decompress: true, Pad: true}

func TestNothingIsRefused(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"gzip": gzipped(nil), "xz": packed(t, "xz", nil), "zstd": []byte(zippedNothing), "bzip2": []byte(bzippedNothing),
		"zstd, skipped": skippable("note"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const want = "is empty once it is unpacked"
			file := inspected(t, file)
			_, _, err := file.Preflight(t.Context(), unpacking)
			var wrong *transfer.FileError
			if !errors.As(err, &wrong) || wrong.Reason != want {
				t.Errorf("Preflight says %v", err)
			}
			if _, err = file.Scan(t.Context(), unpacking); !errors.As(err, &wrong) || wrong.Reason != want {
				t.Errorf("Scan says %v", err)
			}
		})
	}
}

// xzWith is an xz file that says it needs a dictionary of the size that the code stands for.
func xzWith(t *testing.T, code byte, content []byte) []byte {
	t.Helper()
	const block, dictionary = 12, 16 // after the header of the stream; of the only filter
	file := packed(t, "xz", content)
	length := 4 * (int(file[block]) + 1)
	if !bytes.Equal(file[dictionary-2:dictionary], []byte{0x21, 1}) {
		t.Fatalf("the header of the block is % x", file[block:block+length])
	}
	file[dictionary] = code
	binary.LittleEndian.PutUint32(file[block+length-4:], crc32.ChecksumIEEE(file[block:block+length-4]))
	return file
}

// zstdWith is the beginning of a zstd file with a window of so many bits.
func zstdWith(bits byte) []byte {
	return []byte{0x28, 0xb5, 0x2f, 0xfd, 0, (bits - 10) << 3, 0x21, 0, 0, 'd', 'i', 's', 'k'}
}

func TestUnpackingBoundsItsMemory(t *testing.T) {
	t.Parallel()
	const refused = "dictionary of more than 128 MiB"
	content := []byte("some content")
	for name, test := range map[string]struct {
		file []byte
		scan string // what Scan says
		head string // what Preflight says
	}{
		"xz, 128 MiB":             {xzWith(t, 30, content), "", ""},
		"xz, 192 MiB":             {xzWith(t, 31, content), refused, refused},
		"xz, 4 GiB":               {xzWith(t, 40, content), refused, refused},
		"xz, in a later part":     {append(packed(t, "xz", make([]byte, 100_000)), xzWith(t, 40, content)...), refused, ""},
		"zstd, 128 MiB":           {zstdWith(27), "", ""},
		"zstd, 256 MiB":           {zstdWith(28), refused, refused},
		"zstd, 2 TiB":             {zstdWith(41), refused, refused},
		"zstd, behind a skipped":  {append(skippable("note"), zstdWith(28)...), refused, refused},
		"zstd, in a second frame": {append(packed(t, "zstd", make([]byte, 100_000)), zstdWith(28)...), refused, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := inspected(t, test.file)
			_, _, head := file.Preflight(t.Context(), unpacking)
			_, scan := file.Scan(t.Context(), unpacking)
			for who, is := range map[string]struct {
				err  error
				says string
			}{"Preflight": {head, test.head}, "Scan": {scan, test.scan}} {
				if (is.err != nil) != (is.says != "") || is.err != nil && !strings.Contains(is.err.Error(), is.says) {
					t.Errorf("%s says %v, want %q", who, is.err, is.says)
				}
			}
		})
	}
}

// Gunzip and bunzip2 ignore what stands behind the packed data, and so is it here; unxz and zstd do not.
func TestDataBehindThePackedData(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789"), 30_000)
	whole, zeros := gzipped(content), make([]byte, 3000)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	spoiled := gzipped([]byte("more"))
	spoiled[len(spoiled)-6] ^= 1
	for name, test := range map[string]struct {
		file, want []byte
		behind     bool
		refused    bool
	}{
		"gzip alone":                    {file: whole, want: content},
		"gzip, two members":             {file: join(whole, gzipped([]byte("more"))), want: append(bytes.Clone(content), "more"...)},
		"gzip, an empty member":         {file: join(whole, gzipped(nil)), want: content},
		"gzip, then zeros":              {file: join(whole, zeros), want: content},
		"gzip, then one byte":           {file: join(whole, []byte("x")), want: content, behind: true},
		"gzip, then data":               {file: join(whole, []byte(`{"metadata_version":"1.1"}FWx0`)), want: content, behind: true},
		"gzip, then zeros and data":     {file: join(whole, zeros, []byte("x")), want: content, behind: true},
		"gzip, then a lot":              {file: join(whole, bytes.Repeat([]byte("junk"), 1<<20)), want: content, behind: true},
		"gzip, two members, then data":  {file: join(whole, gzipped([]byte("more")), []byte("x")), want: append(bytes.Clone(content), "more"...), behind: true},
		"gzip, then a damaged member":   {file: join(whole, spoiled), refused: true},
		"gzip, then half a member":      {file: join(whole, whole[:len(whole)/2]), refused: true},
		"gzip, then the signature only": {file: join(whole, whole[:2]), refused: true},
		"bzip2, then data":              {file: []byte(bzipped + "junk"), want: []byte("hello\n"), behind: true},
		"bzip2, then zeros":             {file: append([]byte(bzipped), zeros...), want: []byte("hello\n")},
		"bzip2, two streams":            {file: []byte(bzipped + bzipped), want: []byte("hello\nhello\n")},
		"xz, padded":                    {file: join(packed(t, "xz", content), zeros), want: content},
		"xz, two streams":               {file: join(packed(t, "xz", content), packed(t, "xz", []byte("more"))), want: append(bytes.Clone(content), "more"...)},
		"xz, then data":                 {file: join(packed(t, "xz", content), []byte("junk")), refused: true},
		"zstd, then data":               {file: join(packed(t, "zstd", content), []byte("junk")), refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := inspected(t, test.file).Scan(t.Context(), transfer.Treatment{Decompress: true})
			if test.refused {
				if !errors.As(err, new(*transfer.FileError)) {
					t.Errorf("got %v, want a refusal", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.SHA512 != sum(test.want) || got.Size != int64(len(test.want)) || got.FileSHA512 != sum(test.file) || got.Behind != test.behind {
				t.Errorf("got %d bytes, %.8s, file %.8s, behind %v", got.Size, got.SHA512, got.FileSHA512, got.Behind)
			}
			reader, err := got.Open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			if sent, err := io.ReadAll(reader); err != nil || !bytes.Equal(sent, test.want) {
				t.Errorf("Open delivers %d bytes (%v)", len(sent), err)
			}
		})
	}
}

// hostile are files that take long: they make much of little, or nothing of much.
func hostile(t *testing.T) map[string][]byte {
	t.Helper()
	bomb := gzipped(make([]byte, 256<<20))
	empty := gzipped(nil)
	return map[string][]byte{
		"much of little": bytes.Repeat(bomb, 100),
		"nothing":        append(bytes.Repeat(empty, 1_000_000), gzipped([]byte("x"))...),
		"skipped":        append(bytes.Repeat(skippable(""), 2_000_000), packed(t, "zstd", []byte("x"))...),
	}
}

func TestUnpackingIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, file := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := inspected(t, file)
			for what, read := range map[string]func(context.Context) error{
				"Preflight": func(ctx context.Context) error {
					_, _, err := file.Preflight(ctx, unpacking)
					return err
				},
				"Scan": func(ctx context.Context) error {
					_, err := file.Scan(ctx, unpacking)
					return err
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				started := time.Now()
				err := read(ctx)
				cancel()
				if took := time.Since(started); took > 2*time.Second {
					t.Errorf("%s goes on for %s", what, took)
				}
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s ends with %v", what, err)
				}
				if err == nil && what == "Scan" && name == "much of little" {
					t.Error("25 GiB were unpacked in no time")
				}
			}
		})
	}
}

// Reading what is to be sent ends too, or an upload that is given up would wait for it.
func TestOpenedContentIsInterrupted(t *testing.T) {
	t.Parallel()
	content, err := inspected(t, gzipped(make([]byte, 64<<20))).Scan(t.Context(), unpacking)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	reader, err := content.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := io.ReadFull(reader, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if n, err := io.Copy(io.Discard, reader); !errors.Is(err, context.Canceled) {
		t.Errorf("%d bytes more, then %v", n, err)
	}
}

// skippable is a frame that zstd and lz4 pass over.
func skippable(note string) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte("\x50\x2a\x4d\x18"), uint32(len(note))), note...)
}

// A file that is cut while it is read gives no endless zeros.
func TestScanOfAShrinkingFile(t *testing.T) {
	t.Parallel()
	file := inspected(t, make([]byte, 4096))
	if err := os.Truncate(file.Path, 1024); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Scan(t.Context(), transfer.Treatment{}); err == nil || !strings.Contains(err.Error(), "changed its size from 4096 to 1024") {
		t.Errorf("got %v", err)
	}
}
