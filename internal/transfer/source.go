// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package transfer moves the bytes of images between files and HTTP. It knows
// nothing of Terraform or Kubernetes.
package transfer

import (
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
	handle, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return File{}, &FileError{path, "does not exist"}
	case errors.Is(err, fs.ErrPermission):
		return File{}, &FileError{path, "cannot be read: permission denied"}
	case err != nil:
		return File{}, &FileError{path, "cannot be opened: " + cause(err)}
	}
	defer func() { _ = handle.Close() }()
	info, err := handle.Stat()
	switch {
	case err != nil:
		return File{}, &FileError{path, "cannot be inspected: " + cause(err)}
	case info.IsDir():
		return File{}, &FileError{path, "is a directory, not a file"}
	case !info.Mode().IsRegular():
		return File{}, &FileError{path, "is not a regular file"}
	case info.Size() == 0:
		return File{}, &FileError{path, "is empty"}
	}
	return File{Path: path, Size: info.Size(), info: info}, nil
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
