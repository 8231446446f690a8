// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/qcow2"
)

// qcow2File writes a disk as a qcow2 file.
func qcow2File(t *testing.T, disk []byte, change func(*qcow2.Header)) (path string) {
	t.Helper()
	var file bytes.Buffer
	if err := qcow2.Write(&file, bytes.NewReader(disk), int64(len(disk))); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		var header qcow2.Header
		_, _ = binary.Decode(file.Bytes(), binary.BigEndian, &header)
		change(&header)
		_, _ = binary.Encode(file.Bytes(), binary.BigEndian, header)
	}
	path = filepath.Join(t.TempDir(), "disk.qcow2")
	if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenRawReadsQcow2(t *testing.T) {
	want := bytes.Repeat([]byte("disk"), 40<<10)
	raw, size, err := openRaw(qcow2File(t, want, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	got, err := io.ReadAll(raw)
	if err != nil || size != int64(len(want)) || !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes, error %v", len(got), len(want), err)
	}
}

func TestOpenRawRefusesWhatItCannotRead(t *testing.T) {
	path := qcow2File(t, []byte("disk"), func(h *qcow2.Header) { h.BackingOffset = 1 })
	if raw, _, err := openRaw(path); err == nil {
		raw.Close()
		t.Error("no error")
	}
}

func TestVirtualSize(t *testing.T) {
	packed := must(os.ReadFile(qcow2File(t, make([]byte, 1<<20), nil)))
	for _, test := range []struct {
		content []byte
		want    int64
	}{{[]byte("raw"), 3}, {nil, 0}, {packed, 1 << 20}} {
		got, err := virtualSize(bytes.NewReader(test.content), int64(len(test.content)))
		if err != nil || got != test.want {
			t.Errorf("%d bytes: %d, %v, want %d", len(test.content), got, err, test.want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
