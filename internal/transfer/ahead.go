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

// aheadBlocks is how many buffers a reader is ahead of what is sent at most.
const aheadBlocks = 8

// readAhead reads, unpacks and hashes the file in a goroutine of its own, a little ahead of whoever sends it. An end is
// seen only if the file was what it was taken for.
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
	queue := newQueue(stop)
	go func() {
		defer func() { _ = file.Close() }()
		read, err := c.hash(ctx, file, codec, queue)
		if err == nil {
			found(read)
		}
		queue.end(err)
	}()
	return queue, nil
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

// queue hands bytes from a writer to a reader that may be slower for a while. It has a bounded memory.
type queue struct {
	filled, empty chan []byte
	// block is what is being read, rest what is left of it.
	block, rest []byte
	err         error // set before filled is closed
	closed      <-chan struct{}
	close       func()
}

func newQueue(stop func()) *queue {
	closed, cancel := context.WithCancel(context.Background())
	q := &queue{filled: make(chan []byte, aheadBlocks), empty: make(chan []byte, aheadBlocks), closed: closed.Done()}
	q.close = func() { stop(); cancel() }
	for range aheadBlocks {
		q.empty <- nil // allocated when it is needed
	}
	return q
}

// Write waits for room.
func (q *queue) Write(p []byte) (written int, err error) {
	for written < len(p) {
		select {
		case block := <-q.empty:
			if block == nil {
				block = make([]byte, buffer)
			}
			n := copy(block[:buffer], p[written:])
			q.filled <- block[:n] // there are as many places as blocks
			written += n
		case <-q.closed:
			return written, context.Canceled
		}
	}
	return written, nil
}

// end tells the reader that this is all, or why there is no more.
func (q *queue) end(err error) {
	if err == nil {
		err = io.EOF
	}
	q.err = err
	close(q.filled)
}

// Read waits for the writer.
func (q *queue) Read(p []byte) (int, error) {
	if len(q.rest) == 0 {
		if q.block != nil {
			q.empty <- q.block
			q.block = nil
		}
		select {
		case block, more := <-q.filled:
			if !more {
				return 0, q.err
			}
			q.block, q.rest = block, block
		case <-q.closed:
			return 0, context.Canceled
		}
	}
	n := copy(p, q.rest)
	q.rest = q.rest[n:]
	return n, nil
}

// Close ends the writer, and does not wait for it: it may hang in a read of a network disk.
func (q *queue) Close() error {
	q.close()
	return nil
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
