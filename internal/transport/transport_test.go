// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transport

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		from, to string
		want     bool
	}{
		"same":                    {"https://h.example/a", "https://h.example/b?c", true},
		"port by default":         {"https://h.example", "https://h.example:443/b", true},
		"port by default, http":   {"http://h.example:80", "http://h.example/b", true},
		"letters of another case": {"https://h.example", "https://H.Example/b", true},
		"other port":              {"https://h.example", "https://h.example:6443", false},
		"other host":              {"https://h.example", "https://i.example", false},
		"subdomain":               {"https://h.example", "https://a.h.example", false},
		"downgrade":               {"https://h.example", "http://h.example", false},
		"downgrade, same port":    {"https://h.example", "http://h.example:443", false},
		"upgrade":                 {"http://h.example", "https://h.example", false},
		"host as user":            {"https://h.example", "https://h.example@evil.example", false},
		"IPv6":                    {"https://[::1]:6443", "https://[::1]:6443/b", true},
		"IPv6 of another port":    {"https://[::1]:6443", "https://[::1]:6444/b", false},
	} {
		from, err := url.Parse(test.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(test.to)
		if err != nil {
			t.Fatal(err)
		}
		if got := sameOrigin(from, to); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "/again", http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	resp, err := Client(http.DefaultTransport).Get(server.URL)
	if resp != nil {
		defer func() { _ = resp.Body.Close() }()
	}
	if !errors.As(err, new(*RedirectError)) || asked != mostRedirects {
		t.Errorf("got %v after %d requests", err, asked)
	}
}

func TestRedirectErrorHidesSecrets(t *testing.T) {
	t.Parallel()
	from := httptest.NewRequest(http.MethodGet, "https://h.example", nil)
	to := httptest.NewRequest(http.MethodGet, "https://me:s3cr3t@evil.example/a?token=s3cr3t", nil)
	err := checkRedirect(to, []*http.Request{from})
	if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "https://me:***@evil.example/a?…") {
		t.Errorf("got %v", err)
	}
}

func TestCollection(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/api/v1/namespaces":                                                 true,
		"/api/v1/namespaces/default":                                         false,
		"/api/v1/namespaces/default/secrets":                                 true,
		"/api/v1/namespaces/default/secrets/a":                               false,
		"/api/v1/persistentvolumes":                                          true,
		"/apis/harvesterhci.io/v1beta1/virtualmachineimages":                 true,
		"/apis/harvesterhci.io/v1beta1/namespaces/default/keypairs":          true,
		"/apis/harvesterhci.io/v1beta1/namespaces/default/keypairs/a":        false,
		"/apis/harvesterhci.io/v1beta1/settings/server-version":              false,
		"/apis/kubevirt.io/v1/namespaces/default/virtualmachines/a/status":   false,
		"/k8s/clusters/local/apis/storage.k8s.io/v1/storageclasses":          true,
		"/k8s/clusters/local/apis/storage.k8s.io/v1/storageclasses/longhorn": false,
		"/k8s/clusters/local/api/v1/namespaces/default/events":               true,
	} {
		if got := collection(path); got != want {
			t.Errorf("%s: got %v", path, got)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		text := r.URL.Query().Get("text")
		if r.URL.Query().Has("packed") {
			w.Header().Set("Content-Encoding", "gzip")
			packer := gzip.NewWriter(w)
			_, _ = packer.Write([]byte(text))
			_ = packer.Close()
			return
		}
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	client := Client(bounded{http.DefaultTransport, 10, 20})
	for name, test := range map[string]struct {
		method, path, text, more string
		fails                    string
	}{
		"object that fits":     {"GET", "/api/v1/namespaces/a/secrets/b", strings.Repeat("x", 10), "", ""},
		"object":               {"GET", "/api/v1/namespaces/a/secrets/b", strings.Repeat("x", 11), "", "an object"},
		"object, packed":       {"GET", "/api/v1/namespaces/a/secrets/b", strings.Repeat("x", 1000), "&packed", "an object"},
		"answer to a write":    {"POST", "/api/v1/namespaces/a/secrets", strings.Repeat("x", 11), "", "an object"},
		"list that fits":       {"GET", "/api/v1/namespaces/a/secrets", strings.Repeat("x", 20), "", ""},
		"list":                 {"GET", "/api/v1/namespaces/a/secrets", strings.Repeat("x", 21), "", "a list"},
		"watch of many events": {"GET", "/api/v1/namespaces/a/secrets", strings.Repeat("xxxxxxxxx\n", 100), "&watch=true", ""},
		"event":                {"GET", "/api/v1/namespaces/a/secrets", "x\n" + strings.Repeat("x", 11), "&watch=1", "one event of a watch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+test.path+"?text="+url.QueryEscape(test.text)+test.more, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			got, err := io.ReadAll(response.Body)
			tooLarge, _ := errors.AsType[*TooLargeError](err)
			switch {
			case test.fails == "" && (err != nil || string(got) != test.text):
				t.Errorf("got %d bytes, %v", len(got), err)
			case test.fails != "" && (tooLarge == nil || tooLarge.What != test.fails):
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
}
