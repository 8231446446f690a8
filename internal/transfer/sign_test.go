// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// A file is like its copies, and the same as itself only as long as nobody writes to it.
func TestSign(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789"), 500_000)
	at := func(i int) []byte { changed := bytes.Clone(large); changed[i]++; return changed }
	unpacked := transfer.Treatment{Decompress: true, Pad: true}
	for name, test := range map[string]struct {
		change     func(path string) error
		treatment  transfer.Treatment
		like, same bool
	}{
		"untouched":           {func(string) error { return nil }, unpacked, true, true},
		"touched":             {func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) }, unpacked, true, false},
		"copied over it":      {func(path string) error { return replaced(path, large) }, unpacked, true, false},
		"longer":              {func(path string) error { return os.WriteFile(path, append(large, 1), 0o600) }, unpacked, false, false},
		"other beginning":     {func(path string) error { return replaced(path, at(0)) }, unpacked, false, false},
		"other end":           {func(path string) error { return replaced(path, at(len(large)-1)) }, unpacked, false, false},
		"other in the middle": {func(path string) error { return replaced(path, at(len(large)/2)) }, unpacked, true, false},
		"not unpacked":        {func(string) error { return nil }, transfer.Treatment{Pad: true}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := inspected(t, large)
			before := signOf(t, transfer.Content{File: file, Treatment: unpacked})
			if err := test.change(file.Path); err != nil {
				t.Fatal(err)
			}
			again, err := transfer.Inspect(file.Path)
			if err != nil {
				t.Fatal(err)
			}
			after := signOf(t, transfer.Content{File: again, Treatment: test.treatment})
			if before.Like == after.Like != test.like || before.Same == after.Same != test.same {
				t.Errorf("got %+v, then %+v; want like %v, same %v", before, after, test.like, test.same)
			}
		})
	}
}

func signOf(t *testing.T, content transfer.Content) transfer.Sign {
	t.Helper()
	sign, err := content.Sign(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return sign
}

// replaced puts another file in the place of one.
func replaced(path string, content []byte) error {
	aside := filepath.Join(filepath.Dir(path), "aside")
	if err := os.WriteFile(aside, content, 0o600); err != nil {
		return err
	}
	return os.Rename(aside, path)
}

func TestSignOfNothing(t *testing.T) {
	t.Parallel()
	file := inspected(t, []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := os.Remove(file.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := (transfer.Content{File: file}).Sign(t.Context()); !transfer.Missing(err) {
		t.Errorf("a file that is gone gives %v", err)
	}
	if _, err := (transfer.Content{File: file}).Sign(ctx); !errors.Is(err, context.Canceled) && !transfer.Missing(err) {
		t.Errorf("an interrupted run gives %v", err)
	}
}
