// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lima-vm/go-qcow2reader/image/qcow2"
)

// checkDownload checks a qcow2 file as far as that goes without a checksum: its header,
// that all it refers to lies inside of it, that nothing but the rest of a cluster comes after
// that, and that the disk is not smaller than least. It reads the tables, not the data.
func checkDownload(ctx context.Context, file io.ReaderAt, size, least int64) error {
	t := tables{file: file, size: uint64(size)}
	err := t.checkWhole(ctx)
	if wrong, ok := errors.AsType[damageError](err); ok {
		return &StreamError{Reason: "the qcow2 file is not whole: " + string(wrong), Said: quoteEnd(file, size)}
	}
	if err == nil && t.header.Size < uint64(least) {
		return &StreamError{Final: true, Reason: fmt.Sprintf("the qcow2 file has a disk of %d bytes, but the image one of %d", t.header.Size, least)}
	}
	return err
}

// checkQCOW2 says why no machine could use a qcow2 file, or how large its disk is. Files that others made are judged more
// mildly than what a server just sent: snapshots and bitmaps lie outside of the tables, and the last
// data may be shorter than its cluster, for the rest of it reads as zeros.
func checkQCOW2(ctx context.Context, file io.ReaderAt, size int64) (disk int64, wrong string, err error) {
	head, err := headOf(file)
	if err != nil {
		return 0, "", err
	}
	if disk, wrong = judgeQCOW2(head); wrong != "" {
		return 0, wrong, nil
	}
	t := tables{file: file, size: uint64(size), mild: true}
	err = t.check(ctx)
	if damage, ok := errors.AsType[damageError](err); ok {
		return 0, notWhole(damage), nil
	}
	return disk, "", err
}

// cutQCOW2 says what is wrong with a file of which only the head was kept.
func cutQCOW2(head []byte, size int64) string {
	t := tables{file: bytes.NewReader(head), size: uint64(size), mild: true}
	err := t.readHeader()
	if err == nil {
		err = t.checkPlaces()
	}
	if damage, ok := errors.AsType[damageError](err); ok {
		return notWhole(damage)
	}
	return ""
}

func notWhole(damage damageError) string {
	return "is a qcow2 image that is not whole: " + string(damage) + "; copy or download it again"
}

// judgeQCOW2 reads the header; wrong says why the image cannot be used.
func judgeQCOW2(head []byte) (size int64, wrong string) {
	h, whole := readQCOW2(bytes.NewReader(head))
	switch {
	case !whole:
		return 0, "begins like a qcow2 image, but ends within its header"
	case h.Version != 2 && h.Version != 3:
		return 0, fmt.Sprintf("is a qcow2 image of version %d; only 2 and 3 are known", h.Version)
	case h.BackingFileOffset != 0:
		return 0, "is a qcow2 image that needs a backing file, which would not be uploaded; flatten it first with qemu-img convert"
	case h.CryptMethod != 0:
		return 0, "is an encrypted qcow2 image, which Harvester cannot open; decrypt it first, and let Harvester encrypt (source_type \"clone\")"
	case h.has(externalDataFile):
		return 0, "is a qcow2 image whose data lies in another file, which would not be uploaded; flatten it first with qemu-img convert"
	case h.has(corrupt):
		return 0, "is a qcow2 image that is marked as corrupt; repair it first with qemu-img check -r all"
	case h.Size == 0 || h.Size > 1<<62:
		return 0, fmt.Sprintf("is a qcow2 image with a disk of %d bytes", h.Size)
	}
	return int64(h.Size), ""
}

// qcow2Header is the header of a qcow2 file.
type qcow2Header struct {
	qcow2.HeaderFieldsV2
	v3 qcow2.HeaderFieldsV3
}

// readQCOW2 reads a header, if all of it is there.
func readQCOW2(head io.Reader) (h qcow2Header, whole bool) {
	if err := binary.Read(head, binary.BigEndian, &h.HeaderFieldsV2); err != nil {
		return h, false
	}
	if h.Version == 3 {
		if err := binary.Read(head, binary.BigEndian, &h.v3); err != nil {
			return h, false
		}
	}
	return h, true
}

func (h qcow2Header) has(feature uint64) bool { return uint64(h.v3.IncompatibleFeatures)&feature != 0 }

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

	// mild lets the data end within its last cluster.
	mild bool

	header  qcow2Header
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

// damageError says what is not whole in a qcow2 file, in a clause such as "it was cut".
type damageError string

func (e damageError) Error() string { return string(e) }

func damaged(format string, args ...any) error { return damageError(fmt.Sprintf(format, args...)) }

// check reads all tables. Errors are a damageError, the context's or the file's.
func (t *tables) check(ctx context.Context) error {
	return inTurn(t.readHeader, t.checkPlaces, t.checkRefcounts, func() error { return t.checkL1(ctx) })
}

// checkWhole checks the end of the file too.
func (t *tables) checkWhole(ctx context.Context) error {
	return inTurn(func() error { return t.check(ctx) }, t.checkEnd, t.checkLast)
}

func inTurn(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (t *tables) readHeader() error {
	h, whole := readQCOW2(io.NewSectionReader(t.file, 0, int64(t.size)))
	switch {
	case !whole:
		return damaged("it ends within its header")
	case string(h.Magic[:]) != qcow2.Magic, h.Version < 2, h.Version > 3, h.ClusterBits < 9, h.ClusterBits > 21:
		return damaged("its header makes no sense")
	case h.has(corrupt | externalDataFile), h.BackingFileOffset != 0, h.CryptMethod != 0:
		return damaged("it needs more than itself, or is marked as corrupt")
	}
	t.header, t.cluster = h, 1<<h.ClusterBits
	t.deflate = !h.has(compressionType)
	t.end = t.cluster
	return nil
}

// checkPlaces checks what the header says of the first tables.
func (t *tables) checkPlaces() error {
	h := t.header
	switch {
	case t.refcountLength() > maxRefcountTable, t.l1Length() > maxL1Table:
		return damaged("its header makes no sense")
	case uint64(h.L1Size) < t.l1Needed():
		return damaged("its first table is too short for its disk")
	case !t.covers(h.RefcountTableOffset, t.refcountLength()):
		return damaged("its reference count table lies beyond its end")
	case !t.covers(h.L1TableOffset, t.l1Length()):
		return damaged("its first table lies beyond its end")
	}
	return nil
}

func (t *tables) refcountLength() uint64 { return uint64(t.header.RefcountTableClusters) * t.cluster }

func (t *tables) l1Length() uint64 { return 8 * uint64(t.header.L1Size) }

// l1Needed is how many second tables it takes for the whole disk.
func (t *tables) l1Needed() uint64 {
	if t.header.Size == 0 {
		return 0
	}
	return (t.header.Size-1)/(t.cluster*t.cluster/t.l2Width()) + 1
}

// l2Width is how long an entry of a second table is, in bytes.
func (t *tables) l2Width() uint64 {
	if t.extended() {
		return 16 // the other half says which parts of the cluster hold data
	}
	return 8
}

func (t *tables) extended() bool { return t.header.has(extendedL2) }

// covers notes that something lies in the file, and says whether it does.
func (t *tables) covers(offset, length uint64) bool {
	end := offset + length
	if end < offset || end > t.size {
		return false
	}
	t.end = max(t.end, end)
	return true
}

// read reads a table. A file under way may lack the zeros at its end.
func (t *tables) read(into []byte, offset uint64) error {
	n, err := t.file.ReadAt(into, int64(offset))
	clear(into[n:])
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (t *tables) checkRefcounts() error {
	entries := make([]byte, t.refcountLength())
	if err := t.read(entries, t.header.RefcountTableOffset); err != nil {
		return err
	}
	for ; len(entries) > 0; entries = entries[8:] {
		if block := binary.BigEndian.Uint64(entries) & refcountMask; block != 0 && !t.covers(block, t.cluster) {
			return damaged("a block of reference counts lies beyond its end")
		}
	}
	return nil
}

// checkL1 checks the second tables, in the order in which they lie in the file and each once,
// however often it is named: what is read is never more than the file.
func (t *tables) checkL1(ctx context.Context) error {
	first := make([]byte, t.l1Length())
	if err := t.read(first, t.header.L1TableOffset); err != nil {
		return err
	}
	var seconds []uint64
	for ; len(first) > 0; first = first[8:] {
		if second := binary.BigEndian.Uint64(first) & offsetMask; second != 0 {
			seconds = append(seconds, second)
		}
	}
	slices.Sort(seconds)
	entries := make([]byte, t.cluster)
	for _, second := range slices.Compact(seconds) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := t.checkL2(second, entries); err != nil {
			return err
		}
	}
	return nil
}

// checkL2 reads a second table into entries.
func (t *tables) checkL2(offset uint64, entries []byte) error {
	if offset%t.cluster != 0 {
		return damaged("a second table is not where a cluster begins")
	}
	if !t.covers(offset, t.cluster) {
		return damaged("a second table lies beyond its end")
	}
	if err := t.read(entries, offset); err != nil {
		return err
	}
	for ; len(entries) > 0; entries = entries[t.l2Width():] {
		if !t.coversEntry(binary.BigEndian.Uint64(entries)) {
			return damaged("data lies beyond its end")
		}
	}
	return nil
}

// coversEntry checks where a cluster of the disk lies. A packed one is so many whole sectors
// long, of which the file may lack the end of the last.
func (t *tables) coversEntry(entry uint64) bool {
	if entry&packedCluster == 0 {
		data, length := entry&offsetMask, t.cluster
		if (t.extended() || t.mild) && data < t.size {
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
