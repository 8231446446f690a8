// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package qcow2 reads the disks in qcow2 files and writes disks as such files.
package qcow2

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Marks in the tables of a qcow2 file.
const (
	offsetMask     = 0x00ff_ffff_ffff_fe00
	compressedMark = 1 << 62
	zeroMark       = 1
	sector         = 512
)

var magic = []byte("QFI\xfb")

// Header is the start of a qcow2 file, as far as all versions have it.
type Header struct {
	Magic         [4]byte
	Version       uint32
	BackingOffset uint64
	BackingSize   uint32
	ClusterBits   uint32
	Size          uint64
	CryptMethod   uint32
	L1Size        uint32
	L1Offset      uint64
}

func (h Header) clusterSize() int64 { return 1 << h.ClusterBits }

// ReadHeader returns the header of a file that is qcow2, and nil for any other.
func ReadHeader(file io.ReaderAt) (*Header, error) {
	var header Header
	raw := make([]byte, binary.Size(header))
	if _, err := file.ReadAt(raw, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.HasPrefix(raw, magic) {
		return nil, nil
	}
	_, err := binary.Decode(raw, binary.BigEndian, &header)
	return &header, err
}

// Reader reads the disk in a qcow2 file from the start to the end, one cluster at a time.
type Reader struct {
	file    io.ReaderAt
	header  Header
	l1      []uint64
	l2      []uint64
	l2At    int // the entry of l1 that l2 is from
	next    int64
	current []byte
}

// NewReader returns a reader of the disk in the file that starts with this header.
func NewReader(file io.ReaderAt, header Header) (*Reader, error) {
	const minBits, maxBits, maxL1 = 9, 21, 4 << 20
	switch {
	case header.BackingOffset != 0:
		return nil, errors.New("images with a backing file are not supported")
	case header.CryptMethod != 0:
		return nil, errors.New("encrypted images are not supported")
	case header.ClusterBits < minBits || header.ClusterBits > maxBits || header.L1Size > maxL1:
		return nil, errors.New("invalid header")
	}
	l1, err := readTable(file, int64(header.L1Offset), int(header.L1Size))
	if err != nil {
		return nil, err
	}
	return &Reader{file: file, header: header, l1: l1, l2At: -1}, nil
}

func readTable(file io.ReaderAt, offset int64, entries int) ([]uint64, error) {
	raw := make([]byte, entries*8)
	if _, err := file.ReadAt(raw, offset); err != nil {
		return nil, err
	}
	table := make([]uint64, entries)
	_, err := binary.Decode(raw, binary.BigEndian, table)
	return table, err
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(r.current) == 0 {
		left := int64(r.header.Size) - r.next
		if left <= 0 {
			return 0, io.EOF
		}
		cluster, err := r.cluster(r.next / r.header.clusterSize())
		if err != nil {
			return 0, err
		}
		r.current = cluster[:min(left, int64(len(cluster)))]
		r.next += int64(len(r.current))
	}
	n := copy(p, r.current)
	r.current = r.current[n:]
	return n, nil
}

func (r *Reader) cluster(index int64) ([]byte, error) {
	entry, err := r.entry(index)
	if err != nil {
		return nil, err
	}
	cluster := make([]byte, r.header.clusterSize())
	if entry&compressedMark != 0 {
		return cluster, r.inflate(entry, cluster)
	}
	offset := int64(entry & offsetMask)
	if offset == 0 || entry&zeroMark != 0 {
		return cluster, nil
	}
	// The last cluster of a file may be cut short: the rest of it is blank.
	if _, err := r.file.ReadAt(cluster, offset); err != nil && err != io.EOF {
		return nil, err
	}
	return cluster, nil
}

// entry finds the entry of a cluster in the tables; 0 if there is none.
func (r *Reader) entry(index int64) (uint64, error) {
	perTable := r.header.clusterSize() / 8
	at := int(index / perTable)
	if at >= len(r.l1) {
		return 0, nil
	}
	if at != r.l2At {
		r.l2, r.l2At = nil, at
		if offset := int64(r.l1[at] & offsetMask); offset != 0 {
			table, err := readTable(r.file, offset, int(perTable))
			if err != nil {
				return 0, err
			}
			r.l2 = table
		}
	}
	if r.l2 == nil {
		return 0, nil
	}
	return r.l2[index%perTable], nil
}

func (r *Reader) inflate(entry uint64, cluster []byte) error {
	sizeShift := 62 - (r.header.ClusterBits - 8)
	offset := int64(entry & (1<<sizeShift - 1))
	sectors := int64(entry>>sizeShift&(1<<(r.header.ClusterBits-8)-1)) + 1
	compressed := io.NewSectionReader(r.file, offset, sectors*sector-offset%sector)
	if _, err := io.ReadFull(flate.NewReader(compressed), cluster); err != nil {
		return fmt.Errorf("compressed cluster at %d: %w", offset, err)
	}
	return nil
}
