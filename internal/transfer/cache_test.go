// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// poison makes every entry of a cache say something else.
func poison(t *testing.T, dir, right, wrong string) (entries int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, bytes.ReplaceAll(text, []byte(right), []byte(wrong)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return len(names)
}

func TestCacheReadsOnceAndForgets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, file, treatment := transfer.Cache{Dir: dir}, inspected(t, []byte("content")), transfer.Treatment{Pad: true}
	scan := func() transfer.Content {
		t.Helper()
		content, err := cache.Scan(t.Context(), file, treatment)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	first := scan()
	const wrong = "0123"
	if n := poison(t, dir, first.SHA512, wrong); n != 1 {
		t.Fatalf("the cache has %d entries, want 1", n)
	}
	again := scan()
	if again.SHA512 != wrong || again.Size != 512 || again.FileSHA512 != first.FileSHA512 {
		t.Errorf("the file is read again, to %+v", again)
	}
	cache.Forget(again)
	if got := scan(); got.SHA512 != first.SHA512 {
		t.Errorf("it still says %s, want %s", got.SHA512, first.SHA512)
	}
	transfer.Cache{}.Forget(again) // no cache forgets nothing
}

// What was found out while a file was sent is kept like a scan.
func TestCacheKeeps(t *testing.T) {
	t.Parallel()
	cache, file, treatment := transfer.Cache{Dir: t.TempDir()}, inspected(t, []byte("content")), transfer.Treatment{Pad: true}
	if _, known := cache.Known(file, treatment); known {
		t.Error("something is known of a file that was never read")
	}
	content, err := file.Scan(t.Context(), treatment)
	if err != nil {
		t.Fatal(err)
	}
	cache.Keep(content)
	if got, known := cache.Known(file, treatment); !known || got != content {
		t.Errorf("got %+v (%v), want %+v", got, known, content)
	}
	transfer.Cache{}.Keep(content) // no cache keeps nothing
}

// What is kept of a scan survives being written down.
func TestSeen(t *testing.T) {
	t.Parallel()
	file, treatment := inspected(t, append(gzipped([]byte("content")), "more"...)), transfer.Treatment{Decompress: true, Pad: true}
	content, err := file.Scan(t.Context(), treatment)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(content.Seen())
	if err != nil {
		t.Fatal(err)
	}
	var seen transfer.Seen
	if err := json.Unmarshal(text, &seen); err != nil {
		t.Fatal(err)
	}
	if got, same := seen.Of(file, treatment); !same || got != content || !got.Behind {
		t.Errorf("got %+v (%v), want %+v", got, same, content)
	}
	if _, same := seen.Of(file, transfer.Treatment{Decompress: true}); same {
		t.Error("another treatment is taken for the same")
	}
	if _, same := (transfer.Seen{}).Of(file, treatment); same {
		t.Error("nothing is taken for the file")
	}
}
