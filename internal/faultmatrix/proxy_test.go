// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package faultmatrix

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// kind tells the provider's requests apart.
type kind string

const (
	upload   kind = "upload" // the bytes of an image
	dryRun   kind = "dry run"
	creation kind = "create" // of the image's object
	list     kind = "list"   // of images
	watch    kind = "watch"
	get      kind = "get"    // of one image
	change   kind = "change" // of an image's metadata, or of what else can change
	deletion kind = "delete" // of an image
	events   kind = "events" // reads that are not everybody's right
	longhorn kind = "longhorn"
	other    kind = "other"
)

var reads = []kind{list, watch, get}

func kindOf(r *http.Request) kind {
	if r.Method == http.MethodPost && r.URL.Query().Get("action") == "upload" {
		return upload
	}
	_, images, isImage := strings.Cut(r.URL.Path, "/apis/harvesterhci.io/v1beta1/namespaces/default/virtualmachineimages")
	switch {
	case strings.HasSuffix(r.URL.Path, "/events"):
		return events
	case strings.Contains(r.URL.Path, "/longhorn.io/"):
		return longhorn
	case isImage && r.URL.Query().Has("dryRun"):
		return dryRun
	case isImage && r.Method == http.MethodPost:
		return creation
	case isImage && r.Method == http.MethodPatch:
		return change
	case isImage && r.Method == http.MethodDelete:
		return deletion
	case isImage && r.URL.Query().Has("watch"):
		return watch
	case isImage && r.Method == http.MethodGet && images == "":
		return list
	case isImage && r.Method == http.MethodGet:
		return get
	}
	return other
}

// forward passes a request on. What goes wrong on the way is told to failed; the
// client has got no answer then.
type forward func(w http.ResponseWriter, r *http.Request, failed func(error))

// trouble answers a request in place of the proxy.
type trouble func(c *course, w http.ResponseWriter, r *http.Request, pass forward)

// rule makes trouble for some requests.
type rule struct {
	on    []kind
	times int // how many requests it is for; 0 means all
	do    trouble
}

// proxy stands between the provider and the sandbox, like the ingress of a cluster.
type proxy struct {
	server   *httptest.Server
	upstream *url.URL
	course   *course

	down    atomic.Bool
	healed  chan struct{} // closed when all trouble is over
	heal    func()
	watches atomic.Pointer[chan struct{}] // closed to end the watches there are

	mu    sync.Mutex
	rules []*rule
}

// newProxy starts a proxy to the given address. It trusts whatever answers there.
func newProxy(t *testing.T, upstream string, c *course) *proxy {
	t.Helper()
	address, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{upstream: address, course: c, healed: make(chan struct{})}
	p.heal = sync.OnceFunc(p.endTrouble)
	p.endWatches()
	p.server = httptest.NewUnstartedServer(p)
	p.server.EnableHTTP2 = true
	p.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.server.Listener = gate{p.server.Listener, &p.down}
	p.server.StartTLS()
	t.Cleanup(func() {
		p.heal()
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

// gate closes new connections while the proxy is down, and keeps the buffers of
// the others so small that a sender cannot be far ahead.
type gate struct {
	net.Listener
	down *atomic.Bool
}

// Accept implements net.Listener.
func (g gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !g.down.Load() {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetReadBuffer(128 << 10)
			}
			return conn, nil
		}
		_ = conn.Close()
	}
}

// unreachable is what a restart of everything behind the address looks like.
func (p *proxy) unreachable(d time.Duration) {
	p.down.Store(true)
	p.server.CloseClientConnections()
	time.Sleep(d)
	p.down.Store(false)
}

// endWatches ends the watches that are open now.
func (p *proxy) endWatches() {
	fresh := make(chan struct{})
	if old := p.watches.Swap(&fresh); old != nil {
		close(*old)
	}
}

// add makes more trouble from now on.
func (p *proxy) add(rules ...rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rules {
		p.rules = append(p.rules, &r)
	}
}

// clear ends the trouble for requests to come, endTrouble all of it.
func (p *proxy) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = nil
}

func (p *proxy) endTrouble() {
	close(p.healed)
	p.clear()
	p.down.Store(false)
}

// take finds the trouble for a request and counts it.
func (p *proxy) take(k kind) trouble {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range p.rules {
		if !slices.Contains(r.on, k) {
			continue
		}
		if r.times--; r.times == 0 {
			p.rules = slices.Delete(p.rules, i, i+1)
		}
		return r.do
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k := kindOf(r)
	if k == watch {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		end := *p.watches.Load()
		go func() {
			select {
			case <-end:
				cancel()
			case <-ctx.Done():
			}
		}()
		r = r.WithContext(ctx)
	}
	if do := p.take(k); do != nil {
		do(p.course, w, r, p.pass)
		return
	}
	p.pass(w, r, abort)
}

// upstreams is the way to the sandbox, shared by all rows.
var upstreams = &http.Transport{
	TLSClientConfig:       &tls.Config{InsecureSkipVerify: true},
	TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{},
	MaxIdleConnsPerHost:   50,
	IdleConnTimeout:       30 * time.Second,
	ExpectContinueTimeout: time.Second,
	DisableCompression:    true,
}

func (p *proxy) pass(w http.ResponseWriter, r *http.Request, failed func(error)) {
	var broken error
	reverse := &httputil.ReverseProxy{
		Rewrite:       func(request *httputil.ProxyRequest) { request.SetURL(p.upstream) },
		Transport:     upstreams,
		FlushInterval: -1,
		ErrorLog:      p.server.Config.ErrorLog,
		ErrorHandler:  func(_ http.ResponseWriter, _ *http.Request, err error) { broken = err },
	}
	reverse.ServeHTTP(w, r)
	if broken != nil {
		failed(broken)
	}
}

// abort ends the connection, or the stream of HTTP/2, without an answer.
func abort(error) { panic(http.ErrAbortHandler) }

// page answers like an ingress.
func page(w http.ResponseWriter, status int) {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html><head><title>%[1]s</title></head><body><center><h1>%[1]s</h1></center></body></html>\n", title)
}

// kubernetes answers like kube-apiserver.
func kubernetes(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, object(status, reason))
}

func object(status int, reason string) string {
	return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":%q,"reason":%q,"code":%d}`,
		"staged: "+reason, reason, status)
}

// answers refuses a request unread.
func answers(status int) trouble {
	return func(_ *course, w http.ResponseWriter, _ *http.Request, _ forward) { page(w, status) }
}

// refuses is a refusal by kube-apiserver.
func refuses(status int, reason string) trouble {
	return func(_ *course, w http.ResponseWriter, _ *http.Request, _ forward) { kubernetes(w, status, reason) }
}

// resets ends the connection unread.
func resets(*course, http.ResponseWriter, *http.Request, forward) { abort(nil) }

// cutAt ends the connection, to both sides, after a share of the body.
func cutAt(share float64) trouble {
	cut := inBody(share, func(*course, []byte) error { return errStopped }, hangUp)
	return func(c *course, w http.ResponseWriter, r *http.Request, pass forward) {
		if share == 0 {
			// The server gets the head of the request at least.
			r.Header.Set("Expect", "100-continue")
		}
		cut(c, w, r, pass)
	}
}

// answersHalfway answers after half of the body and gives up the rest.
func answersHalfway(status int) trouble {
	return inBody(0.5, func(*course, []byte) error { return errStopped }, answered(status))
}

// at does something after a share of the body, then passes on the rest.
func at(share float64, do func(*course)) trouble {
	return inBody(share, func(c *course, _ []byte) error { do(c); return nil }, hangUp)
}

// stallsAt takes no more after a share of the body.
func stallsAt(share float64) trouble { return thenStalls(share, func(*course) {}) }

// thenStalls does something first. (A server that does not read does not notice either that the client has gone.)
func thenStalls(share float64, do func(*course)) trouble {
	return inBody(share, func(c *course, _ []byte) error {
		do(c)
		<-c.proxy.healed
		return errStopped
	}, hangUp)
}

// corrupts flips one bit in the middle of the body.
func corrupts() trouble {
	return inBody(0.5, func(_ *course, next []byte) error {
		next[0] ^= 1
		return nil
	}, hangUp)
}

var errStopped = errors.New("stopped by the proxy")

// inBody calls do, with the bytes that come next, when a share of the body has been
// passed on, and answers with failed if the request breaks. If the server refuses
// the body before, it is the next one's turn.
func inBody(share float64, do func(c *course, next []byte) error, failed func(http.ResponseWriter)) trouble {
	var self trouble
	self = func(c *course, w http.ResponseWriter, r *http.Request, pass forward) {
		var reached atomic.Bool
		defer func() {
			if !reached.Load() {
				c.proxy.add(rule{[]kind{upload}, 1, self})
			}
		}()
		r.Body = &tapped{ReadCloser: r.Body, left: int64(share * float64(r.ContentLength)), do: func(next []byte) error {
			reached.Store(true)
			return do(c, next)
		}}
		pass(w, r, func(error) { failed(w) })
	}
	return self
}

// goesOn lets the server have the whole body and finish, while the client gets something else.
func goesOn(client func(w http.ResponseWriter)) trouble {
	return func(_ *course, w http.ResponseWriter, r *http.Request, pass forward) {
		arrived, answer := detach(r, pass)
		if hasArrived(w, r, arrived, answer) {
			client(w)
		}
	}
}

// hasArrived waits until the server has the whole body. One that refuses need not read all of it: then the client gets
// its answer.
func hasArrived(w http.ResponseWriter, r *http.Request, arrived chan struct{}, answer chan *httptest.ResponseRecorder) bool {
	select {
	case <-arrived:
	case got := <-answer:
		select {
		case <-arrived:
			answer <- got // both came at the same time
		default:
			if got.Code < http.StatusMultipleChoices {
				abort(nil) // there is none: the connection broke
			}
			page(w, got.Code)
			return false
		}
	case <-r.Context().Done():
		abort(nil)
	}
	// Only at the end of the body does the server look out for the end of the connection.
	_, _ = io.Copy(io.Discard, r.Body)
	return true
}

// detach passes on a request that goes on without the client.
func detach(r *http.Request, pass forward) (arrived chan struct{}, answer chan *httptest.ResponseRecorder) {
	background := r.Clone(context.WithoutCancel(r.Context()))
	arrived, answer = make(chan struct{}), make(chan *httptest.ResponseRecorder, 1)
	background.Body = &whole{ReadCloser: r.Body, left: r.ContentLength, arrived: arrived}
	go func() {
		recorder := httptest.NewRecorder()
		pass(recorder, background, func(error) {})
		answer <- recorder
	}()
	return arrived, answer
}

// silent never gives the client the server's answer, unless it is a refusal.
func silent(_ *course, w http.ResponseWriter, r *http.Request, pass forward) {
	arrived, answer := detach(r, pass)
	if !hasArrived(w, r, arrived, answer) {
		return
	}
	select {
	case got := <-answer:
		if got.Code >= http.StatusMultipleChoices {
			page(w, got.Code)
			return
		}
		<-r.Context().Done()
	case <-r.Context().Done():
	}
}

func hangUp(http.ResponseWriter) { abort(nil) }

func answered(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { page(w, status) }
}

// lostAnswer does what is asked for, and loses the answer.
func lostAnswer(_ *course, _ http.ResponseWriter, r *http.Request, pass forward) {
	pass(httptest.NewRecorder(), r, abort)
	abort(nil)
}

// redirects sends the client to the same place by another path, the one Rancher serves it under.
func redirects(status int) trouble {
	return func(_ *course, w http.ResponseWriter, r *http.Request, _ forward) {
		http.Redirect(w, r, "/k8s/clusters/local"+r.URL.RequestURI(), status)
	}
}

// expires ends a watch the way kube-apiserver does when its version is too old.
func expires(_ *course, w http.ResponseWriter, _ *http.Request, _ forward) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"type":"ERROR","object":%s}`+"\n", object(http.StatusGone, "Expired"))
}

// ends closes a watch, in good order, as soon as it is open.
func ends(_ *course, w http.ResponseWriter, _ *http.Request, _ forward) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
}

// hangs says nothing, as a watch does whose connection died unnoticed.
func hangs(_ *course, w http.ResponseWriter, r *http.Request, _ forward) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// tapped is a body with something to do after so many bytes.
type tapped struct {
	io.ReadCloser
	left int64
	do   func([]byte) error
}

// Read implements io.Reader.
func (t *tapped) Read(p []byte) (int, error) {
	if t.do == nil {
		return t.ReadCloser.Read(p)
	}
	if t.left > 0 {
		n, err := t.ReadCloser.Read(p[:min(int64(len(p)), t.left)])
		t.left -= int64(n)
		if errors.Is(err, io.EOF) && t.left == 0 {
			err = nil // the end comes with the next read, after do
		}
		return n, err
	}
	do := t.do
	t.do = nil
	n, err := t.ReadCloser.Read(p)
	if wrong := do(p[:max(n, 1)]); wrong != nil {
		return 0, wrong
	}
	return n, err
}

// whole tells when all of a body has been read, and leaves it alone afterwards.
type whole struct {
	io.ReadCloser
	left    int64
	arrived chan struct{}
}

// Read implements io.Reader.
func (b *whole) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left == 0 {
		close(b.arrived)
	}
	return n, err
}

// Close implements io.Closer.
func (b *whole) Close() error { return nil }
