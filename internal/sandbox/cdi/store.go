// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/types"
)

// store keeps the disks of claims in a directory, each as a sparse raw file that ends with its last byte that counts.
type store struct{ dir string }

func (s store) folder(uid types.UID) string { return filepath.Join(s.dir, string(uid)) }

// path is where the finished disk of a claim is.
func (s store) path(uid types.UID) string { return filepath.Join(s.folder(uid), "disk.img") }

// tmpPath is where the disk of a claim is while it is being filled.
func (s store) tmpPath(uid types.UID) string { return s.path(uid) + ".tmp" }

// scratchPath is where a file is that has to be converted.
func (s store) scratchPath(uid types.UID) string { return filepath.Join(s.folder(uid), "scratch") }

// create starts a file of a claim afresh.
func (s store) create(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.Create(path)
}

// open opens the finished disk of a claim.
func (s store) open(uid types.UID) (*os.File, error) { return os.Open(s.path(uid)) }

// commit makes the disk of a claim a finished one.
func (s store) commit(uid types.UID) error { return os.Rename(s.tmpPath(uid), s.path(uid)) }

// link makes the disk of one claim that of another. Disks are never written to once they are finished.
func (s store) link(from, to types.UID) error {
	if err := os.MkdirAll(s.folder(to), 0o755); err != nil {
		return err
	}
	return os.Link(s.path(from), s.tmpPath(to))
}

// discard removes what is unfinished of a claim.
func (s store) discard(uid types.UID) {
	for _, path := range []string{s.tmpPath(uid), s.scratchPath(uid)} {
		// It is created afresh anyway.
		_ = os.Remove(path)
	}
}

// remove removes everything of a claim.
func (s store) remove(uid types.UID) error { return os.RemoveAll(s.folder(uid)) }

// list says which claims have something here.
func (s store) list() (claims []types.UID, err error) {
	entries, err := os.ReadDir(s.dir)
	for _, entry := range entries {
		claims = append(claims, types.UID(entry.Name()))
	}
	return claims, err
}

// contextReader stops reading when its context ends.
type contextReader struct {
	done <-chan struct{}
	io.Reader
}

// Read implements io.Reader.
func (r contextReader) Read(p []byte) (int, error) {
	select {
	case <-r.done:
		return 0, errStopped
	default:
		return r.Reader.Read(p)
	}
}
