// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lima-vm/go-qcow2reader/image/qcow2"
)

// Format is what a file's magic bytes say it is.
type Format string

// The formats that are told apart. Raw is whatever none of the others claims.
const (
	Raw   Format = "raw"
	ISO   Format = "ISO"
	QCOW2 Format = "qcow2"
	VMDK  Format = "VMDK"
	VHD   Format = "VHD"
	VHDX  Format = "VHDX"
	VDI   Format = "VDI"
	OVA   Format = "OVA"
	Gzip  Format = "gzip"
	XZ    Format = "xz"
	Zstd  Format = "zstd"
	Bzip2 Format = "bzip2"
)

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
	{OVA, 257, "ustar"},
	{ISO, 0x8001, "CD001"},
}

// headSize reaches over every signature, in bytes.
const headSize = 0x8001 + 5

// Preflight reads the beginning of what would be sent and tells its format and the size
// of the disk it holds, in bytes (0 for a compressed raw disk: nobody knows
// before all is unpacked). A file that Harvester would import but no virtual
// machine could use is a *FileError that says what to do.
func (f File) Preflight(treatment Treatment) (Format, int64, error) {
	head, size, err := f.sentHead(treatment)
	if err != nil {
		return "", 0, err
	}
	format := detect(head)
	if format == QCOW2 {
		size, wrong := checkQCOW2(head)
		if wrong != "" {
			return format, 0, &FileError{f.Path, wrong}
		}
		return format, size, nil
	}
	if wrong := f.unusable(format, treatment); wrong != "" {
		return format, 0, &FileError{f.Path, wrong}
	}
	return format, size, nil
}

// unusable says why files of a format are refused.
func (f File) unusable(format Format, treatment Treatment) string {
	switch format {
	case Raw, ISO, QCOW2:
	case Gzip, XZ, Zstd, Bzip2:
		if treatment.Decompress {
			return fmt.Sprintf("is compressed twice, the inner time with %s; decompress it first", format)
		}
	case VMDK, VHD, VHDX, VDI:
		return fmt.Sprintf("is a %s image; Harvester uses raw, ISO and qcow2 only, so convert it first: qemu-img convert -O qcow2 %s new.qcow2", format, f.Path)
	case OVA:
		return "is a tar archive (an OVA, perhaps); unpack it and convert the disk inside to qcow2"
	}
	return ""
}

// sentHead is the beginning of what would be sent, and its whole size if that is known.
func (f File) sentHead(treatment Treatment) ([]byte, int64, error) {
	codec := f.codec(treatment)
	if codec == Raw {
		head, err := f.head()
		return head, f.Size, err
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, 0, &FileError{f.Path, "cannot be opened: " + cause(err)}
	}
	defer func() { _ = file.Close() }()
	unpacked, err := unpack(file, codec)
	if err != nil {
		return nil, 0, &FileError{f.Path, fmt.Sprintf("looks like %s, but cannot be unpacked: %s", codec, cause(err))}
	}
	defer func() { _ = unpacked.Close() }()
	head := make([]byte, headSize)
	n, err := io.ReadFull(unpacked, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, 0, &FileError{f.Path, fmt.Sprintf("looks like %s, but cannot be unpacked: %s", codec, cause(err))}
	}
	return head[:n], 0, nil
}

func (f File) head() ([]byte, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, &FileError{f.Path, "cannot be opened: " + cause(err)}
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, headSize)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &FileError{f.Path, "cannot be read: " + cause(err)}
	}
	return head[:n], nil
}

func detect(head []byte) Format {
	for _, m := range magics {
		if len(head) > m.offset && bytes.HasPrefix(head[m.offset:], []byte(m.signature)) {
			return m.format
		}
	}
	return Raw
}

// checkQCOW2 reads the header; wrong says why the image cannot be used.
func checkQCOW2(head []byte) (size int64, wrong string) {
	var v2 qcow2.HeaderFieldsV2
	var v3 qcow2.HeaderFieldsV3
	reader := bytes.NewReader(head)
	if err := binary.Read(reader, binary.BigEndian, &v2); err != nil {
		return 0, "begins like a qcow2 image, but ends within its header"
	}
	if v2.Version == 3 {
		if err := binary.Read(reader, binary.BigEndian, &v3); err != nil {
			return 0, "begins like a qcow2 image, but ends within its header"
		}
	}
	has := func(bit int) bool { return v3.IncompatibleFeatures>>bit&1 == 1 }
	switch {
	case v2.Version != 2 && v2.Version != 3:
		return 0, fmt.Sprintf("is a qcow2 image of version %d; only 2 and 3 are known", v2.Version)
	case v2.BackingFileOffset != 0:
		return 0, "is a qcow2 image that needs a backing file, which would not be uploaded; flatten it first with qemu-img convert"
	case v2.CryptMethod != 0:
		return 0, "is an encrypted qcow2 image, which Harvester cannot open; decrypt it first, and let Harvester encrypt (source_type \"clone\")"
	case has(qcow2.IncompatibleFeaturesExternalDataFileBit):
		return 0, "is a qcow2 image whose data lies in another file, which would not be uploaded; flatten it first with qemu-img convert"
	case has(qcow2.IncompatibleFeaturesCorruptBit):
		return 0, "is a qcow2 image that is marked as corrupt; repair it first with qemu-img check -r all"
	case v2.Size == 0 || v2.Size > 1<<62:
		return 0, fmt.Sprintf("is a qcow2 image with a disk of %d bytes", v2.Size)
	}
	return int64(v2.Size), ""
}
