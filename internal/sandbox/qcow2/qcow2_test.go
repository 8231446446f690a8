// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package qcow2

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"testing"
)

const testCluster = 64 << 10

// sample is a disk of four clusters, one as it is, one blank, one compressed, and half a one, and a file of it.
func sample(change func(*Header)) (file *bytes.Reader, disk []byte) {
	plain, packed := bytes.Repeat([]byte("plain"), testCluster)[:testCluster], bytes.Repeat([]byte("packed "), testCluster)[:testCluster]
	header := Header{Version: 2, ClusterBits: 16, Size: 3*testCluster + testCluster/2, L1Size: 1, L1Offset: testCluster}
	copy(header.Magic[:], magic)
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
	content := make([]byte, 6*testCluster)
	_, _ = binary.Encode(content, binary.BigEndian, header)
	binary.BigEndian.PutUint64(content[testCluster:], 2*testCluster|1<<63)
	for i, entry := range []uint64{3*testCluster | 1<<63, 0, compressedMark | sectors<<sizeShift | compressedAt, 3*testCluster | 1<<63} {
		binary.BigEndian.PutUint64(content[2*testCluster+8*i:], entry)
	}
	copy(content[3*testCluster:], plain)
	copy(content[compressedAt:], deflated.Bytes())

	return bytes.NewReader(content), bytes.Join([][]byte{plain, make([]byte, testCluster), packed, plain[:testCluster/2]}, nil)
}

func open(file *bytes.Reader) (*Reader, error) {
	header, err := ReadHeader(file)
	if err != nil {
		return nil, err
	}
	return NewReader(file, *header)
}

func TestRead(t *testing.T) {
	file, want := sample(nil)
	disk, err := open(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(disk)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d of %d bytes, error %v", len(got), len(want), err)
	}
}

func TestReadHeaderOfOtherFiles(t *testing.T) {
	for _, content := range []string{"", "raw", "QFI without the last byte"} {
		if header, err := ReadHeader(bytes.NewReader([]byte(content))); header != nil || err != nil {
			t.Errorf("%q: %v, %v", content, header, err)
		}
	}
}

func TestNewReaderRefusesWhatItCannotRead(t *testing.T) {
	for name, change := range map[string]func(*Header){
		"backing file": func(h *Header) { h.BackingOffset = 1 },
		"encrypted":    func(h *Header) { h.CryptMethod = 1 },
		"table size":   func(h *Header) { h.L1Size = 1 << 30 },
		"no table":     func(h *Header) { h.L1Offset = 1 << 40 },
	} {
		file, _ := sample(change)
		if _, err := open(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewReader(bytes.NewReader(nil), Header{ClusterBits: 60}); err == nil {
		t.Error("cluster size: no error")
	}
}

func TestWrite(t *testing.T) {
	data := bytes.Repeat([]byte("data"), clusterSize/4)
	blank := make([]byte, clusterSize)
	perTable := int64(clusterSize / 8)
	for name, test := range map[string]struct {
		stored []byte
		size   int64
	}{
		"blank":               {nil, 10 * clusterSize},
		"data between blanks": {bytes.Join([][]byte{blank, data, blank, data[:100]}, nil), 4*clusterSize - 512},
		"several tables":      {data, (2*perTable + 1) * clusterSize},
		"data to the end":     {data, clusterSize},
	} {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			if err := Write(&file, bytes.NewReader(test.stored), test.size); err != nil {
				t.Fatal(err)
			}
			disk, err := open(bytes.NewReader(file.Bytes()))
			if err != nil {
				t.Fatal(err)
			}
			start := make([]byte, min(test.size, int64(len(test.stored))))
			if _, err := io.ReadFull(disk, start); err != nil || !bytes.Equal(start, test.stored[:len(start)]) {
				t.Errorf("stored bytes differ, error %v", err)
			}
			rest, err := io.Copy(io.Discard, disk)
			if err != nil || int64(len(start))+rest != test.size {
				t.Errorf("%d bytes, want %d, error %v", int64(len(start))+rest, test.size, err)
			}
		})
	}
}
