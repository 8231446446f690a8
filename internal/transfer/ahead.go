// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// readAhead reads, unpacks and hashes the file in goroutines of their own, a few blocks ahead of whoever sends it. An end
// is seen only if the file was what it was taken for.
func (c Content) readAhead(ctx context.Context, found func(Content)) (io.ReadCloser, error) {
	file, _, err := open(c.File.Path)
	if err != nil {
		return nil, err
	}
	codec, err := packing(file, c.Treatment)
	if err != nil {
		_ = file.Close()
		return nil, c.File.unreadable(ctx, err)
	}
	ctx, stop := context.WithCancel(ctx)
	reader, writer := io.Pipe()
	go func() {
		defer func() { _ = file.Close() }()
		read, err := c.hash(ctx, file, codec, writer)
		if err == nil {
			found(read)
		}
		_ = writer.CloseWithError(err) // without one, this is the end
	}()
	return &ahead{reader, stop}, nil
}

// hash reads the file once and returns the content with its checksums.
func (c Content) hash(ctx context.Context, file *os.File, codec Format, out io.Writer) (Content, error) {
	read := Content{File: c.File, Treatment: c.Treatment}
	err := read.read(ctx, &passing{File: file}, codec, &bounded{out, c.Size})
	changed := c.File.Changed()
	switch {
	case changed != nil && ctx.Err() == nil:
		return read, changed
	case errors.Is(err, errLonger), err == nil && read.data != c.data:
		return read, &FileError{c.File.Path, fmt.Sprintf("does not hold the %d bytes that its own tables state: it is damaged, or was changed", c.data)}
	case err != nil:
		return read, c.File.unreadable(ctx, err)
	}
	return read, nil
}

// errLonger says that a file holds more than it stated.
var errLonger = errors.New("longer than it stated")

// bounded refuses more than so many bytes.
type bounded struct {
	io.Writer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		return 0, errLonger
	}
	b.left -= int64(len(p))
	return b.Writer.Write(p)
}

// ahead is what a reader gets of a file that is read in a goroutine of its own.
type ahead struct {
	*io.PipeReader
	stop func()
}

// Close ends that goroutine, and does not wait for it: it may hang in a read of a network disk.
func (a *ahead) Close() error {
	a.stop()
	return a.PipeReader.Close()
}

// passing is a file that is read once from its start to its end. What was read leaves the system's cache, where an image
// of many gigabytes would displace what others work with.
type passing struct {
	*os.File
	read, left int64
}

// leave is how much is kept in the cache at a time, in bytes.
const leave = 16 << 20

func (f *passing) Read(p []byte) (int, error) {
	if f.read == 0 {
		adviseSequential(f.File)
	}
	n, err := f.File.Read(p)
	f.read += int64(n)
	if f.read-f.left >= leave || err != nil {
		adviseDone(f.File, f.left, f.read-f.left)
		f.left = f.read
	}
	return n, err
}
