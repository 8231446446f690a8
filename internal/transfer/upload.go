// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

// Upload is one file on its way to a server.
type Upload struct {
	// URL is the image's address in Harvester's API, without a query.
	URL *url.URL
	// Part is the name of the form part that the server looks for.
	Part    string
	Content Content

	sent  atomic.Int64
	found atomic.Pointer[Content]
}

// Sent is the number of bytes of the body that have left so far in the current
// try. It may be asked for while Send runs.
func (u *Upload) Sent() int64 { return u.sent.Load() }

// Found is what was found out about an unread content while it was sent; false as long as it was not read to its end.
func (u *Upload) Found() (Content, bool) {
	if found := u.found.Load(); found != nil {
		return *found, true
	}
	return u.Content, !u.Content.unread
}

// StatusError is an answer other than success.
type StatusError struct {
	Code   int
	Status string
	// Body is the beginning of the answer's text.
	Body string
}

func (e *StatusError) Error() string {
	if e.Body == "" {
		return "the server answered " + e.Status
	}
	return fmt.Sprintf("the server answered %s: %s", e.Status, e.Body)
}

// Transient says that the same request may succeed later.
func (e *StatusError) Transient() bool {
	return e.Code == http.StatusRequestTimeout || e.Code == http.StatusTooManyRequests || e.Code >= http.StatusInternalServerError
}

// Send transfers the whole file once. Success means that the server has all
// bytes, not that it accepted them: the image's conditions tell. Errors are a *StatusError,
// a *FileError, the context's, or the transport's.
func (u *Upload) Send(ctx context.Context, client *http.Client) error {
	request, err := u.request(ctx)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if changed := u.Content.File.Changed(); changed != nil {
		err = errors.Join(changed, err)
	}
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err != nil {
		return withoutURL(err)
	}
	if response.StatusCode < http.StatusMultipleChoices {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	refused := statusError(response, plain(string(text)))
	return &refused
}

func statusError(response *http.Response, body string) StatusError {
	return StatusError{Code: response.StatusCode, Status: redact.Line(response.Status), Body: body}
}

// maxAnswer is how much of an error answer is read, in bytes.
const maxAnswer = 8 << 10

func (u *Upload) request(ctx context.Context) (*http.Request, error) {
	head, foot, contentType, err := u.frame()
	if err != nil {
		return nil, err
	}
	address := *u.URL
	address.RawQuery = url.Values{"action": {"upload"}, "size": {strconv.FormatInt(u.Content.Size, 10)}}.Encode()
	body := func() (io.ReadCloser, error) { return u.open(ctx, head, foot) }
	reader, err := body()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), reader)
	if err != nil {
		_ = reader.Close()
		return nil, fmt.Errorf("build the request: %w", err)
	}
	request.GetBody = body
	request.ContentLength = int64(len(head)) + u.Content.Size + int64(len(foot))
	request.Header.Set("Content-Type", contentType)
	return request, nil
}

// frame renders what stands before and after the bytes of the file.
func (u *Upload) frame() (head, foot []byte, contentType string, err error) {
	var buffer bytes.Buffer
	form := multipart.NewWriter(&buffer)
	if _, err := form.CreateFormFile(u.Part, filepath.Base(u.Content.File.Path)); err != nil {
		return nil, nil, "", fmt.Errorf("build the form: %w", err)
	}
	head = bytes.Clone(buffer.Bytes())
	if err := form.Close(); err != nil {
		return nil, nil, "", fmt.Errorf("build the form: %w", err)
	}
	return head, buffer.Bytes()[len(head):], form.FormDataContentType(), nil
}

// open starts the body from its first byte.
func (u *Upload) open(ctx context.Context, head, foot []byte) (io.ReadCloser, error) {
	u.found.Store(nil)
	content, err := u.Content.open(ctx, func(found Content) { u.found.Store(&found) })
	if err != nil {
		return nil, err
	}
	u.sent.Store(0)
	body := full{io.MultiReader(bytes.NewReader(head), counted{content, &u.sent}, bytes.NewReader(foot))}
	return struct {
		io.Reader
		io.Closer
	}{body, content}, nil
}

// counted adds up what was read.
type counted struct {
	io.Reader
	sum *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.sum.Add(int64(n))
	return n, err
}

// withoutURL drops the "Post https://…:" of net/http: the address is said once, elsewhere.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) && !errors.As(err, new(*FileError)) {
		return wrapped.Err
	}
	return err
}

// plain makes one line of an answer; HTML pages of proxies shrink to their title.
func plain(text string) string {
	if _, after, found := strings.Cut(text, "<title>"); found {
		title, _, _ := strings.Cut(after, "</title>")
		text = title
	}
	return redact.Line(text)
}
