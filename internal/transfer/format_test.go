// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lima-vm/go-qcow2reader/image/qcow2"
	"github.com/ulikunitz/xz/lzma"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// at places a signature.
func at(offset int, signature string) []byte {
	return append(bytes.Repeat([]byte{'x'}, offset), signature+strings.Repeat("x", 600)...)
}

// header builds a good qcow2 image of 3 GiB without data, whose header is changed by change.
func header(change func(*qcow2.HeaderFieldsV2, *qcow2.HeaderFieldsV3)) []byte {
	v2 := qcow2.HeaderFieldsV2{Magic: qcow2.MagicType([]byte("QFI\xfb")), Version: 3, ClusterBits: 16, Size: 3 << 30, L1Size: 6, L1TableOffset: 1 << 16, RefcountTableOffset: 2 << 16, RefcountTableClusters: 1}
	v3 := qcow2.HeaderFieldsV3{HeaderLength: 104}
	if change != nil {
		change(&v2, &v3)
	}
	var buffer bytes.Buffer
	_ = binary.Write(&buffer, binary.BigEndian, v2)
	if v2.Version == 3 {
		_ = binary.Write(&buffer, binary.BigEndian, v3)
	}
	return append(buffer.Bytes(), make([]byte, 3<<16-buffer.Len())...)
}

func gzipped(content []byte) []byte {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write(content)
	_ = writer.Close()
	return packed.Bytes()
}

// lzmaed is packed in the old format of xz.
func lzmaed(t *testing.T, content string) []byte {
	t.Helper()
	var out bytes.Buffer
	writer, err := lzma.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(writer, content)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	type (
		v2 = *qcow2.HeaderFieldsV2
		v3 = *qcow2.HeaderFieldsV3
	)
	for name, test := range map[string]struct {
		content []byte
		format  transfer.Format
		size    int64
		refused string

		decompress bool
		name       string // of the file
	}{
		"raw":              {content: at(0, "\xeb\x63\x90"), format: transfer.Raw, size: 603},
		"one byte":         {content: []byte{0}, format: transfer.Raw, size: 1},
		"ISO":              {content: at(0x8001, "CD001"), format: transfer.ISO, size: 0x8001 + 605},
		"qcow2, version 3": {content: header(nil), format: transfer.QCOW2, size: 3 << 30},
		"qcow2, version 2": {content: header(func(h v2, _ v3) { h.Version = 2 }), format: transfer.QCOW2, size: 3 << 30},
		"qcow (1)":         {content: header(func(h v2, _ v3) { h.Version = 1 }), format: transfer.QCOW2, refused: "version 1"},
		"backing file":     {content: header(func(h v2, _ v3) { h.BackingFileOffset = 200 }), format: transfer.QCOW2, refused: "backing file"},
		"encrypted":        {content: header(func(h v2, _ v3) { h.CryptMethod = 2 }), format: transfer.QCOW2, refused: "encrypted"},
		"external data":    {content: header(func(_ v2, h v3) { h.IncompatibleFeatures = 1 << 2 }), format: transfer.QCOW2, refused: "another file"},
		"corrupt":          {content: header(func(_ v2, h v3) { h.IncompatibleFeatures = 1 << 1 }), format: transfer.QCOW2, refused: "corrupt"},
		"no disk":          {content: header(func(h v2, _ v3) { h.Size = 0 }), format: transfer.QCOW2, refused: "0 bytes"},
		"cut header":       {content: header(nil)[:50], format: transfer.QCOW2, refused: "ends within"},
		"cut v3 header":    {content: header(nil)[:80], format: transfer.QCOW2, refused: "ends within"},
		"VMDK":             {content: at(0, "KDMV"), format: transfer.VMDK, refused: "qemu-img convert"},
		"VMDK descriptor":  {content: at(0, "# Disk DescriptorFile"), format: transfer.VMDK, refused: "qemu-img convert"},
		"VHD":              {content: at(0, "conectix"), format: transfer.VHD, refused: "qemu-img convert"},
		"VHDX":             {content: at(0, "vhdxfile"), format: transfer.VHDX, refused: "qemu-img convert"},
		"VDI":              {content: at(64, "\x7f\x10\xda\xbe"), format: transfer.VDI, refused: "qemu-img convert"},
		"OVA":              {content: at(257, "ustar"), format: transfer.OVA, refused: "unpack"},
		"gzip, as it is":   {content: at(0, "\x1f\x8b\x08"), format: transfer.Gzip, size: 603},
		"gzip of raw":      {content: gzipped(at(0, "x")), format: transfer.Raw, decompress: true},
		"gzip of qcow2":    {content: gzipped(header(nil)), format: transfer.QCOW2, size: 3 << 30, decompress: true},
		"gzip of VMDK":     {content: gzipped(at(0, "KDMV")), format: transfer.VMDK, decompress: true, refused: "qemu-img convert"},
		"gzip of gzip":     {content: gzipped(gzipped(at(0, "x"))), format: transfer.Gzip, decompress: true, refused: "twice"},
		"broken gzip":      {content: at(0, "\x1f\x8b\x08"), decompress: true, refused: "looks like gzip"},
		"broken xz":        {content: at(0, "\xfd7zXZ\x00"), decompress: true, refused: "looks like xz"},
		"broken zstd":      {content: at(0, "\x28\xb5\x2f\xfd\xff"), decompress: true, refused: "looks like zstd"},
		"broken bzip2":     {content: at(0, "BZh9"), decompress: true, refused: "looks like bzip2"},

		"zip":                  {content: at(0, "PK\x03\x04"), format: transfer.Zip, decompress: true, refused: "unpack it first (unzip)"},
		"zip, as it is":        {content: at(0, "PK\x03\x04"), format: transfer.Zip, size: 604},
		"7z":                   {content: at(0, "7z\xbc\xaf\x27\x1c"), format: transfer.SevenZip, decompress: true, refused: "unpack it first (7z x)"},
		"lz4":                  {content: at(0, "\x04\x22\x4d\x18"), format: transfer.LZ4, decompress: true, refused: "unpack it first (lz4 -d)"},
		"lz4 of old versions":  {content: at(0, "\x02\x21\x4c\x18"), format: transfer.LZ4, decompress: true, refused: "unpack it first (lz4 -d)"},
		"lz4, behind a note":   {content: append(skippable("note"), "\x04\x22\x4d\x18"...), format: transfer.LZ4, decompress: true, refused: "unpack it first (lz4 -d)"},
		"lzma":                 {content: lzmaed(t, "content"), format: transfer.LZMA, decompress: true, refused: "unpack it first (xz --format=lzma -d)"},
		"almost lzma":          {content: append([]byte("\x5d\x00\x00\x00\x05\x01"), make([]byte, 600)...), format: transfer.Raw, size: 606, decompress: true},
		"zstd, behind a note":  {content: append(skippable("note"), packed(t, "zstd", header(nil))...), format: transfer.QCOW2, size: 3 << 30, decompress: true},
		"zstd, behind a lot":   {content: append(skippable(strings.Repeat("x", 1<<20)), packed(t, "zstd", header(nil))...), format: transfer.QCOW2, size: 3 << 30, decompress: true},
		"a note before a disk": {content: append(skippable("note"), "disk"...), format: transfer.Raw, size: 16, decompress: true},
		"gzip of zip":          {content: gzipped(at(0, "PK\x03\x04")), format: transfer.Zip, decompress: true, refused: "holds what was packed with zip"},
		"cut gzip":             {content: gzipped(header(nil))[:20], decompress: true, refused: "unexpected EOF"},

		"Git LFS pointer":          {content: []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 629145600\n"), format: transfer.Raw, refused: "git lfs pull"},
		"HTML page":                {content: []byte("\xef\xbb\xbf\n<!DOCTYPE HTML>\n<html>"), format: transfer.Raw, refused: "is an HTML page"},
		"HTML page, packed":        {content: gzipped([]byte("<html><body>404")), format: transfer.Raw, decompress: true, refused: "is an HTML page"},
		"XML of a store":           {content: []byte(`<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>`), format: transfer.Raw, refused: "is an XML document"},
		"named qcow2":              {name: "a.QCOW2", content: at(0, "x"), format: transfer.Raw, refused: "has the name of a qcow2 image, but is none (it looks like raw)"},
		"named qcow2, an ISO":      {name: "a.qcow2", content: at(0x8001, "CD001"), format: transfer.ISO, refused: "but is none (it looks like ISO)"},
		"named qcow2, packed":      {name: "a.qcow2", content: at(0, "\x1f\x8b\x08"), format: transfer.Gzip, refused: "but is none (it looks like gzip)"},
		"named qcow2, unpacked":    {name: "a.qcow2.gz", content: gzipped(at(0, "x")), format: transfer.Raw, decompress: true, refused: "has the name of a qcow2 image"},
		"named qcow2, and is":      {name: "a.qcow2.gz", content: gzipped(header(nil)), format: transfer.QCOW2, size: 3 << 30, decompress: true},
		"named qcow2, is unpacked": {name: "a.qcow2", content: gzipped(header(nil)), format: transfer.QCOW2, size: 3 << 30, decompress: true},
		"named otherwise":          {name: "a.qcow2.bak", content: at(0, "x"), format: transfer.Raw, size: 601},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), cmp.Or(test.name, "file"))
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			file, err := transfer.Inspect(path)
			if err != nil {
				t.Fatal(err)
			}
			format, size, err := file.Preflight(t.Context(), transfer.Treatment{Decompress: test.decompress})
			if format != test.format || size != test.size {
				t.Errorf("got %s of %d bytes, want %s of %d", format, size, test.format, test.size)
			}
			var wrong *transfer.FileError
			if (test.refused != "") != errors.As(err, &wrong) || wrong != nil && !strings.Contains(wrong.Reason, test.refused) {
				t.Errorf("got %v, want %q", err, test.refused)
			}
		})
	}
}
