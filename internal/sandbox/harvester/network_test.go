// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestIsLocal(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:80":         true,
		"[::1]:80":             true,
		"localhost:80":         true,
		"192.0.2.1:80":         false,
		"example.org:443":      false,
		"localhost.invalid:80": false,
		"127.0.0.1":            false,
	} {
		if got := isLocal(address); got != want {
			t.Errorf("%s is local: %t", address, got)
		}
	}
}

func TestSubresourcesGoToAnotherHost(t *testing.T) {
	var host string
	transport := detour{recorder(func(r *http.Request) { host = r.URL.Host }), "front"}
	for path, want := range map[string]string{
		"/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachines/b/start": "front",
		"/apis/kubevirt.io/v1/namespaces/a/virtualmachines/b":                    "kubernetes",
	} {
		request := httptest.NewRequest(http.MethodPut, "https://kubernetes"+path, nil)
		if _, err := transport.RoundTrip(request); err != nil {
			t.Fatal(err)
		}
		if host != want {
			t.Errorf("%s goes to %s, want %s", path, host, want)
		}
		if request.URL.Host != "kubernetes" {
			t.Error("the request itself is changed")
		}
	}
}

// recorder is a transport that only looks at requests.
type recorder func(*http.Request)

func (r recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r(request)
	return &http.Response{}, nil
}
