// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package transfer moves the bytes of images between files and HTTP. It knows
// nothing of Terraform or Kubernetes.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// BlockSize is what Longhorn wants the length of an image to be a multiple of,
// in bytes, because it writes with direct I/O. Shorter files are padded with zeros.
const BlockSize = 512

// FileError is a file that cannot be uploaded.
type FileError struct {
	Path   string
	Reason string // a clause such as "is a directory"
}

func (e *FileError) Error() string { return fmt.Sprintf("the file %q %s", e.Path, e.Reason) }

// File is a local file as it was when it was inspected.
type File struct {
	Path string
	// Size is in bytes.
	Size int64
	info fs.FileInfo
}

// Inspect looks at the file without reading it: it must exist, be a regular
// file (symbolic links are followed), readable and not empty. Errors are *FileError.
func Inspect(path string) (File, error) {
	handle, info, err := open(path)
	if err != nil {
		return File{}, err
	}
	_ = handle.Close()
	if info.Size() == 0 {
		return File{}, &FileError{path, "is empty"}
	}
	return File{Path: path, Size: info.Size(), info: info}, nil
}

// open opens a regular file. It looks before it opens, because opening a named pipe
// waits for somebody to write into it and opening a device can have effects; and it
// looks at what it opened, because that can be another file by then. Errors are *FileError.
func open(path string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, unopened(path, err)
	}
	if err := regular(path, info); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, nil, unopened(path, err)
	}
	if info, err = file.Stat(); err != nil {
		err = &FileError{path, "cannot be inspected: " + cause(err)}
	} else {
		err = regular(path, info)
	}
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// Missing says that an error is that there is no such file.
func Missing(err error) bool {
	file, ok := errors.AsType[*FileError](err)
	return ok && file.Reason == missing
}

const missing = "does not exist"

func unopened(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &FileError{path, missing}
	case errors.Is(err, fs.ErrPermission):
		return &FileError{path, "cannot be read: permission denied"}
	}
	return &FileError{path, "cannot be opened: " + cause(err)}
}

// regular refuses what is no regular file.
func regular(path string, info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return &FileError{path, "is a directory, not a file"}
	case mode&fs.ModeNamedPipe != 0:
		return &FileError{path, "is not a regular file, but a named pipe, which can be read only once; write the data into a file first"}
	case mode&fs.ModeDevice != 0:
		return &FileError{path, "is not a regular file, but a device; copy what it holds into a file first"}
	}
	return &FileError{path, "is not a regular file"}
}

// Changed returns a *FileError if the file is not the one that was inspected any more.
func (f File) Changed() error {
	now, err := os.Stat(f.Path)
	switch {
	case err != nil:
		return &FileError{f.Path, "disappeared while it was uploaded"}
	case !os.SameFile(now, f.info):
		return &FileError{f.Path, "was replaced by another file while it was uploaded"}
	case now.Size() != f.Size:
		return &FileError{f.Path, fmt.Sprintf("changed its size from %d to %d bytes while it was uploaded", f.Size, now.Size())}
	case !now.ModTime().Equal(f.info.ModTime()):
		return &FileError{f.Path, "was modified while it was uploaded"}
	}
	return nil
}

// promptly returns what f returns, or the context's error as soon as that has ended: a disk
// that does not answer cannot be interrupted, but need not be waited for. F then ends by itself, unheard.
func promptly[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// interruptible ends reading when the context does. It stands on both sides of what unpacks,
// which can make a lot of a little, and nothing of a lot.
type interruptible struct {
	ctx context.Context //nolint:containedctx // lives as long as one reading of a file
	io.Reader
}

func (i interruptible) Read(p []byte) (int, error) {
	if i.ctx.Err() != nil {
		return 0, context.Cause(i.ctx)
	}
	return i.Reader.Read(p)
}

// zeros is an endless source of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// full makes every Read fill the whole buffer unless the data ends. The part
// header and the first bytes of the file so leave in one piece, which servers
// that sniff the format in their first read depend on.
type full struct{ io.Reader }

func (f full) Read(p []byte) (int, error) {
	n, err := io.ReadFull(f.Reader, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// cause is the innermost text of a path error, without the path.
func cause(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	return err.Error()
}
