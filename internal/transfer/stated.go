// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"
)

// stated is how many bytes a file holds once it is unpacked, as its own tables say; false if they do not. What they say
// has to be compared with what is there.
func stated(file io.ReaderAt, size int64, codec Format) (int64, bool) {
	switch codec {
	case Raw:
		return size, true
	case XZ:
		return statedXZ(file, size)
	case Zstd:
		return statedZstd(file, size)
	default: // gzip states the lowest 32 bits only, bzip2 nothing
		return 0, false
	}
}

// Sizes of xz files, in bytes; see section 2 of "The .xz File Format".
const (
	xzHeader  = 12
	xzFooter  = 12
	xzPadding = 4 // streams are followed by zeros in groups of four
	// maxIndex is how large an index is read. One of 16 bytes a block of 24 MiB (xz -T0 -9) is enough for a TiB.
	maxIndex = 1 << 20
)

// statedXZ adds up the indexes of an xz file's streams, beginning with the last one.
func statedXZ(file io.ReaderAt, end int64) (total int64, ok bool) {
	for end > 0 {
		footer := make([]byte, xzFooter)
		if end < xzHeader+xzFooter || !readAt(file, footer, end-xzFooter) {
			return 0, false
		}
		if bytes.Equal(footer[xzFooter-xzPadding:], make([]byte, xzPadding)) {
			end -= xzPadding
			continue
		}
		unpacked, length, ok := xzStream(file, end, footer)
		if !ok || total > math.MaxInt64-unpacked {
			return 0, false
		}
		total += unpacked
		end -= length
	}
	return total, true
}

// xzStream reads the index of the stream that ends there: how much the stream holds, and how long it is itself.
func xzStream(file io.ReaderAt, end int64, footer []byte) (unpacked, length int64, ok bool) {
	size := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
	if string(footer[10:]) != "YZ" || crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer) || size > maxIndex {
		return 0, 0, false
	}
	index := make([]byte, size)
	if end < xzHeader+xzFooter+size || !readAt(file, index, end-xzFooter-size) {
		return 0, 0, false
	}
	sum := len(index) - crc32.Size
	if index[0] != 0 || sum < 2 || crc32.ChecksumIEEE(index[:sum]) != binary.LittleEndian.Uint32(index[sum:]) {
		return 0, 0, false
	}
	numbers := bytes.NewReader(index[1:sum])
	next := func() int64 {
		n, err := binary.ReadUvarint(numbers)
		if err != nil || n > math.MaxInt64/2 {
			ok = false
			return 0
		}
		return int64(n)
	}
	ok = true
	for blocks := next(); ok && blocks > 0; blocks-- {
		packed := next()
		length += (packed + 3) / 4 * 4
		unpacked += next()
		ok = ok && length >= 0 && unpacked >= 0 && length <= end
	}
	return unpacked, length + xzHeader + size + xzFooter, ok
}

// maxBlocks is how many blocks of a zstd file are looked at. A block holds 128 KiB at most, so these hold 32 GiB.
const maxBlocks = 1 << 18

// statedZstd adds up what the frames of a zstd file state; see RFC 8878, section 3.1. It goes from block to block without
// reading them, because behind a frame another can follow.
func statedZstd(file io.ReaderAt, size int64) (total int64, ok bool) {
	blocks := maxBlocks
	for at := int64(0); at < size; {
		head := make([]byte, zstd.HeaderMaxSize)
		n, err := file.ReadAt(head, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, false
		}
		var frame zstd.Header
		if frame.Decode(head[:n]) != nil {
			return 0, false
		}
		if frame.Skippable {
			at += int64(frame.HeaderSize) + int64(frame.SkippableSize)
			continue
		}
		if !frame.HasFCS || frame.FrameContentSize > math.MaxInt64/2 || total > math.MaxInt64/2 {
			return 0, false
		}
		total += int64(frame.FrameContentSize)
		if at, ok = behindFrame(file, at+int64(frame.HeaderSize), frame.HasCheckSum, &blocks); !ok || at > size {
			return 0, false
		}
	}
	return total, true
}

// behindFrame is where the frame ends whose first block is there.
func behindFrame(file io.ReaderAt, at int64, checksum bool, blocks *int) (int64, bool) {
	const headSize, repeated, sumSize = 3, 1, 4
	for last := false; !last; *blocks-- {
		head := make([]byte, headSize+1) // the last byte stays 0
		if *blocks == 0 || !readAt(file, head[:headSize], at) {
			return 0, false
		}
		bits := binary.LittleEndian.Uint32(head)
		last = bits&1 == 1
		length := int64(bits >> 3)
		if bits>>1&3 == repeated {
			length = 1
		}
		at += headSize + length
	}
	if checksum {
		at += sumSize
	}
	return at, true
}

func readAt(file io.ReaderAt, p []byte, at int64) bool {
	n, err := file.ReadAt(p, at)
	return n == len(p) && (err == nil || errors.Is(err, io.EOF))
}
