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
	Decompress bool      `json:"decompress"`
	Pad        bool      `json:"pad"`
	Data       int64     `json:"data"`
	Size       int64     `json:"size"`
	SHA512     string    `json:"sha512"`
	FileSHA512 string    `json:"fileSha512"`
}

// Seen returns what is worth keeping of a scan.
func (c Content) Seen() Seen {
	return Seen{
		Path: absolute(c.File.Path), FileSize: c.File.Size, ModTime: c.File.info.ModTime(),
		Decompress: c.Treatment.Decompress, Pad: c.Treatment.Pad, Data: c.data, Size: c.Size, SHA512: c.SHA512, FileSHA512: c.FileSHA512,
	}
}

// Of returns the content without reading the file, if size, time and treatment
// say that it is the one that was seen.
func (s Seen) Of(file File, treatment Treatment) (Content, bool) {
	same := s.SHA512 != "" && s.Path == absolute(file.Path) && s.FileSize == file.Size && s.ModTime.Equal(file.info.ModTime()) &&
		s.Decompress == treatment.Decompress && s.Pad == treatment.Pad
	return Content{File: file, Treatment: treatment, data: s.Data, Size: s.Size, SHA512: s.SHA512, FileSHA512: s.FileSHA512}, same
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

// Scan is File.Scan, without reading a file that was scanned before and has
// neither another size nor another time since.
func (c Cache) Scan(ctx context.Context, file File, treatment Treatment) (Content, error) {
	if content, found := c.load(file, treatment).Of(file, treatment); found {
		return content, nil
	}
	content, err := file.Scan(ctx, treatment)
	if err == nil {
		c.store(content)
	}
	return content, err
}

func (c Cache) load(file File, treatment Treatment) (seen Seen) {
	if text, err := os.ReadFile(c.entry(file, treatment)); err == nil {
		_ = json.Unmarshal(text, &seen) // what cannot be read matches no file
	}
	return seen
}

func (c Cache) store(content Content) {
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
