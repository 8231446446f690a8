// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lima-vm/go-qcow2reader/image/qcow2"
)

// checkTables checks a qcow2 file as far as that goes without a checksum: its header,
// that all it refers to lies inside of it, that nothing but the rest of a cluster comes after
// that, and that the disk is not smaller than least. It reads the tables, not the data.
func checkTables(file io.ReaderAt, size, least int64) error {
	t := tables{file: file, size: uint64(size)}
	err := t.check(uint64(least))
	if wrong, ok := errors.AsType[*StreamError](err); ok {
		wrong.Said = quoteEnd(file, size)
	}
	return err
}

// quoteEnd is the text at the end of a file.
func quoteEnd(file io.ReaderAt, size int64) string {
	end := make([]byte, min(size, tailSize))
	if _, err := file.ReadAt(end, size-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return quote(end)
}

// tables are those of a qcow2 file.
type tables struct {
	file io.ReaderAt
	size uint64

	header  qcow2.HeaderFieldsV2
	v3      qcow2.HeaderFieldsV3
	deflate bool
	cluster uint64
	// end is where the last thing that is referred to ends, in bytes; last is
	// the packed cluster nearest to the end.
	end  uint64
	last uint64
}

// Limits of QEMU for what a table may take, in bytes.
const (
	maxL1Table       = 32 << 20
	maxRefcountTable = 8 << 20
)

// What the entries of the tables are made of.
const (
	offsetMask       = 0x00fffffffffffe00
	refcountMask     = 0xfffffffffffffe00
	packedCluster    = 1 << 62
	sector           = 512
	extendedL2       = 1 << qcow2.IncompatibleFeaturesExtendedL2EntriesBit
	corrupt          = 1 << qcow2.IncompatibleFeaturesCorruptBit
	externalDataFile = 1 << qcow2.IncompatibleFeaturesExternalDataFileBit
	compressionType  = 1 << qcow2.IncompatibleFeaturesCompressionTypeBit
)

func damaged(format string, args ...any) error {
	return &StreamError{Reason: "the qcow2 file is not whole: " + fmt.Sprintf(format, args...)}
}

func (t *tables) check(least uint64) error {
	for _, step := range []func() error{t.readHeader, t.checkRefcounts, t.checkL1, t.checkEnd, t.checkLast} {
		if err := step(); err != nil {
			return err
		}
	}
	if t.header.Size < least {
		return &StreamError{Final: true, Reason: fmt.Sprintf("the qcow2 file has a disk of %d bytes, but the image one of %d", t.header.Size, least)}
	}
	return nil
}

func (t *tables) readHeader() error {
	head := io.NewSectionReader(t.file, 0, int64(t.size))
	if err := binary.Read(head, binary.BigEndian, &t.header); err != nil {
		return damaged("it ends within its header")
	}
	if t.header.Version >= 3 {
		if err := binary.Read(head, binary.BigEndian, &t.v3); err != nil {
			return damaged("it ends within its header")
		}
	}
	h, features := t.header, uint64(t.v3.IncompatibleFeatures)
	if string(h.Magic[:]) != qcow2.Magic || h.Version < 2 || h.Version > 3 || h.ClusterBits < 9 || h.ClusterBits > 21 {
		return damaged("its header makes no sense")
	}
	if features&(corrupt|externalDataFile) != 0 || h.BackingFileOffset != 0 || h.CryptMethod != 0 {
		return damaged("it needs more than itself, or is marked as corrupt")
	}
	t.cluster = 1 << h.ClusterBits
	t.deflate = features&compressionType == 0
	t.end = t.cluster
	return nil
}

// covers notes that something lies in the file, and says whether it does.
func (t *tables) covers(offset, length uint64) bool {
	end := offset + length
	if end < offset || end > t.size {
		return false
	}
	t.end = max(t.end, end)
	return true
}

// table reads a table of 8-byte entries.
func (t *tables) table(name string, offset, length uint64) ([]byte, error) {
	if !t.covers(offset, length) {
		return nil, damaged("its %s lies beyond its end", name)
	}
	entries := make([]byte, length)
	if _, err := t.file.ReadAt(entries, int64(offset)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return entries, nil
}

func (t *tables) checkRefcounts() error {
	length := uint64(t.header.RefcountTableClusters) * t.cluster
	if length > maxRefcountTable {
		return damaged("its header makes no sense")
	}
	entries, err := t.table("reference count table", t.header.RefcountTableOffset, length)
	if err != nil {
		return err
	}
	for ; len(entries) > 0; entries = entries[8:] {
		if block := binary.BigEndian.Uint64(entries) & refcountMask; block != 0 && !t.covers(block, t.cluster) {
			return damaged("a block of reference counts lies beyond its end")
		}
	}
	return nil
}

func (t *tables) checkL1() error {
	length := 8 * uint64(t.header.L1Size)
	if length > maxL1Table {
		return damaged("its header makes no sense")
	}
	entries, err := t.table("first table", t.header.L1TableOffset, length)
	if err != nil {
		return err
	}
	for ; len(entries) > 0; entries = entries[8:] {
		if second := binary.BigEndian.Uint64(entries) & offsetMask; second != 0 {
			if err := t.checkL2(second); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tables) checkL2(offset uint64) error {
	entries, err := t.table("second table", offset, t.cluster)
	if err != nil {
		return err
	}
	width := 8
	if t.extended() {
		width = 16 // the other half says which parts of the cluster hold data
	}
	for ; len(entries) > 0; entries = entries[width:] {
		if !t.coversEntry(binary.BigEndian.Uint64(entries)) {
			return damaged("data lies beyond its end")
		}
	}
	return nil
}

func (t *tables) extended() bool { return uint64(t.v3.IncompatibleFeatures)&extendedL2 != 0 }

// coversEntry checks where a cluster of the disk lies. A packed one is so many whole sectors
// long, of which the file may lack the end of the last.
func (t *tables) coversEntry(entry uint64) bool {
	if entry&packedCluster == 0 {
		data, length := entry&offsetMask, t.cluster
		if t.extended() && data < t.size {
			length = min(length, t.size-data) // parts at its end may be missing
		}
		return data == 0 || t.covers(data, length)
	}
	offsetBits := 62 - (t.header.ClusterBits - 8)
	offset := entry & (1<<offsetBits - 1)
	sectors := entry&(packedCluster-1)>>offsetBits + 1
	t.last = max(t.last, offset)
	end := offset&^(sector-1) + sectors*sector
	return offset < t.size && end < t.size+sector && t.covers(offset, min(end, t.size)-offset)
}

// copyFailed begins the text that Harvester appends to a file whose copying failed.
const copyFailed = "failed to copy download content"

// checkEnd looks for what is no part of the file.
func (t *tables) checkEnd() error {
	if strings.HasPrefix(quoteEnd(t.file, int64(t.size)), copyFailed) {
		return damaged("it was cut")
	}
	whole := (t.end + t.cluster - 1) / t.cluster * t.cluster
	if t.size > whole {
		return damaged("it goes on for %d bytes after its end", t.size-whole)
	}
	return nil
}

// checkLast unpacks the packed cluster that lies last: a file that was cut within its last
// sector is found only so.
func (t *tables) checkLast() error {
	if t.last == 0 || !t.deflate {
		return nil
	}
	packed := io.NewSectionReader(t.file, int64(t.last), int64(min(t.size-t.last, 2*t.cluster)))
	n, err := io.CopyN(io.Discard, flate.NewReader(packed), int64(t.cluster)+1)
	if !errors.Is(err, io.EOF) || uint64(n) != t.cluster {
		return damaged("its last data cannot be unpacked")
	}
	return nil
}
