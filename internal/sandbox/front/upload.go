// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package front

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
)

// uploadPath is the path of an image, to which a client posts its bytes.
var uploadPath = regexp.MustCompile(`^/v1(?:/harvester)?/harvesterhci\.io\.virtualmachineimages/([^/]+)/([^/]+)$`)

// uploads passes requests on to Harvester and does to uploads what the faults
// of their images ask for.
type uploads struct {
	harvester http.Handler
	faults    *faults.Switch
	log       *slog.Logger
}

// ServeHTTP implements http.Handler.
func (u *uploads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	image := uploadPath.FindStringSubmatch(r.URL.Path)
	if image == nil || r.Method != http.MethodPost || r.URL.Query().Get("action") != "upload" {
		u.harvester.ServeHTTP(w, r)
		return
	}
	start := time.Now()
	log := u.log.With("image", image[1]+"/"+image[2])
	log.Info("upload begins", "length", r.ContentLength, "protocol", r.Proto)
	defer func() { log.Info("upload ends", "took", time.Since(start).Round(time.Millisecond)) }()
	u.serve(w, r, u.faults.For(image[1], image[2]), log)
}

func (u *uploads) serve(w http.ResponseWriter, r *http.Request, fault faults.Fault, log *slog.Logger) {
	if fault.UploadBytesPerSecond > 0 {
		log.Info("fault: upload is slowed down", "bytesPerSecond", fault.UploadBytesPerSecond)
		r.Body = &throttled{ReadCloser: r.Body, context: r.Context(), rate: fault.UploadBytesPerSecond, start: time.Now()}
	}
	switch {
	case fault.AnswerStatus != 0:
		log.Info("fault: upload is answered unread", "status", fault.AnswerStatus)
		page(w, fault.AnswerStatus)
	case fault.CutAfterBytes != nil:
		u.cut(w, r, *fault.CutAfterBytes, log)
	case fault.AnswerThenFinish:
		u.answerThenFinish(w, r, log)
	default:
		u.harvester.ServeHTTP(w, r)
	}
}

// cut breaks the connection after so many bytes. Harvester sees what it sees
// when a client goes away. A shorter upload is left alone.
func (u *uploads) cut(w http.ResponseWriter, r *http.Request, after int64, log *slog.Logger) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	body := &severed{ReadCloser: r.Body, left: after, sever: cancel}
	r = r.WithContext(ctx)
	r.Body = body
	u.harvester.ServeHTTP(&severedWriter{w, ctx}, r)
	if ctx.Err() != nil {
		log.Info("fault: connection is cut", "after", after)
		panic(http.ErrAbortHandler)
	}
}

// answerThenFinish answers like a proxy whose patience ended just after the
// last byte, while Harvester goes on.
func (u *uploads) answerThenFinish(w http.ResponseWriter, r *http.Request, log *slog.Logger) {
	body := &watched{ReadCloser: r.Body, left: r.ContentLength, read: make(chan struct{})}
	background := r.Clone(context.WithoutCancel(r.Context()))
	background.Body = body
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		u.harvester.ServeHTTP(&discarded{header: http.Header{}}, background)
		log.Info("fault: Harvester has finished the upload")
	}()
	select {
	case <-body.read:
	case <-finished:
	}
	log.Info("fault: upload is answered although it goes on", "status", http.StatusGatewayTimeout)
	page(w, http.StatusGatewayTimeout)
}

// page answers with a page of HTML, as the ingress does.
func page(w http.ResponseWriter, status int) {
	title := fmt.Sprintf("%d %s", status, nginxText(status))
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<html>\r\n<head><title>%[1]s</title></head>\r\n<body>\r\n<center><h1>%[1]s</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n", title)
}

// nginxText is the text of a status where nginx words it differently from Go.
func nginxText(status int) string {
	switch status {
	case http.StatusGatewayTimeout:
		return "Gateway Time-out"
	case http.StatusServiceUnavailable:
		return "Service Temporarily Unavailable"
	}
	return http.StatusText(status)
}

// throttled reads at no more than a rate.
type throttled struct {
	io.ReadCloser
	context context.Context
	rate    int64
	read    int64
	start   time.Time
}

// Read implements io.Reader.
func (t *throttled) Read(buffer []byte) (int, error) {
	// Small steps keep the flow even.
	if step := max(t.rate/20, 1); int64(len(buffer)) > step {
		buffer = buffer[:step]
	}
	n, err := t.ReadCloser.Read(buffer)
	t.read += int64(n)
	due := t.start.Add(time.Duration(float64(t.read) / float64(t.rate) * float64(time.Second)))
	select {
	case <-time.After(time.Until(due)):
	case <-t.context.Done():
		return n, t.context.Err()
	}
	return n, err
}

// severed ends too early, as a body does whose client has gone, and tells so.
type severed struct {
	io.ReadCloser
	left  int64
	sever func()
}

// Read implements io.Reader.
func (s *severed) Read(buffer []byte) (int, error) {
	if s.left <= 0 {
		s.sever()
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.ReadCloser.Read(buffer[:min(int64(len(buffer)), s.left)])
	s.left -= int64(n)
	return n, err
}

// severedWriter drops what is written to it after the connection has been cut.
type severedWriter struct {
	http.ResponseWriter
	connection context.Context
}

// WriteHeader implements http.ResponseWriter.
func (s *severedWriter) WriteHeader(status int) {
	if s.connection.Err() == nil {
		s.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (s *severedWriter) Write(content []byte) (int, error) {
	if err := s.connection.Err(); err != nil {
		return 0, err
	}
	return s.ResponseWriter.Write(content)
}

// watched tells when a body has been read, and does not touch it afterwards: it
// ends with the request, which may be answered by then.
type watched struct {
	io.ReadCloser
	left int64 // below zero when the length is not known
	once sync.Once
	read chan struct{}
	done bool
}

// Read implements io.Reader.
func (w *watched) Read(buffer []byte) (int, error) {
	if w.done {
		return 0, io.EOF
	}
	n, err := w.ReadCloser.Read(buffer)
	w.left -= int64(n)
	if w.left == 0 || err != nil {
		w.finish()
	}
	return n, err
}

// Close implements io.Closer.
func (w *watched) Close() error {
	w.finish()
	return nil
}

func (w *watched) finish() {
	w.done = true
	w.once.Do(func() { close(w.read) })
}

// discarded is where an answer goes that nobody gets.
type discarded struct{ header http.Header }

// Header implements http.ResponseWriter.
func (d *discarded) Header() http.Header { return d.header }

// Write implements http.ResponseWriter.
func (d *discarded) Write(content []byte) (int, error) { return len(content), nil }

// WriteHeader implements http.ResponseWriter.
func (d *discarded) WriteHeader(int) {}
