// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"

	"github.com/harvester-community/terraform-provider-harvester/internal/units"
)

// source is the body of an answer. It remembers its end, where servers write
// what went wrong, and how it ended.
type source struct {
	io.Reader
	// most is how long the stream can be, in bytes; 0 if nobody knows.
	most int64
	read int64
	tail []byte
	err  error
}

// tailSize is how much of the end is remembered, in bytes.
const tailSize = 4 << 10

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.tail = append(s.tail, p[max(0, n-tailSize):n]...)
	if over := len(s.tail) - tailSize; over > 0 {
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
	if err != nil {
		s.err = err
	}
	if s.read += int64(n); s.most > 0 && s.read > s.most {
		return n, &StreamError{Final: true, Reason: fmt.Sprintf("the stream is longer than %s, and the image cannot be", units.Bytes(s.most))}
	}
	return n, err
}

// packedAtMost is how long a gzip file of so much data is at most, in bytes. What cannot be packed
// takes 5 bytes more a block; the rest is leeway.
func packedAtMost(size int64) int64 { return size + size/64 + 1<<20 }

// qcow2AtMost is how long a qcow2 file of a disk is at most, in bytes: with the smallest clusters there are, its tables
// take a sixteenth of it; the rest is leeway.
func qcow2AtMost(disk uint64) int64 {
	if disk > 1<<60 {
		return 0
	}
	return int64(disk + disk/8 + 64<<20)
}

// broken is why the connection ended before the stream did; nil if it did not.
func (s *source) broken() error {
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

// explain turns how reading ended into what happened to the stream. At is how much data had
// come out of it, in bytes.
func (s *source) explain(err error, at int64) error {
	if errors.As(err, new(*StreamError)) || errors.As(err, new(*TargetError)) {
		return err
	}
	if err != nil && s.err == nil {
		_, _ = io.CopyN(io.Discard, s, maxAnswer) // the text that tells why ends soon
	}
	after := ""
	if at > 0 {
		after = " after " + units.Bytes(at)
	}
	switch {
	case s.broken() != nil:
		return &StreamError{Reason: fmt.Sprintf("the connection broke%s: %s", after, s.err)}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &StreamError{Reason: "the stream ended early" + after, Said: quote(s.tail)}
	case err != nil:
		return &StreamError{Reason: fmt.Sprintf("the stream is damaged%s (%s)", after, err), Said: quote(s.tail)}
	}
	return nil
}

// content is what is packed in a stream. It ends with io.EOF only if it was all
// there, and nothing else after it.
type content struct {
	stream *bufio.Reader
	packed *gzip.Reader
	want   int64
	read   *atomic.Int64
}

func (d *Download) unpack(stream *bufio.Reader) *content {
	return &content{stream: stream, want: d.Size, read: &d.unpacked}
}

func (c *content) Read(p []byte) (int, error) {
	if c.packed == nil {
		packed, err := gzip.NewReader(c.stream)
		if err != nil {
			return 0, early(err)
		}
		// Several packed parts in a row are none of Longhorn's doing, so the second is too much.
		packed.Multistream(false)
		c.packed = packed
	}
	n, err := c.packed.Read(p)
	read := c.read.Add(int64(n))
	if c.want > 0 && read > c.want {
		return n, &StreamError{Final: true, Reason: fmt.Sprintf("the stream holds more than the %d bytes of the image", c.want)}
	}
	if errors.Is(err, io.EOF) {
		err = c.ended(read)
	}
	return n, err
}

// ended judges a stream whose own checksum was right. A server that fails to
// read its file ends the packing properly, so it can still be short.
func (c *content) ended(read int64) error {
	rest, err := io.ReadAll(io.LimitReader(c.stream, maxAnswer))
	switch {
	case c.want > 0 && read < c.want:
		return &StreamError{Reason: fmt.Sprintf("the stream ended properly, but holds %d bytes of the %d of the image", read, c.want), Said: quote(rest)}
	case len(rest) > 0:
		return &StreamError{Reason: fmt.Sprintf("the stream goes on after the image of %d bytes", read), Said: quote(rest)}
	case err != nil:
		return err
	}
	return io.EOF
}

// leastQuote is how much text at the end of binary data is no coincidence, in bytes.
const leastQuote = 12

// quote finds the text at the end of binary data.
func quote(data []byte) string {
	text := bytes.TrimSpace(data)
	start := len(text)
	for start > 0 {
		letter, size := utf8.DecodeLastRune(text[:start])
		if unprintable(letter) {
			break
		}
		start -= size
	}
	text = text[start:]
	// Harvester's own text; what stands before it is data that looks like text.
	if at := bytes.Index(text, []byte("failed to ")); at > 0 && at < leastQuote {
		text = text[at:]
	}
	if len(text) < leastQuote {
		return ""
	}
	return said(text)
}

func unprintable(letter rune) bool {
	return letter == utf8.RuneError || !unicode.IsPrint(letter) && !unicode.IsSpace(letter)
}
