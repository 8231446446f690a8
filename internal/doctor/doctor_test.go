// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// cluster is a healthy one, but for what a test changes.
type cluster struct {
	status   int    // answers everything but the version, if set
	version  string // of Harvester
	ahead    time.Duration
	class    string            // the default storage class
	denied   map[string]string // resource: verb
	apiServe bool              // it is kube-apiserver itself
}

func (c cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", time.Now().Add(c.ahead).UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	answer := func(value any) { _ = json.NewEncoder(w).Encode(value) }
	var question struct {
		Spec struct {
			ResourceAttributes struct{ Resource, Verb string }
		}
	}
	_ = json.NewDecoder(r.Body).Decode(&question)
	asked := question.Spec.ResourceAttributes
	switch {
	case r.URL.Path == "/version":
		answer(map[string]any{"gitVersion": "v1.33.7"})
	case c.status != 0:
		w.WriteHeader(c.status)
		answer(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": c.status, "reason": "Unauthorized"})
	case strings.HasSuffix(r.URL.Path, "/selfsubjectreviews"):
		answer(map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "status": map[string]any{"userInfo": map[string]any{"username": "ci"}}})
	case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews"):
		verb, some := c.denied[asked.Resource]
		allowed := !some || verb != asked.Verb && asked.Verb != "*"
		answer(map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "status": map[string]any{"allowed": allowed}})
	case strings.HasPrefix(r.URL.Path, "/v1/harvester/") && !c.apiServe:
		answer(map[string]any{"type": "schema"})
	case strings.HasSuffix(r.URL.Path, "/settings/server-version"):
		answer(map[string]any{"apiVersion": "harvesterhci.io/v1beta1", "kind": "Setting", "metadata": map[string]any{"name": "server-version"}, "value": c.version})
	case strings.HasSuffix(r.URL.Path, "/storageclasses"):
		answer(map[string]any{"apiVersion": "storage.k8s.io/v1", "kind": "StorageClassList", "items": []any{map[string]any{
			"metadata": map[string]any{"name": "harvester-longhorn", "annotations": map[string]any{"storageclass.kubernetes.io/is-default-class": c.class}},
		}}})
	default:
		http.NotFound(w, r)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	healthy := func(change func(*cluster)) cluster {
		c := cluster{version: "v1.8.1", class: "true"}
		change(&c)
		return c
	}
	for name, test := range map[string]struct {
		cluster cluster
		code    int
		says    string // a regular expression
	}{
		"healthy":          {healthy(func(*cluster) {}), 0, `(?s)ok +address .*v1\.33\.7.*accepted, as ci.*enough for every resource.*No problem\.\n$`},
		"expired token":    {healthy(func(c *cluster) { c.status = 401 }), 1, `(?s)ok +address.*problem +credentials .*401.*-> The token has probably expired.*Problems: 1\. Limits: 0\.\n$`},
		"kube-apiserver":   {healthy(func(c *cluster) { c.apiServe = true }), 1, `(?s)problem +Harvester's API.*-> The kubeconfig probably points straight at kube-apiserver.*ok +rights`},
		"old":              {healthy(func(c *cluster) { c.version = "v1.4.0" }), 1, `problem +version +Harvester v1\.4\.0 is older`},
		"known":            {healthy(func(c *cluster) { c.version = "v1.7.1" }), 0, `(?s)limit +version +Harvester v1\.7\.1 is known.*No problem\. Limits: 1\.\n$`},
		"new":              {healthy(func(c *cluster) { c.version = "v1.9.0-rc6" }), 0, `limit +version +Harvester v1\.9\.0-rc6 is newer`},
		"no release":       {healthy(func(c *cluster) { c.version = "master-head" }), 0, `limit +version`},
		"clock":            {healthy(func(c *cluster) { c.ahead = time.Hour }), 1, `problem +clock +the server's clock is (1h0m0s|59m59s) ahead`},
		"no default class": {healthy(func(c *cluster) { c.class = "false" }), 1, `(?s)problem +storage classes +none is the default.*-> Make one the default`},
		"may not delete machines": {
			healthy(func(c *cluster) { c.denied = map[string]string{"virtualmachines": "delete"} }), 1,
			`problem +rights +in the namespace "team" these are missing: delete of virtualmachines \(harvester_virtualmachine\)\n`,
		},
		"may not change settings": {
			healthy(func(c *cluster) { c.denied = map[string]string{"settings": "patch"} }), 0, `limit +rights .*: patch of settings \(harvester_setting\)\n`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(test.cluster)
			t.Cleanup(server.Close)
			env := map[string]string{kube.EnvHost: server.URL, kube.EnvToken: "s3cr3t"}
			var out, trouble bytes.Buffer
			code := Command(t.Context(), "test", []string{"--namespace", "team"}, func(key string) string { return env[key] }, &out, &trouble)
			if code != test.code || !regexp.MustCompile(test.says).MatchString(out.String()) || trouble.Len() > 0 {
				t.Errorf("exit status %d, %s%s", code, out.String(), trouble.String())
			}
			if strings.Contains(out.String(), "s3cr3t") {
				t.Error("it shows the token")
			}
		})
	}
}

func TestCommandWithoutACluster(t *testing.T) {
	t.Parallel()
	nothing := httptest.NewServer(http.NotFoundHandler())
	nothing.Close()
	ended, end := context.WithCancel(t.Context())
	end()
	for name, test := range map[string]struct {
		arguments []string
		env       map[string]string
		code      int
		says      string
	}{
		"no such file":   {nil, map[string]string{kube.EnvKubeconfig: "/no/such/file"}, 1, "problem  configuration    There is no kubeconfig file"},
		"nobody answers": {nil, map[string]string{kube.EnvHost: nothing.URL, kube.EnvToken: "s3cr3t"}, 1, "-> Check the address in the kubeconfig"},
		"unknown flag":   {[]string{"--token", "s3cr3t"}, nil, 2, "not defined: -token"},
		"argument":       {[]string{"default"}, nil, 2, `unexpected argument: "default"`},
		"help":           {[]string{"--help"}, nil, 0, "--insecure"},
	} {
		var out, trouble bytes.Buffer
		if code := Command(t.Context(), "test", test.arguments, func(key string) string { return test.env[key] }, &out, &trouble); code != test.code {
			t.Errorf("%s: exit status %d", name, code)
		}
		if text := out.String() + trouble.String(); !strings.Contains(text, test.says) || strings.Contains(text, "s3cr3t") {
			t.Errorf("%s: it says %q", name, text)
		}
	}
	var out bytes.Buffer
	env := map[string]string{kube.EnvHost: nothing.URL, kube.EnvToken: "t"}
	if code := Command(ended, "test", nil, func(key string) string { return env[key] }, &out, &out); code != 1 || !strings.HasSuffix(out.String(), "Interrupted.\n") {
		t.Errorf("interrupted: exit status %d, %q", code, out.String())
	}
}

// A right that is asked for has to be one that exists.
func TestRights(t *testing.T) {
	t.Parallel()
	for _, needed := range Rights {
		for _, verb := range needed.Verbs {
			if !slices.Contains([]string{"get", "list", "watch", "create", "patch", "delete"}, verb) || needed.Resource.Resource == "" {
				t.Errorf("%s: %s of %s", needed.For, verb, needed.Resource)
			}
		}
	}
}

// The sandbox is healthy, and kube-apiserver is not Harvester.
func TestAccDoctor(t *testing.T) {
	t.Parallel()
	sandbox := acctest.Shared(t)
	var out, trouble bytes.Buffer
	code := Command(t.Context(), "test", []string{"--kubeconfig", sandbox.Kubeconfig}, func(string) string { return "" }, &out, &trouble)
	if code != 0 || !strings.HasSuffix(out.String(), "\nNo problem.\n") {
		t.Errorf("exit status %d, %s%s", code, out.String(), trouble.String())
	}
}
