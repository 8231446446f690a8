// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"path/filepath"
	"strings"
)

// Format is what a file's magic bytes say it is.
type Format string

// The formats that are told apart. Raw is whatever none of the others claims.
const (
	Raw      Format = "raw"
	ISO      Format = "ISO"
	QCOW2    Format = "qcow2"
	VMDK     Format = "VMDK"
	VHD      Format = "VHD"
	VHDX     Format = "VHDX"
	VDI      Format = "VDI"
	OVA      Format = "OVA"
	Gzip     Format = "gzip"
	XZ       Format = "xz"
	Zstd     Format = "zstd"
	Bzip2    Format = "bzip2"
	Zip      Format = "zip"
	SevenZip Format = "7z"
	LZ4      Format = "lz4"
	LZMA     Format = "lzma"
)

// packs says that files of this format are unpacked on their way.
func (f Format) packs() bool { return f == Gzip || f == XZ || f == Zstd || f == Bzip2 }

// unpackers are the programs for what is not unpacked on its way.
var unpackers = map[Format]string{Zip: "unzip", SevenZip: "7z x", LZ4: "lz4 -d", LZMA: "xz --format=lzma -d"}

// magics are the signatures and where they stand, in bytes from the start.
var magics = []struct {
	format    Format
	offset    int
	signature string
}{
	{QCOW2, 0, "QFI\xfb"},
	{VMDK, 0, "KDMV"},
	{VMDK, 0, "# Disk DescriptorFile"},
	{VHDX, 0, "vhdxfile"},
	{VHD, 0, "conectix"}, // a dynamic disk repeats its footer at the start
	{VDI, 64, "\x7f\x10\xda\xbe"},
	{Gzip, 0, "\x1f\x8b"},
	{XZ, 0, "\xfd7zXZ\x00"},
	{Zstd, 0, "\x28\xb5\x2f\xfd"},
	{Bzip2, 0, "BZh"},
	{Zip, 0, "PK\x03\x04"},
	{Zip, 0, "PK\x05\x06"}, // with nothing in it
	{Zip, 0, "PK\x07\x08"}, // in several volumes
	{SevenZip, 0, "7z\xbc\xaf\x27\x1c"},
	{LZ4, 0, "\x04\x22\x4d\x18"},
	{LZ4, 0, "\x02\x21\x4c\x18"}, // of old versions
	{OVA, 257, "ustar"},
	{ISO, 0x8001, "CD001"},
}

// headSize reaches over every signature, in bytes.
const headSize = 0x8001 + 5

// Preflight reads the beginning of what would be sent, and the tables of a qcow2 image, and tells its format and
// the size of the disk it holds, in bytes (0 for a compressed raw disk: nobody knows
// before all is unpacked). A file that Harvester would import but no virtual
// machine could use is a *FileError that says what to do; other errors are the context's.
func (f File) Preflight(ctx context.Context, treatment Treatment) (Format, int64, error) {
	type disk struct {
		format Format
		size   int64
	}
	seen, err := promptly(ctx, func() (d disk, err error) {
		d.format, d.size, err = f.preflight(ctx, treatment)
		return d, err
	})
	return seen.format, seen.size, err
}

func (f File) preflight(ctx context.Context, treatment Treatment) (Format, int64, error) {
	file, _, err := open(f.Path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = file.Close() }()
	codec, err := packing(file, treatment)
	if err != nil {
		return "", 0, f.unreadable(ctx, err)
	}
	head, err := unpackedHead(ctx, file, codec)
	switch {
	case err != nil && ctx.Err() != nil:
		return "", 0, context.Cause(ctx)
	case err != nil:
		return "", 0, &FileError{f.Path, fmt.Sprintf("looks like %s, but cannot be unpacked: %s", codec, cause(err))}
	case len(head) == 0:
		return "", 0, &FileError{f.Path, nothing}
	}
	var size int64
	var wrong string
	format := detect(head)
	switch {
	case format == QCOW2 && codec == Raw:
		size, wrong, err = checkQCOW2(ctx, file, f.Size)
	case format == QCOW2: // the tables must wait for Scan
		size, wrong = judgeQCOW2(head)
	case codec == Raw:
		size, wrong = f.Size, f.unusable(head, codec, treatment)
	default: // nobody knows the size before all is unpacked
		wrong = f.unusable(head, codec, treatment)
	}
	switch {
	case err != nil:
		return format, 0, f.unreadable(ctx, err)
	case wrong != "":
		return format, 0, &FileError{f.Path, wrong}
	}
	return format, size, nil
}

// unusable says why a file that is no qcow2 image is refused.
func (f File) unusable(head []byte, codec Format, treatment Treatment) string {
	format := detect(head)
	program, archive := unpackers[format]
	switch {
	case format.packs() && treatment.Decompress:
		return fmt.Sprintf("is compressed twice, the inner time with %s; decompress it first", format)
	case archive && codec != Raw:
		return fmt.Sprintf("holds what was packed with %s; unpack both and upload the disk inside", format)
	case archive && treatment.Decompress:
		return fmt.Sprintf("is packed with %s, which is not undone on the way; unpack it first (%s) and upload the disk inside", format, program)
	case format == VMDK || format == VHD || format == VHDX || format == VDI:
		return fmt.Sprintf("is a %s image; Harvester uses raw, ISO and qcow2 only, so convert it first: qemu-img convert -O qcow2 %s new.qcow2", format, f.Path)
	case format == OVA:
		return "is a tar archive (an OVA, perhaps); unpack it and convert the disk inside to qcow2"
	}
	if wrong := text(head); wrong != "" {
		return wrong
	}
	if f.namedQCOW2(codec) {
		return fmt.Sprintf("has the name of a qcow2 image, but is none (it looks like %s); if it is what you mean to upload, give it another name", format)
	}
	return ""
}

// namedQCOW2 says that the name promises a qcow2 image, once it is unpacked.
func (f File) namedQCOW2(codec Format) bool {
	name := strings.ToLower(filepath.Base(f.Path))
	if end := filepath.Ext(name); codec != Raw && end != ".qcow2" {
		name = strings.TrimSuffix(name, end)
	}
	return filepath.Ext(name) == ".qcow2"
}

// text says why a file is no disk at all: it is what stands where a disk was expected.
func text(head []byte) string {
	start := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(head[:min(len(head), tailSize)], []byte("\xef\xbb\xbf"))))
	begins := func(with string) bool { return bytes.HasPrefix(start, []byte(with)) }
	switch {
	case begins("version https://git-lfs.github.com/spec/"):
		return "is a Git LFS pointer, not the file itself; fetch that first: git lfs pull"
	case begins("<!doctype html"), begins("<html"):
		return "is an HTML page, not an image: the answer of a web server, perhaps, that had no such file; download it again"
	case begins("<?xml"):
		return "is an XML document, not an image: the answer of a web server, perhaps, that had no such file; download it again"
	}
	return ""
}

// headOf is the beginning of a file.
func headOf(file io.ReaderAt) ([]byte, error) {
	head := make([]byte, headSize)
	n, err := file.ReadAt(head, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return head[:n], err
}

// unpackedHead is the beginning of what is packed in a file.
func unpackedHead(ctx context.Context, file io.Reader, codec Format) ([]byte, error) {
	data, err := unpack(ctx, file, codec)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(data, head)
	switch {
	case n > 0 && errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return head[:n], nil // if the data was cut, Scan says so
	}
	return head[:n], err
}

func detect(head []byte) Format {
	head, skipped := behindSkippable(head)
	if skipped && len(head) == 0 {
		return Zstd // or lz4; unpacking it tells
	}
	for _, m := range magics {
		if len(head) > m.offset && bytes.HasPrefix(head[m.offset:], []byte(m.signature)) {
			return m.format
		}
	}
	if isLZMA(head) {
		return LZMA
	}
	return Raw
}

// behindSkippable passes over the frames that zstd and lz4 skip. Pzstd, for one, begins with such a frame.
func behindSkippable(head []byte) (rest []byte, skipped bool) {
	for len(head) >= 8 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18" {
		length := 8 + uint64(binary.LittleEndian.Uint32(head[4:]))
		head, skipped = head[min(length, uint64(len(head))):], true
	}
	return head, skipped
}

// isLZMA tells the old format of xz, which has no signature, as xz itself does: by properties, a size of
// the dictionary and one of the content that make sense. The first byte of the data is always 0.
func isLZMA(head []byte) bool {
	const usual, header, most = 0x5d, 13, 256 << 30
	if len(head) <= header || head[0] != usual || head[header] != 0 {
		return false
	}
	dictionary, size := binary.LittleEndian.Uint32(head[1:]), binary.LittleEndian.Uint64(head[5:])
	top := bits.LeadingZeros32(dictionary)
	round := dictionary >= 4<<10 && (dictionary == 1<<31>>top || dictionary == 3<<30>>top)
	return round && (size == math.MaxUint64 || size > 0 && size < most)
}
