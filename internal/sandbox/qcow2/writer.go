// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package qcow2

import (
	"bufio"
	"encoding/binary"
	"io"
)

// What Write chooses.
const (
	version     = 2
	clusterBits = 16
	clusterSize = 1 << clusterBits
	// perTable is how many entries of 8 bytes fit into a cluster, perBlock how many reference counts of 2 bytes.
	perTable = clusterSize / 8
	perBlock = clusterSize / 2
	// copiedMark says of a cluster that nothing else refers to it.
	copiedMark = 1 << 63
)

var blank = make([]byte, clusterSize)

// writtenHeader is the whole header of a file of version 2.
type writtenHeader struct {
	Header
	RefcountOffset   uint64
	RefcountClusters uint32
	Snapshots        uint32
	SnapshotsOffset  uint64
}

// Write writes a disk of this size as a qcow2 file, without its blank clusters. What stored lacks of the size is blank.
func Write(to io.Writer, stored io.ReaderAt, size int64) error {
	used, err := usedClusters(stored, size)
	if err != nil {
		return err
	}
	w := &writer{to: bufio.NewWriterSize(to, clusterSize), layout: layoutOf(used)}
	w.writeHeader(size)
	w.writeCounts()
	w.writeTables()
	if err := w.writeData(stored); err != nil {
		return err
	}
	return w.to.Flush()
}

// usedClusters says of each cluster of a disk whether there is anything but zeros in it.
func usedClusters(stored io.ReaderAt, size int64) ([]bool, error) {
	used := make([]bool, ceil(size, clusterSize))
	cluster := make([]byte, clusterSize)
	for i := range used {
		n, err := stored.ReadAt(cluster, int64(i)*clusterSize)
		if err != nil && err != io.EOF {
			return nil, err
		}
		used[i] = string(cluster[:n]) != string(blank[:n])
		if n == 0 {
			break
		}
	}
	return used, nil
}

// layout is where things are in a file, in clusters. They follow one another in this order after the header.
type layout struct {
	used []bool // by cluster of the disk
	// tables says of each entry of the first table whether it has a second table.
	tables                                              []bool
	refcountTable, refcountBlocks, l1Clusters, l2Tables int64
	total                                               int64
}

func layoutOf(used []bool) layout {
	l := layout{used: used, tables: make([]bool, ceil(int64(len(used)), perTable))}
	var stored int64
	for i, isUsed := range used {
		if isUsed {
			stored++
			l.tables[i/perTable] = true
		}
	}
	for _, exists := range l.tables {
		if exists {
			l.l2Tables++
		}
	}
	l.l1Clusters = ceil(int64(len(l.tables)), perTable)
	content := 1 + l.l1Clusters + l.l2Tables + stored
	// The counts count themselves.
	for l.total != content+l.refcountTable+l.refcountBlocks {
		l.total = content + l.refcountTable + l.refcountBlocks
		l.refcountBlocks = ceil(l.total, perBlock)
		l.refcountTable = ceil(l.refcountBlocks, perTable)
	}
	return l
}

func (l layout) l1() int64        { return 1 + l.refcountTable + l.refcountBlocks }
func (l layout) l2() int64        { return l.l1() + l.l1Clusters }
func (l layout) firstData() int64 { return l.l2() + l.l2Tables }

func ceil(n, unit int64) int64 { return (n + unit - 1) / unit }

// writer writes the parts of a file in their order. An error of to shows when it is flushed.
type writer struct {
	layout
	to *bufio.Writer
}

func (w *writer) writeHeader(size int64) {
	header := writtenHeader{
		Header: Header{
			Version: version, ClusterBits: clusterBits, Size: uint64(size),
			L1Size: uint32(len(w.tables)), L1Offset: uint64(w.l1() * clusterSize),
		},
		RefcountOffset: clusterSize, RefcountClusters: uint32(w.refcountTable),
	}
	copy(header.Magic[:], magic)
	_ = binary.Write(w.to, binary.BigEndian, header)
	w.pad(int64(binary.Size(header)))
}

// pad fills up the cluster in which so many bytes of a part end.
func (w *writer) pad(written int64) {
	_, _ = w.to.Write(blank[:ceil(written, clusterSize)*clusterSize-written])
}

func (w *writer) entry(value uint64) {
	_ = binary.Write(w.to, binary.BigEndian, value)
}

func (w *writer) writeCounts() {
	for i := range w.refcountBlocks {
		w.entry(uint64((1 + w.refcountTable + i) * clusterSize))
	}
	w.pad(8 * w.refcountBlocks)
	for range w.total {
		_, _ = w.to.Write([]byte{0, 1})
	}
	w.pad(2 * w.total)
}

func (w *writer) writeTables() {
	next := w.l2()
	for _, exists := range w.tables {
		w.entry(w.reference(exists, &next))
	}
	w.pad(8 * int64(len(w.tables)))
	next = w.firstData()
	for i, exists := range w.tables {
		if exists {
			clusters := w.used[i*perTable : min((i+1)*perTable, len(w.used))]
			for _, isUsed := range clusters {
				w.entry(w.reference(isUsed, &next))
			}
			w.pad(8 * int64(len(clusters)))
		}
	}
}

// reference refers to the next cluster, or to none.
func (w *writer) reference(exists bool, next *int64) uint64 {
	if !exists {
		return 0
	}
	*next++
	return uint64(*next-1)*clusterSize | copiedMark
}

func (w *writer) writeData(stored io.ReaderAt) error {
	cluster := make([]byte, clusterSize)
	for i, isUsed := range w.used {
		if !isUsed {
			continue
		}
		n, err := stored.ReadAt(cluster, int64(i)*clusterSize)
		if err != nil && err != io.EOF {
			return err
		}
		clear(cluster[n:])
		if _, err := w.to.Write(cluster); err != nil {
			return err
		}
	}
	return nil
}
