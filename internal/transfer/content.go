// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
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
	// Behind says that the file goes on after its packed data. That is no part of the
	// content, as it is none to gunzip.
	Behind bool
	// data is the size in bytes before padding.
	data int64
	// unread says that the checksums are found while the content is sent.
	unread bool
	// SHA512 is the checksum of those bytes, in lower-case hexadecimal.
	SHA512 string
	// FileSHA512 is the checksum of the file as it lies on the disk. It differs
	// from SHA512 if anything was done to the bytes.
	FileSHA512 string
}

// Unscanned is the content of a file that is sent as it is, whose checksum is
// not needed. Compressed files must be scanned: their size is not known before.
func (f File) Unscanned(pad bool) Content {
	treatment := Treatment{Pad: pad}
	return Content{File: f, Treatment: treatment, data: f.Size, Size: treatment.padded(f.Size)}
}

// Unread is the content of a file that is hashed while it is sent, not before: its checksums are "" until then. Nil if
// nobody knows its length before all of it was unpacked.
func (f File) Unread(ctx context.Context, treatment Treatment) (*Content, error) {
	return promptly(ctx, func() (*Content, error) {
		file, _, err := open(f.Path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		codec, err := packing(file, treatment)
		if err != nil {
			return nil, f.unreadable(ctx, err)
		}
		data, known := stated(file, f.Size, codec)
		if !known {
			return nil, nil //nolint:nilnil // documented
		}
		head, err := unpackedHead(ctx, file, codec)
		if err != nil {
			return nil, f.unreadable(ctx, err)
		}
		if wrong := (*beginning)(&head).wrong(data); wrong != "" {
			return nil, &FileError{f.Path, wrong}
		}
		return &Content{File: f, Treatment: treatment, data: data, Size: treatment.padded(data), unread: true}, nil
	})
}

// Scan reads the whole file once to learn size and checksums of what will be
// sent. Memory use does not depend on the file's size. Errors are a *FileError or the
// context's.
func (f File) Scan(ctx context.Context, treatment Treatment) (Content, error) {
	return promptly(ctx, func() (Content, error) { return f.scan(ctx, treatment) })
}

func (f File) scan(ctx context.Context, treatment Treatment) (Content, error) {
	content := Content{File: f, Treatment: treatment}
	file, _, err := open(f.Path)
	if err != nil {
		return content, err
	}
	defer func() { _ = file.Close() }()
	codec, err := packing(file, treatment)
	if err == nil {
		err = content.read(ctx, file, codec, io.Discard)
	}
	if err != nil {
		return content, f.unreadable(ctx, err)
	}
	return content, f.Changed()
}

// read computes what is to be known of the content from the bytes of its file, and writes what is to be sent to out. The
// checksum takes longest, so all else is done beside it.
func (c *Content) read(ctx context.Context, file io.Reader, codec Format, out io.Writer) error {
	raw, sent, head := sha512.New(), sha512.New(), &beginning{}
	if codec != Raw { // else both checksums begin alike, and one is enough
		file = io.TeeReader(file, raw)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	data, err := unpack(ctx, file, codec)
	if err != nil {
		return err
	}
	defer data.Close()
	if err := pump(ctx, stop, data, []sink{into(sent), into(head), counting(&c.data), into(out)}); err != nil {
		return err
	}
	if c.Behind, err = goesOn(data.rest); err != nil { // it still is part of the file
		return err
	}
	if wrong := head.wrong(c.data); wrong != "" {
		return &FileError{c.File.Path, wrong}
	}
	if codec == Raw {
		raw = sent
	}
	c.FileSHA512 = hex.EncodeToString(raw.Sum(nil))
	c.Size = c.Treatment.padded(c.data)
	if _, err = io.CopyN(io.MultiWriter(sent, out), zeros{}, c.Size-c.data); err != nil {
		return err
	}
	c.SHA512 = hex.EncodeToString(sent.Sum(nil))
	return nil
}

// beginning keeps the head of what is written to it.
type beginning []byte

func (b *beginning) Write(p []byte) (int, error) {
	*b = append(*b, p[:min(len(p), headSize-len(*b))]...)
	return len(p), nil
}

// wrong says what is seen of a content only when its size is known.
func (b *beginning) wrong(size int64) string {
	switch {
	case size == 0:
		return nothing
	case detect(*b) == QCOW2:
		return cutQCOW2(*b, size)
	}
	return ""
}

const nothing = "is empty once it is unpacked"

func (f File) unreadable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, new(*FileError)):
		return err
	}
	return &FileError{f.Path, "cannot be read to its end: " + cause(err)}
}

// open starts the bytes to send from the first one. Reading them ends with the context. What is found of an unread content
// on the way is handed over before the end.
func (c Content) open(ctx context.Context, found func(Content)) (io.ReadCloser, error) {
	if c.unread {
		return c.readAhead(ctx, found)
	}
	return c.Open(ctx)
}

// Open starts the bytes to send from the first one. Reading them ends with the context.
func (c Content) Open(ctx context.Context) (io.ReadCloser, error) {
	file, _, err := open(c.File.Path)
	if err != nil {
		return nil, err
	}
	codec, err := packing(file, c.Treatment)
	if err != nil {
		_ = file.Close()
		return nil, c.File.unreadable(ctx, err)
	}
	data, err := unpack(ctx, file, codec)
	if err != nil {
		_ = file.Close()
		return nil, &FileError{c.File.Path, "cannot be unpacked: " + cause(err)}
	}
	whole := io.MultiReader(io.LimitReader(data, c.data), io.LimitReader(zeros{}, c.Size-c.data))
	return &opened{Reader: whole, data: data, file: file}, nil
}

type opened struct {
	io.Reader
	data *unpacking
	file io.Closer
}

func (o *opened) Close() error {
	o.data.Close()
	return o.file.Close()
}

func (t Treatment) padded(size int64) int64 {
	if !t.Pad {
		return size
	}
	return (size + BlockSize - 1) / BlockSize * BlockSize
}

// Packing tells what the file is packed with, as far as an upload undoes it; else it is Raw. Errors are as those of Inspect.
func (f File) Packing() (Format, error) {
	file, _, err := open(f.Path)
	if err != nil {
		return Raw, err
	}
	defer func() { _ = file.Close() }()
	format, err := packing(file, Treatment{Decompress: true})
	if err != nil {
		return Raw, &FileError{f.Path, "cannot be read: " + cause(err)}
	}
	return format, nil
}

// packing is the compression to undo; Raw if none.
func packing(file io.ReaderAt, t Treatment) (Format, error) {
	if !t.Decompress {
		return Raw, nil
	}
	head, err := headOf(file)
	if format := detect(head); format.packs() {
		return format, err
	}
	return Raw, err
}
