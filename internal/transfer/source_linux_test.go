// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// within fails if f takes long, which is what opening a named pipe does.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("it still waits after %s", limit)
	}
}

func refuses(t *testing.T, err error, reason string) {
	t.Helper()
	var wrong *transfer.FileError
	if !errors.As(err, &wrong) || !strings.HasPrefix(wrong.Reason, reason) {
		t.Errorf("got %v, want %q", err, reason)
	}
}

func TestInspectRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := pipe + "-link"
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	socket := pipe + "-socket" // which cannot even be opened
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for path, reason := range map[string]string{
		socket: "is not a regular file",
		pipe:   "is not a regular file, but a named pipe", link: "is not a regular file, but a named pipe",
		"/dev/zero": "is not a regular file, but a device", t.TempDir(): "is a directory",
	} {
		within(t, 5*time.Second, func() {
			_, err := transfer.Inspect(path)
			refuses(t, err, reason)
			_, err = transfer.Examine(t.Context(), path)
			refuses(t, err, reason)
		})
	}
}

// A file can be a pipe by the time it is read.
func TestPipeInThePlaceOfTheFile(t *testing.T) {
	t.Parallel()
	file := inspected(t, make([]byte, 1024))
	content := file.Unscanned(true)
	if err := os.Remove(file.Path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(file.Path, 0o600); err != nil {
		t.Fatal(err)
	}
	within(t, 5*time.Second, func() {
		const reason = "is not a regular file, but a named pipe"
		_, _, err := file.Preflight(t.Context(), transfer.Treatment{})
		refuses(t, err, reason)
		_, err = file.Scan(t.Context(), transfer.Treatment{Decompress: true})
		refuses(t, err, reason)
		_, err = content.Open(t.Context())
		refuses(t, err, reason)
	})
}

// The identity of a file is more than its size and time, which builds that are reproducible set.
func TestCacheKnowsFilesApart(t *testing.T) {
	t.Parallel()
	cache, path, when := transfer.Cache{Dir: t.TempDir()}, filepath.Join(t.TempDir(), "file"), time.Unix(1, 0)
	put := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	scan := func() transfer.Content {
		t.Helper()
		file, err := transfer.Inspect(path)
		if err != nil {
			t.Fatal(err)
		}
		content, err := cache.Scan(t.Context(), file, transfer.Treatment{})
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	put(path, "first")
	seen := scan().Seen()
	put(path+".new", "other")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	other := scan()
	if other.SHA512 != sum([]byte("other")) {
		t.Error("another file of the same size and time is taken for the first")
	}
	if _, same := seen.Of(other.File, transfer.Treatment{}); same {
		t.Error("what was seen is taken for another file")
	}
	seen = other.Seen()
	for what, change := range map[string]func(*transfer.Seen){
		"inode": func(s *transfer.Seen) { s.Inode++ }, "change time": func(s *transfer.Seen) { s.Changed = s.Changed.Add(1) },
		"time": func(s *transfer.Seen) { s.ModTime = s.ModTime.Add(1) }, "size": func(s *transfer.Seen) { s.FileSize++ },
	} {
		changed := seen
		change(&changed)
		if _, same := changed.Of(other.File, transfer.Treatment{}); same {
			t.Errorf("a file of another %s is taken for the same", what)
		}
	}
	time.Sleep(20 * time.Millisecond) // the clock of the file system is coarse
	put(path, "third")
	if scan().SHA512 != sum([]byte("third")) {
		t.Error("a file that was written anew, with its old size and time, is taken for what it was")
	}
}
