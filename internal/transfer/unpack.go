// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

// maxWindow is the largest zstd window and xz dictionary accepted, in bytes. It takes that much
// memory to unpack them. It is that of zstd --long=27, the most that zstd itself unpacks
// without being told to, and twice that of xz -9.
const maxWindow = 128 << 20

// unpacking is one reading of a file: what is packed in it, and behind that the rest of the file.
type unpacking struct {
	io.Reader
	rest  *bufio.Reader
	close func()
}

// Close ends the unpacking, not the file.
func (u *unpacking) Close() { u.close() }

// packedBuffer is how much of a packed file is read at a time, in bytes. What is not packed passes by it.
const packedBuffer = 64 << 10

// unpack undoes a compression. What stands behind the last packed data is left in the rest by gzip and
// bzip2, whose own tools ignore it; the others refuse it, as theirs do.
func unpack(ctx context.Context, file io.Reader, codec Format) (*unpacking, error) {
	rest := bufio.NewReaderSize(interruptible{ctx, file}, packedBuffer)
	data, closing, err := unpacker(rest, codec)
	if err != nil {
		return nil, explained(err)
	}
	return &unpacking{interruptible{ctx, memory{data}}, rest, closing}, nil
}

func unpacker(file *bufio.Reader, codec Format) (data io.Reader, closing func(), err error) {
	closing = func() {}
	switch codec {
	case Gzip:
		packed, err := gzip.NewReader(file)
		if err != nil {
			return nil, nil, err
		}
		packed.Multistream(false)
		return &members{file, packed}, closing, nil
	case XZ:
		data, err = xz.NewReader(file, maxWindow)
	case Zstd:
		// One goroutine and a bounded window keep the memory flat.
		decoder, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, err
		}
		return decoder, decoder.Close, nil
	case Bzip2:
		data = bzipped{bzip2.NewReader(file)}
	default:
		data = file
	}
	return data, closing, err
}

// early is the error of data that ends before it was all there.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// members are the parts of a gzip file, which make one when they are unpacked.
type members struct {
	stream *bufio.Reader
	packed *gzip.Reader
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.packed.Read(p)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	switch next, err := m.stream.Peek(2); {
	case string(next) != "\x1f\x8b" && (err == nil || errors.Is(err, io.EOF)):
		return n, io.EOF
	case err != nil:
		return n, err
	}
	if err := m.packed.Reset(m.stream); err != nil {
		return n, early(err)
	}
	m.packed.Multistream(false)
	return n, nil
}

// errMemory is data that takes too much memory to unpack.
var errMemory = errors.New("it was packed with a dictionary of more than 128 MiB, which takes as much memory to unpack; " +
	"pack it with a smaller one, such as that of xz -9 or zstd -19")

// explained says in the same words what the packages say in theirs.
func explained(err error) error {
	switch {
	case errors.Is(err, xz.ErrMemlimit), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return errMemory
	case errors.Is(err, xz.ErrBuf):
		return io.ErrUnexpectedEOF
	}
	return err
}

// memory explains what is refused because of the memory that it would take.
type memory struct{ io.Reader }

func (m memory) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	return n, explained(err)
}

// errBehind is what the package bzip2 says of what stands behind the last part of a file,
// whose own checksum was right.
const errBehind = bzip2.StructuralError("bad magic value in continuation file")

// bzipped ends where the packed data does, as bunzip2 does.
type bzipped struct{ io.Reader }

func (b bzipped) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, errBehind) {
		err = io.EOF
	}
	return n, err
}

// goesOn reads the stream to its end, and says whether anything is left in it but zeros, which
// fill up the last block of a tape or a disk.
func goesOn(stream io.Reader) (bool, error) {
	block, found := borrow(), false
	defer giveBack(block)
	for {
		n, err := stream.Read(block)
		found = found || len(bytes.TrimLeft(block[:n], "\x00")) > 0
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
	}
}
