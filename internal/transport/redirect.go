// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package transport holds the rules that every HTTP client of the provider keeps: a token and
// what is sent with it stay at the address that they are meant for, and an answer has a bound. It knows
// nothing of Terraform.
package transport

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

// Client returns an HTTP client over the round tripper, which adds the credentials to whatever
// it sends. It has no total timeout.
func Client(over http.RoundTripper) *http.Client {
	return &http.Client{Transport: over, CheckRedirect: checkRedirect}
}

// RedirectError is a redirect that was not followed. Nothing was sent to its target.
type RedirectError struct {
	// Target is where the server redirects to, without secrets.
	Target string
	// Reason is a clause such as "which is another scheme, host or port".
	Reason string
}

func (e *RedirectError) Error() string {
	return fmt.Sprintf("the server redirects to %s, %s", e.Target, e.Reason)
}

// Final says that an error is one of this package's, which the same request would meet again.
func Final(err error) bool {
	return errors.As(err, new(*RedirectError)) || errors.As(err, new(*TooLargeError))
}

// mostRedirects is how often one request is redirected at most.
const mostRedirects = 10

// checkRedirect follows a redirect only where the request meant the same and the server is the same. A
// POST that becomes a GET, as 301, 302 and 303 want it, would succeed without having done anything.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	refused := func(reason string) error {
		return &RedirectError{Target: redact.Line(next.URL.String()), Reason: reason}
	}
	switch {
	case !sameOrigin(first.URL, next.URL):
		return refused("which is another scheme, host or port; nothing was sent there, because the credentials and the data are not meant for it")
	case next.Method != first.Method:
		return refused(fmt.Sprintf("which would turn the %s into a %s and do nothing", first.Method, next.Method))
	case len(via) >= mostRedirects:
		return refused("and so on, without an end")
	}
	return nil
}

// sameOrigin says that two URLs have the same scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(address *url.URL) string {
	switch {
	case address.Port() != "":
		return address.Port()
	case address.Scheme == "https":
		return "443"
	case address.Scheme == "http":
		return "80"
	}
	return ""
}
