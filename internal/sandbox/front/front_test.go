// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package front

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
)

const token = "secret"

// named answers with its name and the path it sees.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", name, r.URL.RequestURI())
	})
}

// newFront serves a front over HTTPS whose kube-apiserver and Harvester are the
// given handlers.
func newFront(t *testing.T, kubernetes, harvester http.Handler, faults *faults.Switch) *httptest.Server {
	t.Helper()
	apiServer := httptest.NewTLSServer(kubernetes)
	t.Cleanup(apiServer.Close)
	target, err := url.Parse(apiServer.URL)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(apiServer.Certificate())
	server := httptest.NewUnstartedServer(New(Options{
		Tokens:        []string{token},
		KubeAPIServer: target,
		Authority:     pool,
		Harvester:     harvester,
		Subresources:  named("subresources"),
		Sandbox:       named("sandbox"),
		Faults:        faults,
		Log:           slog.New(slog.DiscardHandler),
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func request(t *testing.T, server *httptest.Server, method, path, token string, body io.Reader) (*http.Response, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	return server.Client().Do(request)
}

func content(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestRouting(t *testing.T) {
	server := newFront(t, named("kubernetes"), named("harvester"), faults.NewSwitch())
	for path, want := range map[string]string{
		"/version":                 "kubernetes /version",
		"/api/v1/nodes?limit=1":    "kubernetes /api/v1/nodes?limit=1",
		"/apis/kubevirt.io/v1/vms": "kubernetes /apis/kubevirt.io/v1/vms",
		"/v1":                      "harvester /v1",
		"/v1/harvester/images?a=b": "harvester /v1/harvester/images?a=b",
		"/v3/settings":             "harvester /v3/settings",
		"/dashboard/":              "harvester /dashboard/",
		"/v10":                     "kubernetes /v10",
		"/sandbox/faults":          "sandbox /sandbox/faults",
		"/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachines/b/start": "subresources /apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachines/b/start",
		"/k8s/clusters/local/version":                                            "kubernetes /version",
		"/k8s/clusters/local/v1/harvester":                                       "harvester /v1/harvester",
		"/k8s/clusters/localhost/version":                                        "kubernetes /k8s/clusters/localhost/version",
		"/api/v1/namespaces/a/services/b/proxy//c%2Fd":                           "kubernetes /api/v1/namespaces/a/services/b/proxy//c%2Fd",
	} {
		response, err := request(t, server, http.MethodGet, path, token, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := content(t, response); got != want {
			t.Errorf("%s: answer %q, want %q", path, got, want)
		}
	}
}

func TestWrongTokenIsAnsweredLikeKubernetesDoes(t *testing.T) {
	server := newFront(t, named("kubernetes"), named("harvester"), faults.NewSwitch())
	for _, given := range []string{"", "expired", token + "x"} {
		for _, path := range []string{"/v1/harvester", "/sandbox/status", "/apis/subresources.kubevirt.io/v1"} {
			response, err := request(t, server, http.MethodGet, path, given, nil)
			if err != nil {
				t.Fatal(err)
			}
			var status metav1.Status
			if err := json.Unmarshal([]byte(content(t, response)), &status); err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != http.StatusUnauthorized || status.Reason != metav1.StatusReasonUnauthorized || status.Kind != "Status" {
				t.Errorf("token %q, %s: answer %d %+v", given, path, response.StatusCode, status)
			}
		}
	}
}

func TestTokenReachesKubeAPIServer(t *testing.T) {
	server := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("Authorization"))
	}), named("harvester"), faults.NewSwitch())
	response, err := request(t, server, http.MethodGet, "/api", "of a service account", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, response); got != "Bearer of a service account" {
		t.Errorf("kube-apiserver sees %q", got)
	}
}

func TestWatchStreams(t *testing.T) {
	release := make(chan struct{})
	server := newFront(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "event")
		_ = http.NewResponseController(w).Flush()
		<-release
	}), named("harvester"), faults.NewSwitch())
	response, err := request(t, server, http.MethodGet, "/api/v1/pods?watch=true", token, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	defer close(release)
	event := make([]byte, len("event"))
	if _, err := io.ReadFull(response.Body, event); err != nil {
		t.Fatalf("the first event does not come before the end: %v", err)
	}
	if response.ProtoMajor != 2 {
		t.Errorf("served over %s, want HTTP/2", response.Proto)
	}
}

const uploadURL = "/v1/harvester/harvesterhci.io.virtualmachineimages/default/one?action=upload"

// receiver is a Harvester that counts the bytes it gets.
type receiver struct {
	got chan int64
	err chan error
}

func newReceiver() *receiver { return &receiver{make(chan int64, 1), make(chan error, 1)} }

func (c *receiver) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	got, err := io.Copy(io.Discard, r.Body)
	c.got <- got
	c.err <- err
}

func upload(t *testing.T, fault faults.Fault, size int) (*http.Response, *receiver, error) {
	t.Helper()
	harvester, faulty := newReceiver(), faults.NewSwitch()
	faulty.Set(faults.Key("default", "one"), fault)
	server := newFront(t, named("kubernetes"), harvester, faulty)
	response, err := request(t, server, http.MethodPost, uploadURL, token, strings.NewReader(strings.Repeat("x", size)))
	return response, harvester, err
}

func TestUploadWithoutFaultPasses(t *testing.T) {
	response, harvester, err := upload(t, faults.Fault{}, 5000)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	if got := <-harvester.got; got != 5000 {
		t.Errorf("Harvester got %d bytes", got)
	}
}

func TestUploadIsCut(t *testing.T) {
	after := int64(1000)
	if response, harvester, err := upload(t, faults.Fault{CutAfterBytes: &after}, 5000); err == nil {
		t.Errorf("the client got an answer: %s", response.Status)
	} else if got, err := <-harvester.got, <-harvester.err; got != after || err == nil {
		t.Errorf("Harvester got %d bytes and %v", got, err)
	}
}

func TestShortUploadIsNotCut(t *testing.T) {
	after := int64(10000)
	response, _, err := upload(t, faults.Fault{CutAfterBytes: &after}, 5000)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Error(response, err)
	}
}

func TestUploadIsAnsweredUnread(t *testing.T) {
	response, harvester, err := upload(t, faults.Fault{AnswerStatus: http.StatusRequestEntityTooLarge}, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusRequestEntityTooLarge || response.Header.Get("Content-Type") != "text/html" {
		t.Error(response)
	}
	select {
	case got := <-harvester.got:
		t.Errorf("Harvester got %d bytes", got)
	default:
	}
}

func TestUploadIsAnsweredAndFinishes(t *testing.T) {
	response, harvester, err := upload(t, faults.Fault{AnswerThenFinish: true}, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusGatewayTimeout || !strings.Contains(content(t, response), "504 Gateway Time-out") {
		t.Error(response)
	}
	if got, err := <-harvester.got, <-harvester.err; got != 5000 || err != nil {
		t.Errorf("Harvester got %d bytes and %v", got, err)
	}
}

func TestUploadIsSlowedDown(t *testing.T) {
	start := time.Now()
	response, harvester, err := upload(t, faults.Fault{UploadBytesPerSecond: 10000}, 3000)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	if got := <-harvester.got; got != 3000 {
		t.Errorf("Harvester got %d bytes", got)
	}
	if took := time.Since(start); took < 250*time.Millisecond {
		t.Errorf("3000 bytes at 10000 a second took %s", took)
	}
}
