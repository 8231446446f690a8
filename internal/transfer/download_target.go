// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/harvester-community/terraform-provider-harvester/internal/units"
)

// Target is where a download goes.
type Target struct {
	Path string
	// FileMode is that of the file, DirMode that of folders that have to be made.
	FileMode, DirMode fs.FileMode
}

// TargetError is a target that cannot be written.
type TargetError struct {
	Path   string
	Reason string // a clause such as "is a directory"
}

func (e *TargetError) Error() string { return fmt.Sprintf("the file %q %s", e.Path, e.Reason) }

func (t Target) wrong(format string, args ...any) error {
	return &TargetError{t.Path, fmt.Sprintf(format, args...)}
}

// Check looks whether the target could be written, without writing anything. Errors are *TargetError.
func (t Target) Check() error {
	if t.Path == "" || os.IsPathSeparator(t.Path[len(t.Path)-1]) {
		return t.wrong("is a directory, not a file")
	}
	switch info, err := os.Stat(t.Path); {
	case err == nil && info.IsDir():
		return t.wrong("is a directory, not a file")
	case err == nil && !info.Mode().IsRegular():
		return t.wrong("is not a regular file")
	}
	folder := t.folder()
	info, err := os.Stat(folder)
	switch {
	case err != nil:
		return t.wrong("cannot be written: %s: %s", folder, cause(err))
	case !info.IsDir():
		return t.wrong("cannot be written: %s is no directory", folder)
	}
	if err := writable(folder); err != nil {
		return t.wrong("cannot be written: no file can be made in %s: %s", folder, err)
	}
	return nil
}

// Free is how much the user may still write where the target is, in bytes; 0 if nobody tells.
func (t Target) Free() int64 { return freeBytes(t.folder()) }

// folder is the one the target is in, or that where its folders would be made.
func (t Target) folder() string {
	folder := filepath.Dir(t.real())
	for {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
			return folder
		}
		above := filepath.Dir(folder)
		if above == folder {
			return folder
		}
		folder = above
	}
}

// real follows symbolic links, so that a link to the target stays one.
func (t Target) real() string {
	if resolved, err := filepath.EvalSymlinks(t.Path); err == nil {
		return resolved
	}
	return t.Path
}

// Files under way are called .<target>.harvester-<random>.part.
const (
	partInfix  = ".harvester-"
	partSuffix = ".part"
	// longest keeps their names within what file systems allow.
	longest = 200
)

func (t Target) partPrefix() string {
	name := filepath.Base(t.real())
	return "." + name[:min(len(name), longest)] + partInfix
}

// Sweep removes what killed downloads to this target left behind. Files of
// downloads that still run are locked, and stay.
func (t Target) Sweep() {
	folder := filepath.Dir(t.real())
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, t.partPrefix()) && strings.HasSuffix(name, partSuffix) && entry.Type().IsRegular() {
			removeAbandoned(filepath.Join(folder, name))
		}
	}
}

// partial is a file that grows beside its target.
type partial struct {
	target Target
	file   *os.File
	size   int64
	wrote  int64 // without holes
	// sent is up to where the disk has been told to take what was written.
	sent int64
}

// begin makes the folders that are missing and the file, which nobody else may read before it is complete.
func (t Target) begin() (*partial, error) {
	folder := filepath.Dir(t.real())
	if err := os.MkdirAll(folder, t.DirMode); err != nil {
		return nil, t.wrong("cannot be written: the directory %s cannot be made: %s", folder, cause(err))
	}
	name := filepath.Join(folder, t.partPrefix()+rand.Text()[:10]+partSuffix)
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, t.wrong("cannot be written: no file can be made in %s: %s", folder, cause(err))
	}
	lock(file)
	return &partial{target: t, file: file}, nil
}

// holeSize is the granularity of holes, in bytes: zeros of that length are not written.
const holeSize = 64 << 10

var hole = make([]byte, holeSize)

// abreast is after how much the disk is told to take what was written, in bytes, so that little is left to wait for at the end.
const abreast = 16 << 20

// write appends data, leaving out what is zero anyhow.
func (p *partial) write(data []byte) error {
	for len(data) > 0 {
		n := dataRun(data)
		if n > 0 {
			if _, err := p.file.WriteAt(data[:n], p.size); err != nil {
				return p.failed(err)
			}
			p.wrote += int64(n)
			p.size, data = p.size+int64(n), data[n:]
		}
		n = zeroRun(data)
		p.size, data = p.size+int64(n), data[n:]
	}
	if p.size-p.sent >= abreast {
		adviseWriting(p.file, p.sent, p.size-p.sent)
		p.sent = p.size
	}
	return nil
}

// dataRun is how many bytes come before the next hole.
func dataRun(data []byte) (n int) {
	for n < len(data) && !isHole(data[n:]) {
		n = min(n+holeSize, len(data))
	}
	return n
}

// zeroRun is how many bytes of holes come before the next data.
func zeroRun(data []byte) (n int) {
	for n < len(data) && isHole(data[n:]) {
		n = min(n+holeSize, len(data))
	}
	return n
}

func isHole(data []byte) bool {
	n := min(len(data), holeSize)
	return bytes.Equal(data[:n], hole[:n])
}

// failed explains an error of the file system.
func (p *partial) failed(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return p.target.wrong("cannot be written to its end: the disk is full after %s (%s free)", units.Bytes(p.wrote), units.Bytes(p.target.Free()))
	}
	return p.target.wrong("cannot be written to its end: %s", cause(err))
}

// seal gives the file its length and mode, and waits until the disk has it.
func (p *partial) seal(ctx context.Context) error {
	if err := p.file.Truncate(p.size); err != nil {
		return p.failed(err)
	}
	if err := p.file.Chmod(p.target.FileMode); err != nil {
		return p.failed(err)
	}
	synced := make(chan error, 1)
	go func() { synced <- p.file.Sync() }() // takes long, and nothing can interrupt it
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-synced:
		if err != nil {
			return p.failed(err)
		}
	}
	return nil
}

// sign notes in the digest what the file is known by.
func (p *partial) sign(digest *Digest) error {
	info, err := p.file.Stat()
	if err != nil {
		return p.failed(err)
	}
	digest.ModTime = info.ModTime()
	digest.Inode, _ = identity(info)
	return nil
}

// commit puts the file in the place of the target.
func (p *partial) commit() error {
	target := p.target.real()
	if !locks { // there, an open file cannot be renamed
		_ = p.file.Close()
	}
	if err := os.Rename(p.file.Name(), target); err != nil {
		p.discard()
		return p.target.wrong("cannot be put into place: %s", linkCause(err))
	}
	_ = p.file.Close() // all of it is on the disk
	if folder, err := os.Open(filepath.Dir(target)); err == nil {
		_ = folder.Sync() // not every file system can
		_ = folder.Close()
	}
	return nil
}

func linkCause(err error) string {
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err.Error()
	}
	return cause(err)
}

func (p *partial) discard() {
	if !locks {
		_ = p.file.Close()
	}
	_ = os.Remove(p.file.Name())
	_ = p.file.Close()
}
