// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// store keeps the files of backing images in a directory, as a disk of a Longhorn node does.
type store struct{ dir string }

// fileMeta is what is known of a finished file. It is kept next to the file.
type fileMeta struct {
	Size        int64  `json:"size"`
	VirtualSize int64  `json:"virtualSize"`
	RealSize    int64  `json:"realSize"`
	Checksum    string `json:"checksum"`
}

func (s store) folder(name, uuid string) string {
	return filepath.Join(s.dir, "backing-images", name+"-"+uuid)
}

// path is where the finished file of a backing image is.
func (s store) path(name, uuid string) string { return filepath.Join(s.folder(name, uuid), "backing") }

// tmpPath is where the file of a backing image is while it is being imported.
func (s store) tmpPath(name, uuid string) string { return s.path(name, uuid) + ".tmp" }

func (s store) metaPath(name, uuid string) string { return s.path(name, uuid) + ".json" }

// backupPath is where the bytes of a backup have to be for a restore to find them.
func (s store) backupPath(name string) string { return filepath.Join(s.dir, "backups", name) }

// create starts the file of an import afresh.
func (s store) create(name, uuid string) (*os.File, error) {
	if err := os.MkdirAll(s.folder(name, uuid), 0o755); err != nil {
		return nil, err
	}
	return os.Create(s.tmpPath(name, uuid))
}

// meta returns what is known of a finished file, and whether there is one.
func (s store) meta(name, uuid string) (fileMeta, bool) {
	var meta fileMeta
	raw, err := os.ReadFile(s.metaPath(name, uuid))
	if err != nil || json.Unmarshal(raw, &meta) != nil {
		return fileMeta{}, false
	}
	_, err = os.Stat(s.path(name, uuid))
	return meta, err == nil
}

// commit makes the file of an import a finished one.
func (s store) commit(name, uuid string, meta fileMeta) error {
	raw, err := json.Marshal(meta)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.metaPath(name, uuid), raw, 0o644); err != nil {
		return err
	}
	return os.Rename(s.tmpPath(name, uuid), s.path(name, uuid))
}

// discard removes the file of an unfinished import.
func (s store) discard(name, uuid string) error {
	err := os.Remove(s.tmpPath(name, uuid))
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// remove removes everything a backing image has.
func (s store) remove(name, uuid string) error { return os.RemoveAll(s.folder(name, uuid)) }

// inspect reads a file to its end to learn everything about it.
func inspect(ctx context.Context, path string) (fileMeta, error) {
	file, err := os.Open(path)
	if err != nil {
		return fileMeta{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fileMeta{}, err
	}
	virtual, err := virtualSize(file, info.Size())
	if err != nil {
		return fileMeta{}, err
	}
	sum, err := checksum(ctx, file)
	if err != nil {
		return fileMeta{}, fmt.Errorf("failed to calculate checksum for tmp file %v: %w", path, err)
	}
	return fileMeta{Size: info.Size(), VirtualSize: virtual, RealSize: realSize(info), Checksum: sum}, nil
}

// checksum is the SHA-512 of a file, which is the only one Longhorn knows.
func checksum(ctx context.Context, file io.Reader) (string, error) {
	hash := sha512.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{hash}, contextReader{ctx, file}, make([]byte, bufferSize)); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// realSize is the space a file takes, holes left out.
func realSize(info os.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		const blockSize = 512
		return stat.Blocks * blockSize
	}
	return info.Size()
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
