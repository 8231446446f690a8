// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package bootstrap

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

const (
	// admin is the user that a fresh cluster has.
	admin = "admin"
	// lifetime is how long the token of a login is valid, in milliseconds.
	lifetime = 60_000
	// most is how much of an answer is read, in bytes. A kubeconfig has a few KiB.
	most = 1 << 20
	// handshake bounds the time in which a server must begin to talk.
	handshake = 15 * time.Second
)

// Where Rancher answers. The login moved with Rancher 2.13.
const (
	pathLogin      = "v3-public/localProviders/local?action=login"
	pathNewLogin   = "v1-public/login"
	pathPassword   = "v3/users?action=changepassword" //nolint:gosec // a path
	pathKubeconfig = "v1/management.cattle.io.clusters/local?action=generateKubeconfig"
)

// trust says which certificate the server may have.
type trust struct {
	// authority is in PEM form; "" is the system's.
	authority string
	// anyone: no certificate is verified.
	anyone bool
	// pinned is the SHA-256 of the certificate that was met first, in hex. It counts where neither an authority is named nor the
	// system's authorities know the certificate. "" takes what comes, and met tells what that was.
	pinned string
	proxy  string
}

// rancher is the server that a fresh cluster is met through.
type rancher struct {
	base   *url.URL
	client *http.Client
	// met is the SHA-256 of the certificate of the server, in hex; "" if an authority vouches for it.
	met string
}

// certificateError refuses a server whose certificate is not the one that was met first.
type certificateError struct{ pinned, met string }

func (e *certificateError) Error() string {
	return fmt.Sprintf("the server has another certificate than the first time (SHA-256 %s instead of %s)", e.met, e.pinned)
}

// connect makes a client; it sends nothing yet. The error never holds a secret.
func connect(address string, t trust) (*rancher, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "https" && base.Scheme != "http" || base.Hostname() == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("the address is no URL such as https://harvester.example.com")
	}
	r := &rancher{base: base}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case t.anyone:
		settings.InsecureSkipVerify = true // it was asked for
	case t.authority != "":
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM([]byte(t.authority)) {
			return nil, errors.New("ca_certificate holds no certificate in PEM form")
		}
	default:
		settings.InsecureSkipVerify = true // VerifyConnection verifies
		settings.VerifyConnection = r.verify(base.Hostname(), t.pinned)
	}
	over := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	over.TLSClientConfig, over.TLSHandshakeTimeout, over.ResponseHeaderTimeout = settings, handshake, time.Minute
	if t.proxy != "" {
		proxy, err := url.Parse(t.proxy)
		if err != nil {
			return nil, errors.New("the proxy is no URL")
		}
		over.Proxy = http.ProxyURL(proxy)
	}
	r.client = transport.Client(over)
	return r, nil
}

// verify takes a certificate that the system's authorities vouch for, or that was met first.
func (r *rancher) verify(host, pinned string) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		between := x509.NewCertPool()
		for _, certificate := range state.PeerCertificates[1:] {
			between.AddCert(certificate)
		}
		if _, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Intermediates: between}); err == nil {
			return nil
		}
		sum := sha256.Sum256(state.PeerCertificates[0].Raw)
		r.met = hex.EncodeToString(sum[:])
		if pinned != "" && pinned != r.met {
			return &certificateError{pinned, r.met}
		}
		return nil
	}
}

// refusedError is an answer that is no success.
type refusedError struct {
	code int
	said string
}

func (e *refusedError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s: %s", e.code, http.StatusText(e.code), e.said))
}

// answers says that a failed request was answered with one of these codes.
func answers(err error, codes ...int) bool {
	refused, ok := errors.AsType[*refusedError](err)
	return ok && slices.Contains(codes, refused.code)
}

// transient says that a request failed on its way, or in a server that is still starting.
func transient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || transport.Final(err) || errors.As(err, new(*certificateError)) ||
		errors.As(err, new(x509.UnknownAuthorityError)) || errors.As(err, new(*tls.CertificateVerificationError)) {
		return false
	}
	refused, answered := errors.AsType[*refusedError](err)
	return !answered || refused.code == http.StatusTooManyRequests || refused.code >= http.StatusBadGateway
}

// post sends a request and reads its answer. Errors do not repeat what was sent.
func (r *rancher) post(ctx context.Context, path, token string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	target, query, _ := strings.Cut(path, "?")
	address := r.base.JoinPath(target)
	address.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(resp.Body, most))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		return &refusedError{resp.StatusCode, said(content)}
	case answer == nil:
		return nil
	case json.Unmarshal(content, answer) != nil:
		return &refusedError{resp.StatusCode, "the answer is not that of Harvester; look what answers at api_url"}
	}
	return nil
}

// said is the message in an answer.
func said(content []byte) string {
	var answer struct{ Message string }
	if json.Unmarshal(content, &answer) == nil && answer.Message != "" {
		return redact.Line(answer.Message)
	}
	if len(content) > 200 {
		content = content[:200]
	}
	return redact.Line(string(content))
}

// login is what a login gives.
type login struct {
	ID    string `json:"id"`
	Token string `json:"token"`
}

// login logs in as admin.
func (r *rancher) login(ctx context.Context, password string) (login, error) {
	body := map[string]any{
		"type": "localProvider", "username": admin, "password": password, "responseType": "token", "ttl": lifetime, "description": "terraform-provider-harvester",
	}
	var found login
	err := r.post(ctx, pathLogin, "", body, &found)
	if answers(err, http.StatusNotFound) {
		err = r.post(ctx, pathNewLogin, "", body, &found)
	}
	if err == nil && found.Token == "" {
		err = &refusedError{http.StatusOK, "the answer has no token; look what answers at api_url"}
	}
	return found, err
}

// changePassword changes the password of the user who is logged in.
func (r *rancher) changePassword(ctx context.Context, token, from, to string) error {
	return r.post(ctx, pathPassword, token, map[string]any{"currentPassword": from, "newPassword": to}, nil)
}

// kubeconfig makes a kubeconfig with a token of its own.
func (r *rancher) kubeconfig(ctx context.Context, token string) (string, error) {
	var found struct{ Config string }
	err := r.post(ctx, pathKubeconfig, token, map[string]any{}, &found)
	if err == nil && found.Config == "" {
		err = &refusedError{http.StatusOK, "the answer has no kubeconfig; look what answers at api_url"}
	}
	return found.Config, err
}
