// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: one, cluster: {server: "https://one.example/k8s/clusters/local", certificate-authority-data: "Y2E="}}
- {name: two, cluster: {server: "https://two.example", insecure-skip-tls-verify: true}}
users:
- {name: me, user: {token: secret-token}}
contexts:
- {name: one, context: {cluster: one, user: me}}
- {name: two, context: {cluster: two, user: me}}
`

const certificate = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"

func TestRestConfig(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("KUBECONFIG", filepath.Join(home, "none"))
	path := filepath.Join(home, "config")
	if err := os.WriteFile(path, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(kubeconfig))
	for name, test := range map[string]struct {
		connection Connection
		host       string
		field      string // to blame
		says       string
	}{
		"path":                     {connection: Connection{Kubeconfig: path}, host: "https://one.example/k8s/clusters/local"},
		"home":                     {connection: Connection{Kubeconfig: "~/config"}, host: "https://one.example/k8s/clusters/local"},
		"text":                     {connection: Connection{Kubeconfig: kubeconfig}, host: "https://one.example/k8s/clusters/local"},
		"base64":                   {connection: Connection{Kubeconfig: encoded}, host: "https://one.example/k8s/clusters/local"},
		"base64 in lines":          {connection: Connection{Kubeconfig: encoded[:76] + "\n" + encoded[76:]}, host: "https://one.example/k8s/clusters/local"},
		"path, context":            {connection: Connection{Kubeconfig: path, Context: "two"}, host: "https://two.example"},
		"text, context":            {connection: Connection{Kubeconfig: kubeconfig, Context: "two"}, host: "https://two.example"},
		"base64, context":          {connection: Connection{Kubeconfig: encoded, Context: "two"}, host: "https://two.example"},
		"host":                     {connection: Connection{Host: "https://h.example", Token: "t"}, host: "https://h.example"},
		"unknown context":          {connection: Connection{Kubeconfig: path, Context: "three"}, field: FieldKubecontext, says: "It has: one, two"},
		"missing file":             {connection: Connection{Kubeconfig: "/no/such/file"}, field: FieldKubeconfig, says: "There is no kubeconfig file"},
		"garbage":                  {connection: Connection{Kubeconfig: "a\nb: c"}, field: FieldKubeconfig, says: "neither the path"},
		"broken text":              {connection: Connection{Kubeconfig: "kind: Config\nclusters: [secret-token"}, field: FieldKubeconfig, says: "cannot be read as YAML"},
		"nothing":                  {connection: Connection{}, says: "No cluster is configured"},
		"host without token":       {connection: Connection{Host: "https://h.example"}, field: FieldToken, says: "needs a token"},
		"token without host":       {connection: Connection{Token: "secret-token"}, field: FieldToken, says: "needs a host"},
		"host and kubeconfig":      {connection: Connection{Host: "https://h.example", Token: "t", Kubeconfig: path}, field: FieldHost, says: "Both"},
		"host and context":         {connection: Connection{Host: "https://h.example", Token: "t", Context: "one"}, field: FieldKubecontext, says: "selects from a kubeconfig"},
		"host is no URL":           {connection: Connection{Host: "h.example", Token: "t"}, field: FieldHost, says: "must be a URL"},
		"CA is no PEM":             {connection: Connection{Host: "https://h.example", Token: "t", CACertificate: "x"}, field: FieldCACertificate, says: "PEM"},
		"CA and insecure":          {connection: Connection{Host: "https://h.example", Token: "t", CACertificate: certificate, Insecure: true}, field: FieldInsecure, says: "no use"},
		"proxy is no URL":          {connection: Connection{Host: "https://h.example", Token: "t", ProxyURL: "proxy"}, field: FieldProxyURL, says: "must be a URL"},
		"context of nothing there": {connection: Connection{Context: "one"}, field: FieldKubecontext, says: "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := test.connection.restConfig()
			var mistake *ConfigError
			switch {
			case test.says == "" && (err != nil || config.Host != test.host):
				t.Errorf("got %+v, %v", config, err)
			case test.says != "" && (!errors.As(err, &mistake) || mistake.Field != test.field || !strings.Contains(mistake.Detail, test.says)):
				t.Errorf("got %v, want %q on %q", err, test.says, test.field)
			case err != nil && strings.Contains(err.Error(), "secret-token"):
				t.Errorf("the error %q holds a secret", err)
			}
		})
	}
}

func TestRestConfigKeepsWhatTheKubeconfigSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "config")
	relative := strings.Replace(kubeconfig, `certificate-authority-data: "Y2E="`, "certificate-authority: ca.pem", 1)
	for file, content := range map[string]string{path: relative, filepath.Join(dir, "ca.pem"): certificate} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, err := Connection{Kubeconfig: path}.restConfig()
	if err != nil {
		t.Fatal(err)
	}
	if config.CAFile != filepath.Join(dir, "ca.pem") || config.BearerToken != "secret-token" || config.Insecure {
		t.Errorf("got CA file %q, insecure %v", config.CAFile, config.Insecure)
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	base := Connection{Kubeconfig: kubeconfig, Context: "two"}
	withCA, insecure, proxied := base, base, base
	withCA.CACertificate, insecure.Context, insecure.Insecure, proxied.ProxyURL = certificate, "one", true, "http://proxy.example:3128"
	config, err := withCA.restConfig()
	if err != nil || config.Insecure || string(config.CAData) != certificate {
		t.Errorf("a CA should turn verification on: %+v, %v", config, err)
	}
	config, err = insecure.restConfig()
	if err != nil || !config.Insecure || len(config.CAData) > 0 {
		t.Errorf("insecure should drop the CA: %+v, %v", config, err)
	}
	config, err = proxied.restConfig()
	if err != nil || config.Proxy == nil {
		t.Errorf("the proxy is missing: %v", err)
	}
}

func TestProbeHarvesterAPI(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		fails  bool
	}{
		"served":                    {200, `{"type":"schema"}`, false},
		"kube-apiserver":            {404, "404 page not found", true},
		"kube-apiserver, JSON":      {404, `{"kind":"Status","code":404}`, true},
		"Harvester without schema":  {404, `{"type":"error","status":404}`, false},
		"not for the probe to tell": {401, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			client, err := newClient(&rest.Config{Host: server.URL + "/k8s/clusters/local"})
			if err != nil {
				t.Fatal(err)
			}
			err = client.ProbeHarvesterAPI(t.Context())
			if got := errors.As(err, new(*HarvesterAPIError)); got != test.fails {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Uploads must not use HTTP/2, which crawls behind Harvester's ingress.
func TestTransfersSpeakHTTP1(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.Proto)) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	client, err := newClient(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Transfers().Get(client.ImageURL("default", "a").String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.ProtoMajor != 1 {
		t.Errorf("the transfer used %s", resp.Proto)
	}
}

func TestTransient(t *testing.T) {
	t.Parallel()
	images := schema.GroupResource{Group: "harvesterhci.io", Resource: "virtualmachineimages"}
	answer := func(code int) error {
		return apierrors.NewGenericServerResponse(code, "post", images, "a", "", 0, true)
	}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":              {nil, false},
		"reset":                {errors.New("connection reset by peer"), true},
		"cancelled":            {context.Canceled, false},
		"bad gateway":          {answer(http.StatusBadGateway), true},
		"too many requests":    {answer(http.StatusTooManyRequests), true},
		"conflict":             {answer(http.StatusConflict), false},
		"forbidden":            {answer(http.StatusForbidden), false},
		"a webhook that fails": {apierrors.NewInternalError(errors.New(`admission webhook "validator.harvesterhci.io" denied the request: x`)), false},
		"no webhook there":     {apierrors.NewInternalError(errors.New(`failed calling webhook "validator.harvesterhci.io": connection refused`)), true},
	} {
		if got := Transient(test.err); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	things := schema.GroupResource{Resource: "things"}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nothing":     {nil, false},
		"reset":       {errors.New("connection reset by peer"), false},
		"forbidden":   {apierrors.NewForbidden(things, "a", errors.New("no")), false},
		"quota":       {apierrors.NewForbidden(things, "a", errors.New("exceeded quota: storage")), true},
		"bad request": {apierrors.NewBadRequest("no such field"), true},
		"a webhook":   {apierrors.NewInternalError(errors.New(`admission webhook "validator.harvesterhci.io" denied the request: x`)), true},
	} {
		if got := Refused(test.err); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
