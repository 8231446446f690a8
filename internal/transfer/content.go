// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bufio"
	"compress/bzip2"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// Treatment is what happens to the bytes of a file on their way to the server.
type Treatment struct {
	// Decompress unpacks gzip, xz, zstd and bzip2.
	Decompress bool
	// Pad adds zeros up to a multiple of BlockSize.
	Pad bool
}

// Content is what a server gets of a file.
type Content struct {
	File      File
	Treatment Treatment
	// Size is in bytes, after decompression and padding.
	Size int64
	// data is the size in bytes before padding.
	data int64
	// SHA512 is the checksum of those bytes, in lower-case hexadecimal.
	SHA512 string
	// FileSHA512 is the checksum of the file as it lies on the disk. It differs
	// from SHA512 if anything was done to the bytes.
	FileSHA512 string
}

// buffer is how much is read and hashed at a time, in bytes.
const buffer = 1 << 20

// Unscanned is the content of a file that is sent as it is, whose checksum is
// not needed. Compressed files must be scanned: their size is not known before.
func (f File) Unscanned(pad bool) Content {
	treatment := Treatment{Pad: pad}
	return Content{File: f, Treatment: treatment, data: f.Size, Size: treatment.padded(f.Size)}
}

// Scan reads the whole file once to learn size and checksums of what will be
// sent. Memory use does not depend on the file's size. Errors are a *FileError or the
// context's.
func (f File) Scan(ctx context.Context, treatment Treatment) (Content, error) {
	content := Content{File: f, Treatment: treatment}
	file, err := os.Open(f.Path)
	if err != nil {
		return content, &FileError{f.Path, "cannot be opened: " + cause(err)}
	}
	defer func() { _ = file.Close() }()

	raw, sent := sha512.New(), sha512.New()
	codec, source := f.codec(treatment), io.Reader(interruptible{ctx, file})
	if codec != Raw { // else both checksums begin alike, and one is enough
		source = io.TeeReader(source, raw)
	}
	unpacked, err := unpack(source, codec)
	if err != nil {
		return content, f.unreadable(ctx, err)
	}
	defer func() { _ = unpacked.Close() }()
	size, err := io.CopyBuffer(sent, unpacked, make([]byte, buffer))
	if err == nil {
		_, err = io.Copy(io.Discard, source) // what follows the packed data still is part of the file
	}
	if err != nil {
		return content, f.unreadable(ctx, err)
	}
	if codec == Raw {
		raw = sent
	}
	content.FileSHA512 = hex.EncodeToString(raw.Sum(nil))
	content.data, content.Size = size, treatment.padded(size)
	_, _ = io.CopyN(sent, zeros{}, content.Size-size)
	content.SHA512 = hex.EncodeToString(sent.Sum(nil))
	if err := f.Changed(); err != nil {
		return content, err
	}
	return content, nil
}

func (f File) unreadable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &FileError{f.Path, "cannot be read to its end: " + cause(err)}
}

// Open starts the bytes to send from the first one.
func (c Content) Open() (io.ReadCloser, error) {
	file, err := os.Open(c.File.Path)
	if err != nil {
		return nil, &FileError{c.File.Path, "cannot be opened: " + cause(err)}
	}
	unpacked, err := unpack(file, c.File.codec(c.Treatment))
	if err != nil {
		_ = file.Close()
		return nil, &FileError{c.File.Path, "cannot be unpacked: " + cause(err)}
	}
	whole := io.MultiReader(io.LimitReader(unpacked, c.data), io.LimitReader(zeros{}, c.Size-c.data))
	return &opened{Reader: whole, unpacked: unpacked, file: file}, nil
}

type opened struct {
	io.Reader
	unpacked, file io.Closer
}

func (o *opened) Close() error {
	_ = o.unpacked.Close()
	return o.file.Close()
}

func (t Treatment) padded(size int64) int64 {
	if !t.Pad {
		return size
	}
	return (size + BlockSize - 1) / BlockSize * BlockSize
}

// codec is the compression to undo; Raw if none.
func (f File) codec(t Treatment) Format {
	if !t.Decompress {
		return Raw
	}
	head, err := f.head()
	if err != nil {
		return Raw // opening the file reports it
	}
	switch format := detect(head); format {
	case Gzip, XZ, Zstd, Bzip2:
		return format
	case Raw, ISO, QCOW2, VMDK, VHD, VHDX, VDI, OVA:
	}
	return Raw
}

// unpack undoes a compression.
func unpack(r io.Reader, codec Format) (io.ReadCloser, error) {
	switch codec {
	case Gzip:
		return gzip.NewReader(bufio.NewReaderSize(r, buffer))
	case XZ:
		reader, err := xz.NewReader(bufio.NewReaderSize(r, buffer))
		return io.NopCloser(reader), err
	case Zstd:
		// One goroutine and a bounded window keep the memory flat.
		decoder, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return decoder.IOReadCloser(), nil
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(bufio.NewReaderSize(r, buffer))), nil
	case Raw, ISO, QCOW2, VMDK, VHD, VHDX, VDI, OVA:
	}
	return io.NopCloser(r), nil
}

// maxWindow is the largest zstd window accepted, in bytes: that of zstd --long=27,
// the most that zstd itself unpacks without being told to.
const maxWindow = 128 << 20

// interruptible ends reading when the context does.
type interruptible struct {
	ctx context.Context //nolint:containedctx // lives for one Scan
	io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.Reader.Read(p)
}
