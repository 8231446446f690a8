// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package objectstore is a small store that speaks S3, for backups to go to. It
// has what Harvester's client for backups asks for: path style, one page for a
// list. Every bucket exists, except those whose name begins with "missing".
package objectstore

import (
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Path is where the store is served.
const Path = "/s3/"

// AccessKey is the only key that may use the store. Its secret may be any: signatures
// are not checked.
const AccessKey = "sandbox-access-key"

// most is how large an object may be, in bytes; backups of a sandbox are small files that describe them.
const most = 16 << 20

// Store keeps objects in memory.
type Store struct {
	mu      sync.Mutex
	objects map[string]object // by bucket/key
}

type object struct {
	content []byte
	written time.Time
}

// New returns an empty store.
func New() *Store { return &Store{objects: map[string]object{}} }

// ServeHTTP implements http.Handler.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, Path)
	bucket, key, _ := strings.Cut(path, "/")
	switch {
	case !strings.Contains(r.Header.Get("Authorization"), "Credential="+AccessKey+"/"):
		fail(w, http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
	case bucket == "" || strings.HasPrefix(bucket, "missing"):
		fail(w, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case key == "" && r.Method == http.MethodGet:
		s.list(w, bucket, r.URL.Query().Get("prefix"), r.URL.Query().Get("delimiter"))
	case key == "":
		w.WriteHeader(http.StatusOK)
	default:
		s.serveObject(w, r, bucket+"/"+key)
	}
}

func (s *Store) serveObject(w http.ResponseWriter, r *http.Request, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
		if err != nil {
			fail(w, http.StatusBadRequest, "EntityTooLarge", err.Error())
			return
		}
		s.objects[path] = object{content, time.Now().UTC()}
	case http.MethodDelete:
		delete(s.objects, path)
		w.WriteHeader(http.StatusNoContent)
	case http.MethodGet, http.MethodHead:
		found, ok := s.objects[path]
		if !ok {
			fail(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(found.content)))
		w.Header().Set("Last-Modified", found.written.Format(http.TimeFormat))
		_, _ = w.Write(found.content)
	default:
		fail(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	}
}

// listing is the answer to a list.
type listing struct {
	XMLName  xml.Name `xml:"ListBucketResult"`
	Name     string
	Prefix   string
	Contents []content
	Common   []common `xml:"CommonPrefixes"`
}

type content struct {
	Key          string
	LastModified string
	Size         int
}

type common struct{ Prefix string }

func (s *Store) list(w http.ResponseWriter, bucket, prefix, delimiter string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, seen := listing{Name: bucket, Prefix: prefix}, map[string]bool{}
	for path, found := range s.objects {
		key, ours := strings.CutPrefix(path, bucket+"/")
		rest, below := strings.CutPrefix(key, prefix)
		if !ours || !below {
			continue
		}
		if folder, _, deeper := strings.Cut(rest, delimiter); delimiter != "" && deeper {
			seen[prefix+folder+delimiter] = true
			continue
		}
		answer.Contents = append(answer.Contents, content{key, found.written.Format(time.RFC3339), len(found.content)})
	}
	for folder := range seen {
		answer.Common = append(answer.Common, common{folder})
	}
	slices.SortFunc(answer.Contents, func(a, b content) int { return strings.Compare(a.Key, b.Key) })
	slices.SortFunc(answer.Common, func(a, b common) int { return strings.Compare(a.Prefix, b.Prefix) })
	write(w, http.StatusOK, answer)
}

// failure is the answer to what cannot be done.
type failure struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
}

func fail(w http.ResponseWriter, status int, code, message string) {
	write(w, status, failure{Code: code, Message: message})
}

func write(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(answer)
}
