// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package front is the one HTTPS address of the sandbox. It stands for the VIP
// of a Harvester cluster and the ingress behind it: it checks tokens, sends a
// request to Harvester, to KubeVirt's and CDI's own APIs or to kube-apiserver, and
// can spoil uploads on request.
package front

import (
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/rancher"
)

// rancherPrefix is the path under which Rancher serves the cluster it runs in.
const rancherPrefix = "/k8s/clusters/local"

// Options are what stands behind the front.
type Options struct {
	// Tokens are accepted for everything that kube-apiserver, which checks its
	// requests itself, does not serve.
	Tokens []string
	// KubeAPIServer is the URL of kube-apiserver, Authority whom to trust there.
	KubeAPIServer *url.URL
	Authority     *x509.CertPool
	// Harvester serves Harvester's API and dashboard, Subresources KubeVirt's and
	// CDI's own APIs, and Sandbox the sandbox's own endpoints under /sandbox/.
	Harvester    http.Handler
	Subresources http.Handler
	Sandbox      http.Handler
	// Rancher is asked without a token.
	Rancher http.Handler
	Faults  *faults.Switch
	Log     *slog.Logger
}

// New returns the front's handler.
func New(options Options) http.Handler {
	f := &front{
		harvester:    guarded(options.Tokens, &uploads{options.Harvester, options.Faults, options.Log}),
		subresources: guarded(options.Tokens, options.Subresources),
		sandbox:      guarded(options.Tokens, options.Sandbox),
		rancher:      options.Rancher,
		kubernetes:   proxy(options.KubeAPIServer, options.Authority, options.Log),
	}
	return logged(options.Log, withoutRancherPrefix(f))
}

// front chooses who answers a request.
type front struct {
	harvester, subresources, sandbox, rancher, kubernetes http.Handler
}

// ServeHTTP implements http.Handler. It does not use http.ServeMux, which
// redirects paths that kube-apiserver wants to see as they are.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.route(r.URL.Path).ServeHTTP(w, r)
}

func (f *front) route(path string) http.Handler {
	switch {
	case rancher.Owns(path):
		return f.rancher
	case below(path, "/v1"), below(path, "/v3"), below(path, "/v3-public"), below(path, "/dashboard"):
		return f.harvester
	case below(path, "/apis/subresources.kubevirt.io"), below(path, "/apis/upload.cdi.kubevirt.io"):
		return f.subresources
	case below(path, "/sandbox"):
		return f.sandbox
	default:
		return f.kubernetes
	}
}

// below tells whether a path is a folder or in it.
func below(path, folder string) bool {
	rest, found := strings.CutPrefix(path, folder)
	return found && (rest == "" || rest[0] == '/')
}

// proxy passes requests on to kube-apiserver.
func proxy(target *url.URL, authority *x509.CertPool, log *slog.Logger) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(target)
			request.SetXForwarded()
		},
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: authority, MinVersion: tls.VersionTLS12},
			// One connection for each request, because only HTTP/1.1 can be
			// upgraded to another protocol.
			ForceAttemptHTTP2:   false,
			MaxIdleConnsPerHost: 100,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true,
		},
		// Events of a watch must not wait for a full buffer.
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// guarded lets only requests with one of the tokens pass, and keeps the token to
// itself as Rancher does: Harvester passes the headers of uploads on.
func guarded(tokens []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		for _, token := range tokens {
			if subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1 {
				r.Header.Del("Authorization")
				next.ServeHTTP(w, r)
				return
			}
		}
		unauthorized(w)
	})
}

// unauthorized answers as kube-apiserver does.
func unauthorized(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure,
		Message:  "Unauthorized",
		Reason:   metav1.StatusReasonUnauthorized,
		Code:     http.StatusUnauthorized,
	})
}

// withoutRancherPrefix makes the cluster answer under Rancher's path too.
func withoutRancherPrefix(next http.Handler) http.Handler {
	stripped := http.StripPrefix(rancherPrefix, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if below(r.URL.Path, rancherPrefix) {
			stripped.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
