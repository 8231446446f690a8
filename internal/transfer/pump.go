// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// sink takes data, all in order. It must not keep it.
type sink func([]byte) error

// into is a writer as a sink. It gets no empty data, which some wait to be rid of.
func into(w io.Writer) sink {
	return func(p []byte) error {
		if len(p) == 0 {
			return nil
		}
		_, err := w.Write(p)
		return err
	}
}

// counting adds up how much data there is, in bytes.
func counting(sum *int64) sink {
	return func(p []byte) error {
		*sum += int64(len(p))
		return nil
	}
}

// block is some data under way to several sinks.
type block struct {
	data  []byte
	users atomic.Int32
}

// pump reads to the end and hands everything to every sink, each in a goroutine of its
// own, so that the slowest of them sets the pace and not their sum. A sink that
// fails stops the context with its error.
func pump(ctx context.Context, stop context.CancelCauseFunc, from io.Reader, sinks []sink) error {
	memory := newSupply(shared)
	defer memory.close()
	queues := make([]chan *block, len(sinks))
	var working sync.WaitGroup
	for i, take := range sinks {
		queues[i] = make(chan *block, blocks)
		working.Go(func() { drain(queues[i], memory.free, take, stop) })
	}
	err := feed(ctx, from, memory, queues)
	for _, queue := range queues {
		close(queue)
	}
	working.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// feed reads blocks and hands them out.
func feed(ctx context.Context, from io.Reader, memory *supply, queues []chan *block) error {
	for {
		next, err := memory.next(ctx)
		if err != nil {
			return err
		}
		err = next.fill(from)
		next.users.Store(int32(len(queues)))
		for _, queue := range queues {
			queue <- next
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fill reads until the block is full or the data ends.
func (b *block) fill(from io.Reader) error {
	b.data = b.data[:0]
	for len(b.data) < cap(b.data) {
		n, err := from.Read(b.data[len(b.data):cap(b.data)])
		b.data = b.data[:len(b.data)+n]
		if err != nil {
			return err
		}
	}
	return nil
}

func drain(queue <-chan *block, free chan<- *block, take sink, stop context.CancelCauseFunc) {
	failed := false
	for next := range queue {
		if !failed {
			if err := take(next.data); err != nil {
				failed = true
				stop(err)
			}
		}
		if next.users.Add(-1) == 0 {
			free <- next
		}
	}
}

// Digest says what a file holds. It has a stable JSON form, to be kept.
type Digest struct {
	// Size is in bytes.
	Size int64 `json:"size"`
	// SHA256 and SHA512 are in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
	SHA512 string `json:"sha512"`
	Format Format `json:"format"`
	// ModTime is when the file was changed last.
	ModTime time.Time `json:"modTime"`
	// Inode tells the file from another one that was put in its place; 0 if that is not known.
	Inode uint64 `json:"inode,omitempty"`
}

// Examine reads a file to its end. Errors are a *FileError or the context's.
func Examine(ctx context.Context, path string) (Digest, error) {
	return promptly(ctx, func() (Digest, error) { return examine(ctx, path) })
}

func examine(ctx context.Context, path string) (Digest, error) {
	file, info, err := open(path)
	if err != nil {
		return Digest{}, err
	}
	defer func() { _ = file.Close() }()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	digester := newDigester()
	if err := pump(ctx, stop, file, digester.sinks()); err != nil {
		return Digest{}, File{Path: path}.unreadable(ctx, err)
	}
	digest := digester.digest()
	digest.ModTime = info.ModTime()
	digest.Inode, _ = identity(info)
	return digest, nil
}

// Is says that a file is the one with this digest, and not another one that was put in its place, whatever
// it holds.
func (d Digest) Is(info os.FileInfo) bool {
	inode, _ := identity(info)
	return d.Inode == 0 || inode == 0 || d.Inode == inode
}

// Unchanged says, by size and time alone, that the file is still the one with this digest.
func (d Digest) Unchanged(info os.FileInfo) bool {
	return d.Size == info.Size() && d.ModTime.Equal(info.ModTime())
}

// digester computes a digest while data passes.
type digester struct {
	sha256, sha512 hash.Hash
	size           int64
	head           beginning
}

func newDigester() *digester { return &digester{sha256: sha256.New(), sha512: sha512.New()} }

func (d *digester) sinks() []sink {
	return []sink{into(d.sha512), into(d.sha256), into(&d.head), counting(&d.size)}
}

func (d *digester) digest() Digest {
	return Digest{
		Size: d.size, Format: detect(d.head),
		SHA256: hex.EncodeToString(d.sha256.Sum(nil)), SHA512: hex.EncodeToString(d.sha512.Sum(nil)),
	}
}
