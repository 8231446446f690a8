// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Seen is what a scan found, with what tells whether the file is still the same.
// It has a stable JSON form, to be kept.
type Seen struct {
	Path       string    `json:"path"`
	FileSize   int64     `json:"fileSize"`
	ModTime    time.Time `json:"modTime"`
	Inode      uint64    `json:"inode,omitempty"`
	Changed    time.Time `json:"changed,omitzero"`
	Decompress bool      `json:"decompress"`
	Pad        bool      `json:"pad"`
	Data       int64     `json:"data"`
	Size       int64     `json:"size"`
	Behind     bool      `json:"behind,omitempty"`
	SHA512     string    `json:"sha512"`
	FileSHA512 string    `json:"fileSha512"`
}

// Seen returns what is worth keeping of a scan.
func (c Content) Seen() Seen {
	seen := c.File.seen(c.Treatment)
	seen.Data, seen.Size, seen.Behind, seen.SHA512, seen.FileSHA512 = c.data, c.Size, c.Behind, c.SHA512, c.FileSHA512
	return seen
}

// seen is what tells whether the file is still the same.
func (f File) seen(treatment Treatment) Seen {
	inode, changed := identity(f.info)
	return Seen{
		Path: absolute(f.Path), FileSize: f.Size, ModTime: f.info.ModTime(), Inode: inode, Changed: changed,
		Decompress: treatment.Decompress, Pad: treatment.Pad,
	}
}

// Of returns the content without reading the file, if its identity and the treatment
// say that it is the one that was seen. Size and time alone do not: builds that are reproducible give
// every file the same time, and disks often have the same size.
func (s Seen) Of(file File, treatment Treatment) (Content, bool) {
	now := file.seen(treatment)
	same := s.SHA512 != "" && s.Path == now.Path && s.FileSize == now.FileSize && s.ModTime.Equal(now.ModTime) &&
		s.Inode == now.Inode && s.Changed.Equal(now.Changed) && s.Decompress == now.Decompress && s.Pad == now.Pad
	return Content{
		File: file, Treatment: treatment, data: s.Data, Size: s.Size, Behind: s.Behind, SHA512: s.SHA512, FileSHA512: s.FileSHA512,
	}, same
}

// Cache keeps what scans found, so that a large file is read once, not once a
// run. A broken or missing cache costs time, nothing else.
type Cache struct {
	// Dir is the folder of the cache; empty keeps nothing.
	Dir string
}

// UserCache is the cache in the user's cache folder.
func UserCache() Cache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return Cache{}
	}
	return Cache{Dir: filepath.Join(dir, "terraform-provider-harvester", "scans")}
}

// Known is what is kept of a file that is the same since; false if nothing is.
func (c Cache) Known(file File, treatment Treatment) (Content, bool) {
	return c.load(file, treatment).Of(file, treatment)
}

// Scan is File.Scan, without reading a file that was scanned before and is the same since.
func (c Cache) Scan(ctx context.Context, file File, treatment Treatment) (Content, error) {
	if content, known := c.Known(file, treatment); known {
		return content, nil
	}
	content, err := file.Scan(ctx, treatment)
	if err == nil {
		c.Keep(content)
	}
	return content, err
}

// Forget drops what is kept of a content that was not what the scan said.
func (c Cache) Forget(content Content) {
	if c.Dir != "" {
		_ = os.Remove(c.entry(content.File, content.Treatment))
	}
}

func (c Cache) load(file File, treatment Treatment) (seen Seen) {
	if text, err := os.ReadFile(c.entry(file, treatment)); err == nil {
		_ = json.Unmarshal(text, &seen) // what cannot be read matches no file
	}
	return seen
}

// Keep keeps what was found out about a content, if that can be.
func (c Cache) Keep(content Content) {
	if c.Dir == "" || os.MkdirAll(c.Dir, 0o700) != nil {
		return
	}
	text, err := json.Marshal(content.Seen())
	if err != nil {
		return
	}
	temporary, err := os.CreateTemp(c.Dir, "scan-*")
	if err != nil {
		return
	}
	_, err = temporary.Write(text)
	if closing := temporary.Close(); err != nil || closing != nil || os.Rename(temporary.Name(), c.entry(content.File, content.Treatment)) != nil {
		_ = os.Remove(temporary.Name())
	}
}

func (c Cache) entry(file File, treatment Treatment) string {
	key := sha256.Sum256(fmt.Appendf(nil, "%s %+v", absolute(file.Path), treatment))
	return filepath.Join(c.Dir, hex.EncodeToString(key[:])+".json")
}

func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}
