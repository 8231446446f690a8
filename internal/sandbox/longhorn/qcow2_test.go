// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
)

const testCluster = 64 << 10

// qcow2File writes a disk of four clusters: one as it is, one blank, one compressed, and half a one.
func qcow2File(t *testing.T, change func(*qcow2Header)) (path string, disk []byte) {
	t.Helper()
	plain, packed := bytes.Repeat([]byte("plain"), testCluster)[:testCluster], bytes.Repeat([]byte("packed "), testCluster)[:testCluster]
	header := qcow2Header{Version: 2, ClusterBits: 16, Size: 3*testCluster + testCluster/2, L1Size: 1, L1Offset: testCluster}
	copy(header.Magic[:], qcow2Magic)
	if change != nil {
		change(&header)
	}
	var deflated bytes.Buffer
	writer, _ := flate.NewWriter(&deflated, flate.BestCompression)
	_, _ = writer.Write(packed)
	_ = writer.Close()

	const compressedAt = 4*testCluster + 100
	sectors := uint64((compressedAt%sector+deflated.Len()+sector-1)/sector - 1)
	sizeShift := 62 - (header.ClusterBits - 8)
	file := make([]byte, 6*testCluster)
	_, _ = binary.Encode(file, binary.BigEndian, header)
	binary.BigEndian.PutUint64(file[testCluster:], 2*testCluster|1<<63)
	for i, entry := range []uint64{3*testCluster | 1<<63, 0, compressedMark | sectors<<sizeShift | compressedAt, 3*testCluster | 1<<63} {
		binary.BigEndian.PutUint64(file[2*testCluster+8*i:], entry)
	}
	copy(file[3*testCluster:], plain)
	copy(file[compressedAt:], deflated.Bytes())

	path = filepath.Join(t.TempDir(), "disk.qcow2")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	return path, bytes.Join([][]byte{plain, make([]byte, testCluster), packed, plain[:testCluster/2]}, nil)
}

func TestOpenRawReadsQcow2(t *testing.T) {
	path, want := qcow2File(t, nil)
	raw, size, err := openRaw(path)
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
	for name, change := range map[string]func(*qcow2Header){
		"backing file": func(h *qcow2Header) { h.BackingOffset = 1 },
		"encrypted":    func(h *qcow2Header) { h.CryptMethod = 1 },
		"cluster size": func(h *qcow2Header) { h.ClusterBits = 60 },
		"table size":   func(h *qcow2Header) { h.L1Size = 1 << 30 },
		"no table":     func(h *qcow2Header) { h.L1Offset = 1 << 40 },
	} {
		path, _ := qcow2File(t, func(h *qcow2Header) {
			bits := h.ClusterBits
			change(h)
			if h.ClusterBits != bits {
				h.ClusterBits = 8
			}
		})
		if raw, _, err := openRaw(path); err == nil {
			raw.Close()
			t.Errorf("%s: no error", name)
		}
	}
}

func TestVirtualSize(t *testing.T) {
	path, want := qcow2File(t, nil)
	for _, test := range []struct {
		content []byte
		want    int64
	}{{[]byte("raw"), 3}, {nil, 0}, {must(os.ReadFile(path)), int64(len(want))}} {
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
