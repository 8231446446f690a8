// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ulikunitz/xz"
)

// Each parser of bytes that others made has a target here. Seeds are in testdata/fuzz.

// fuzzed is how much a target unpacks at most, in bytes.
const fuzzed = 8 << 20

// FuzzDetect: a format is told whatever the bytes are, and what packs can be begun to be unpacked.
func FuzzDetect(f *testing.F) {
	for _, m := range magics {
		f.Add(append(bytes.Repeat([]byte{'x'}, m.offset), m.signature...))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		format := detect(head)
		for _, treatment := range []Treatment{{}, {Decompress: true}} {
			codec, err := packing(bytes.NewReader(head), treatment)
			if err != nil || codec != Raw && (codec != format && len(head) <= headSize || !treatment.Decompress) {
				t.Errorf("%s is unpacked as %s (%v)", format, codec, err)
			}
			wrong := File{Path: "disk.qcow2"}.unusable(head, codec, treatment)
			if wrong == "" && codec == Raw {
				t.Errorf("%s is taken for a qcow2 image", format)
			}
		}
	})
}

// FuzzUnpack: whatever is unpacked is what other implementations make of it, as far as they make anything of it.
func FuzzUnpack(f *testing.F) {
	f.Fuzz(func(t *testing.T, file []byte) {
		codec := detect(file)
		if !codec.packs() {
			return
		}
		data, err := unpack(t.Context(), bytes.NewReader(file), codec)
		if err != nil {
			return
		}
		defer data.Close()
		got, err := io.ReadAll(io.LimitReader(data, fuzzed))
		if err != nil || len(got) == fuzzed {
			return
		}
		behind, err := goesOn(data.rest)
		if err != nil {
			t.Errorf("the rest cannot be read: %v", err)
		}
		want, known := otherwise(file, codec)
		if known && !behind && !bytes.Equal(got, want) {
			t.Errorf("%s gives %d bytes, and otherwise %d", codec, len(got), len(want))
		}
		content := Content{Treatment: Treatment{Decompress: true, Pad: true}}
		err = content.read(t.Context(), bytes.NewReader(file), codec, io.Discard)
		if err == nil && (content.data != int64(len(got)) || content.Behind != behind || content.Size%BlockSize != 0) {
			t.Errorf("scanned, it has %d bytes and behind them %v", content.data, content.Behind)
		}
		if err != nil && !errors.As(err, new(*FileError)) {
			t.Errorf("unpacked, it cannot be scanned: %v", err)
		}
	})
}

// otherwise unpacks with other packages, where there are any.
func otherwise(file []byte, codec Format) (content []byte, known bool) {
	var reader io.Reader
	var err error
	switch codec {
	case Gzip:
		reader, err = gzip.NewReader(bytes.NewReader(file))
	case XZ: // our own has refused large dictionaries
		reader, err = xz.NewReader(bytes.NewReader(file))
	default:
		return nil, false
	}
	if err != nil {
		return nil, false
	}
	content, err = io.ReadAll(io.LimitReader(reader, fuzzed))
	return content, err == nil
}

// FuzzQCOW2: whatever a file says of itself, checking it ends, takes little memory, and what is whole as a
// download is whole as an upload.
func FuzzQCOW2(f *testing.F) {
	f.Fuzz(func(t *testing.T, file []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		size := int64(len(file))
		downloaded := checkDownload(ctx, bytes.NewReader(file), size, 0)
		if downloaded != nil && !errors.As(downloaded, new(*StreamError)) {
			t.Errorf("the check of a download ends with %v", downloaded)
		}
		disk, wrong, err := checkQCOW2(ctx, bytes.NewReader(file), size)
		if err != nil {
			t.Errorf("the check of an upload ends with %v", err)
		}
		if (wrong == "") != (disk > 0) {
			t.Errorf("a disk of %d bytes, and %q", disk, wrong)
		}
		if _, unfit := judgeQCOW2(file); downloaded == nil && unfit == "" && wrong != "" {
			t.Errorf("whole as a download, but %q", wrong)
		}
		if late := cutQCOW2(file[:min(len(file), headSize)], size); wrong == "" && late != "" {
			t.Errorf("whole, but packed %q", late)
		}
	})
}

// FuzzStream: a download that is taken holds the whole image and nothing else.
func FuzzStream(f *testing.F) {
	f.Fuzz(func(t *testing.T, sent []byte, size int64) {
		d := &Download{Packed: true, Size: size % fuzzed}
		source := &source{Reader: bytes.NewReader(sent)}
		got, err := io.ReadAll(io.LimitReader(d.unpack(bufio.NewReader(source)), fuzzed))
		if err = source.explain(err, int64(len(got))); err != nil {
			if !errors.As(err, new(*StreamError)) || !utf8.ValidString(err.Error()) {
				t.Errorf("got %T %q", err, err)
			}
			return
		}
		if want, known := otherwise(sent, Gzip); len(got) < fuzzed && (!known || !bytes.Equal(got, want) || d.Size > 0 && int64(len(got)) != d.Size) {
			t.Errorf("%d bytes are taken, want %d of %d", len(got), len(want), d.Size)
		}
	})
}

// FuzzAnswer: what a server says becomes one line that can be shown.
func FuzzAnswer(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		for who, line := range map[string]string{"said": said(text), "plain": plain(string(text)), "quote": quote(text)} {
			if strings.ContainsFunc(line, unicode.IsControl) || len(line) > 16<<10 {
				t.Errorf("%s makes %q of %q", who, line, text)
			}
		}
		if bytes.IndexFunc([]byte(quote(text)), unprintable) >= 0 {
			t.Errorf("quoted as %q", quote(text))
		}
	})
}
