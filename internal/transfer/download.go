// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

// Download is one image on its way from a server into a file. The server says
// neither how long the stream is nor, mostly, that it broke: Harvester writes the
// text of an error into the stream and ends it properly. So whatever arrives is
// checked against what is known of the image before it gets the target's name.
type Download struct {
	// URL is where the bytes come from.
	URL    *url.URL
	Target Target
	// Packed says that the server packs the image with gzip, as the backend backingimage
	// does. Otherwise it sends a qcow2 file, as the backend cdi does.
	Packed bool
	// Keep saves a packed image as it comes. It is unpacked all the same, to be checked.
	Keep bool
	// Size and SHA512 are those of the image, unpacked; 0 and empty if they are not known.
	Size   int64
	SHA512 string
	// Disk is the least size of the disk in a qcow2 file that is not packed, in bytes.
	Disk int64
	// Stall is how long no byte may arrive; 0 is for ever.
	Stall time.Duration
	// Log is told now and then how far the download is; nil is told nothing.
	Log func(line string)

	received, unpacked atomic.Int64
}

// Received is a complete and verified file that waits beside its target to take
// the name: exactly one of Commit and Discard must follow.
type Received struct {
	Digest
	partial *partial
}

// Commit gives the file its name. An older file of that name is replaced in the same instant.
func (r *Received) Commit() error { return r.partial.commit() }

// Discard removes the file.
func (r *Received) Discard() { r.partial.discard() }

// RefusedError is an answer other than success to a download.
type RefusedError struct{ StatusError }

func (e *RefusedError) Unwrap() error { return &e.StatusError }

// StreamError is a download that is not the whole image.
type StreamError struct {
	// Reason is a clause such as "the stream ended after 3.0 MiB".
	Reason string
	// Said is what the server wrote in the place of data, if anything.
	Said string
	// Final says that the next try would end in the same way.
	Final bool
}

func (e *StreamError) Error() string {
	if e.Said == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s; the server wrote into the stream: %s", e.Reason, e.Said)
}

// StalledError says that no byte arrived for so long.
type StalledError struct {
	After time.Duration
	Last  string
}

func (e *StalledError) Error() string {
	return fmt.Sprintf("no byte arrived for %s; last seen: downloading, %s", e.After.Round(time.Second), e.Last)
}

// Receive transfers the whole image once, into a new file beside the target. Whatever the
// error, that file is gone. Errors are a *RefusedError, a *StreamError, a
// *StalledError, a *TargetError, the context's, or the transport's.
func (d *Download) Receive(ctx context.Context, client *http.Client) (*Received, error) {
	d.received.Store(0)
	d.unpacked.Store(0)
	d.Target.Sweep()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go d.supervise(ctx, stop)
	received, err := d.receive(ctx, stop, client)
	if err != nil && context.Cause(ctx) != nil {
		err = context.Cause(ctx) // it knows better than what it interrupted
	}
	return received, err
}

func (d *Download) receive(ctx context.Context, stop context.CancelCauseFunc, client *http.Client) (*Received, error) {
	body, err := d.request(ctx, client)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	source := &source{Reader: counted{body, &d.received}}
	stream := bufio.NewReaderSize(source, buffer)
	if err := d.recognize(stream, source); err != nil {
		return nil, err
	}
	source.most = d.atMost(stream)
	partial, err := d.Target.begin()
	if err != nil {
		return nil, err
	}
	digest, err := d.save(ctx, stop, stream, source, partial)
	if err == nil {
		err = d.verify(ctx, digest, partial)
	}
	if err == nil {
		err = partial.seal(ctx)
	}
	if err == nil {
		err = partial.sign(&digest)
	}
	if err != nil {
		partial.discard()
		return nil, err
	}
	return &Received{digest, partial}, nil
}

// request asks for the image. Without the header, Go's client and proxies would
// pack a second time.
func (d *Download) request(ctx context.Context, client *http.Client) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("build the request: %w", err)
	}
	request.Header.Set("Accept-Encoding", "identity")
	response, err := client.Do(request)
	if err != nil {
		return nil, withoutURL(err)
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return nil, &RefusedError{statusError(response, said(text))}
}

// recognize looks at the first bytes: Harvester passes on what Longhorn answers, also
// if that is the text of an error.
func (d *Download) recognize(stream *bufio.Reader, source *source) error {
	signature := "QFI\xfb"
	if d.Packed {
		signature = "\x1f\x8b"
	}
	head, err := stream.Peek(len(signature))
	switch {
	case string(head) == signature:
		return nil
	case source.broken() != nil:
		return &StreamError{Reason: "the connection broke before the first byte: " + source.err.Error()}
	case len(head) == 0 && err != nil:
		return &StreamError{Reason: "the stream is empty"}
	}
	text, _ := io.ReadAll(io.LimitReader(stream, maxAnswer))
	answer := ""
	if bytes.IndexFunc(text, unprintable) < 0 {
		answer = said(text)
	}
	return &StreamError{Reason: "the stream is not the image", Said: answer}
}

// atMost is how long the stream can be, in bytes: a server that never ends must not fill the disk. It is 0 if
// nobody knows.
func (d *Download) atMost(stream *bufio.Reader) int64 {
	if d.Packed && d.Size > 0 {
		return packedAtMost(d.Size)
	}
	const header = 72
	if head, _ := stream.Peek(header); !d.Packed && len(head) == header {
		h, _ := readQCOW2(bytes.NewReader(head))
		return qcow2AtMost(h.Size)
	}
	return 0
}

// save writes the stream into the partial file and computes its digest at the same time.
func (d *Download) save(ctx context.Context, stop context.CancelCauseFunc, stream *bufio.Reader, source *source, to *partial) (Digest, error) {
	digester := newDigester()
	sinks := append(digester.sinks(), to.write)
	var err error
	switch {
	case !d.Packed:
		err = pump(ctx, stop, stream, sinks)
	case d.Keep:
		check := d.check(ctx, stop)
		err = check.end(pump(ctx, stop, stream, append(sinks, check.write)))
	default:
		err = pump(ctx, stop, d.unpack(stream), sinks)
	}
	return digester.digest(), source.explain(err, d.unpacked.Load())
}

// verify checks what can be known only now. The length of a packed image was
// checked while it came, and the sum too if it was saved as it came.
func (d *Download) verify(ctx context.Context, digest Digest, saved *partial) error {
	switch {
	case d.Packed && d.Keep:
		return nil
	case d.Packed:
		return d.compare(digest.SHA512)
	}
	err := checkDownload(ctx, saved.file, digest.Size, d.Disk)
	if err != nil && ctx.Err() == nil && !errors.As(err, new(*StreamError)) {
		err = saved.failed(err)
	}
	return err
}

func (d *Download) compare(sum string) error {
	if d.SHA512 == "" || strings.EqualFold(sum, d.SHA512) {
		return nil
	}
	return &StreamError{
		Final:  true,
		Reason: fmt.Sprintf("all data arrived, but its SHA-512 is %.16s… instead of %.16s…, so it is not what was imported", sum, d.SHA512),
	}
}

// supervise tells how far the download is, and ends it when it stalls.
func (d *Download) supervise(ctx context.Context, stop context.CancelCauseFunc) {
	meter := NewMeter(d.Size, d.Stall)
	every := time.Second
	if d.Stall > 0 {
		every = min(every, d.Stall/4)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			line, stalled := meter.Read(d.received.Load(), d.unpacked.Load(), now)
			if line != "" && d.Log != nil {
				d.Log(line)
			}
			if stalled {
				stop(&StalledError{After: d.Stall, Last: meter.State()})
				return
			}
		}
	}
}

// checking unpacks a stream that is saved as it comes, beside the saving.
type checking struct {
	pipe  *io.PipeWriter
	wrong chan error
}

// check begins to unpack. More than the image has is reason to stop at once.
func (d *Download) check(ctx context.Context, stop context.CancelCauseFunc) *checking {
	reader, writer := io.Pipe()
	c := &checking{writer, make(chan error, 1)}
	go func() {
		err := d.examine(ctx, bufio.NewReaderSize(reader, buffer))
		if wrong, ok := errors.AsType[*StreamError](err); ok && wrong.Final {
			stop(err)
		}
		_, _ = io.Copy(io.Discard, reader) // what went wrong stands at the end
		c.wrong <- err
	}()
	return c
}

func (d *Download) examine(ctx context.Context, stream *bufio.Reader) error {
	sum, into := sha512.New(), io.Discard
	if d.SHA512 != "" {
		into = sum
	}
	block := borrow()
	defer giveBack(block)
	// The struct hides io.Discard's own way of reading, 8 KiB at a time.
	if _, err := io.CopyBuffer(struct{ io.Writer }{into}, interruptible{ctx, d.unpack(stream)}, block); err != nil || d.SHA512 == "" {
		return err
	}
	return d.compare(hex.EncodeToString(sum.Sum(nil)))
}

func (c *checking) write(p []byte) error {
	_, err := c.pipe.Write(p)
	return err
}

// end waits for the result; err is how the saving ended.
func (c *checking) end(err error) error {
	_ = c.pipe.CloseWithError(err)
	if wrong := <-c.wrong; err == nil {
		err = wrong
	}
	return err
}

// said is what an answer says: the message of an error in JSON, or its text in one line.
func said(text []byte) string {
	var answer struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &answer) == nil && answer.Message != "" {
		return plain(answer.Message)
	}
	return plain(string(text))
}

// Again says that a download that ended with this error may succeed when it is begun anew. A 401
// is believed the second time: a proxy that restarts may not know its tokens for a moment.
func Again(err error, try int) bool {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		final := strings.Contains(refused.Body, "please wait until") || strings.Contains(refused.Body, "is not supported")
		gone := strings.Contains(refused.Body, "vm image downloader") // it can be made again
		return refused.Transient() && !final || gone || refused.Code == http.StatusUnauthorized && try == 1
	}
	if stream, ok := errors.AsType[*StreamError](err); ok {
		return !stream.Final
	}
	return !transport.Final(err) && !errors.As(err, new(*TargetError)) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}
