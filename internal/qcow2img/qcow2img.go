// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package qcow2img writes qcow2 images for the demo and for tests, which must
// not depend on qemu-img. The images are valid (version 3, 64 KiB clusters, every
// cluster counted) and hold data that does not compress; nothing boots from them.
package qcow2img

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

// ClusterSize is the granularity of the images in bytes.
const ClusterSize = 1 << clusterBits

const (
	magic             = 0x514649fb // "QFI\xfb"
	version           = 3
	clusterBits       = 16
	headerLength      = 104
	refcountOrder     = 4 // 1<<4 bits a count
	tableEntries      = ClusterSize / 8
	refcountsPerBlock = ClusterSize / 2
	copied            = 1 << 63 // the cluster is used once, so it may be written in place
)

// Image is a disk of which some clusters hold data and the others read as zeros.
type Image struct {
	// VirtualSize is the size of the disk in bytes.
	VirtualSize int64
	// DataSize is how much of it holds data. It is spread evenly over the disk.
	DataSize int64
	// Seed makes images of the same sizes differ.
	Seed uint64
}

// layout says where everything lies in the file, in clusters: the header, the
// refcount table (one cluster), the refcount blocks, the L1 table, the L2 tables, the data.
type layout struct {
	guest, data              int64 // clusters of the disk, and those with data
	refcountBlocks           int64
	l1Clusters, l2Tables     int64
	l1Start, l2Start, dataAt int64
	total                    int64
}

// Validate reports sizes that cannot be written.
func (i Image) Validate() error {
	switch {
	case i.VirtualSize <= 0 || i.VirtualSize%512 != 0:
		return fmt.Errorf("the virtual size must be a positive multiple of 512, not %d", i.VirtualSize)
	case i.DataSize < 0 || i.DataSize > i.VirtualSize:
		return fmt.Errorf("the data size must be between 0 and the virtual size, not %d", i.DataSize)
	case i.layout().refcountBlocks > tableEntries:
		return fmt.Errorf("%d bytes of data are more than this writer can count", i.DataSize)
	}
	return nil
}

// FileSize is the size of the written file in bytes.
func (i Image) FileSize() int64 { return i.layout().total * ClusterSize }

func (i Image) layout() layout {
	l := layout{guest: clusters(i.VirtualSize, ClusterSize), data: clusters(i.DataSize, ClusterSize)}
	l.l2Tables = clusters(l.guest, tableEntries)
	l.l1Clusters = clusters(l.l2Tables, tableEntries)
	rest := 2 + l.l1Clusters + l.l2Tables + l.data
	// The refcount blocks count themselves too.
	for l.refcountBlocks < clusters(rest+l.refcountBlocks, refcountsPerBlock) {
		l.refcountBlocks++
	}
	l.l1Start = 2 + l.refcountBlocks
	l.l2Start = l.l1Start + l.l1Clusters
	l.dataAt = l.l2Start + l.l2Tables
	l.total = rest + l.refcountBlocks
	return l
}

// slot is the number of a cluster of the disk among those that hold data.
func (l layout) slot(cluster int64) (slot int64, allocated bool) {
	before, after := cluster*l.data/l.guest, (cluster+1)*l.data/l.guest
	return before, after > before
}

// WriteTo implements io.WriterTo. It writes from front to back and holds one cluster in memory.
func (i Image) WriteTo(w io.Writer) (int64, error) {
	if err := i.Validate(); err != nil {
		return 0, err
	}
	l, written := i.layout(), int64(0)
	cluster := make([]byte, ClusterSize)
	for n := range l.total {
		clear(cluster)
		i.fill(l, n, cluster)
		count, err := w.Write(cluster)
		written += int64(count)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// fill renders one cluster of the file.
func (i Image) fill(l layout, n int64, cluster []byte) {
	switch {
	case n == 0:
		i.header(l, cluster)
	case n == 1:
		entries(cluster, 0, l.refcountBlocks, func(block int64) uint64 { return offset(2 + block) })
	case n < l.l1Start:
		first := (n - 2) * refcountsPerBlock
		for k := range min(refcountsPerBlock, l.total-first) {
			binary.BigEndian.PutUint16(cluster[2*k:], 1)
		}
	case n < l.l2Start:
		entries(cluster, (n-l.l1Start)*tableEntries, l.l2Tables, func(table int64) uint64 { return offset(l.l2Start+table) | copied })
	case n < l.dataAt:
		entries(cluster, (n-l.l2Start)*tableEntries, l.guest, func(guest int64) uint64 {
			slot, allocated := l.slot(guest)
			if !allocated {
				return 0
			}
			return offset(l.dataAt+slot) | copied
		})
	default:
		i.data(n-l.dataAt, cluster)
	}
}

func (i Image) header(l layout, cluster []byte) {
	binary.BigEndian.PutUint32(cluster[0:], magic)
	binary.BigEndian.PutUint32(cluster[4:], version)
	binary.BigEndian.PutUint32(cluster[20:], clusterBits)
	binary.BigEndian.PutUint64(cluster[24:], uint64(i.VirtualSize))
	binary.BigEndian.PutUint32(cluster[36:], uint32(l.l2Tables))
	binary.BigEndian.PutUint64(cluster[40:], offset(l.l1Start))
	binary.BigEndian.PutUint64(cluster[48:], offset(1))
	binary.BigEndian.PutUint32(cluster[56:], 1)
	binary.BigEndian.PutUint32(cluster[96:], refcountOrder)
	binary.BigEndian.PutUint32(cluster[100:], headerLength)
}

// data renders the data of a slot: reproducible, different in each, and without a pattern.
func (i Image) data(slot int64, cluster []byte) {
	random := rand.NewPCG(i.Seed, uint64(slot))
	for at := 0; at < len(cluster); at += 8 {
		binary.BigEndian.PutUint64(cluster[at:], random.Uint64())
	}
}

// entries fills a cluster of a table with those of count entries that start at first.
func entries(cluster []byte, first, count int64, entry func(int64) uint64) {
	for k := range min(tableEntries, count-first) {
		binary.BigEndian.PutUint64(cluster[8*k:], entry(first+k))
	}
}

func offset(cluster int64) uint64 { return uint64(cluster) * ClusterSize }

func clusters(n, size int64) int64 { return (n + size - 1) / size }
