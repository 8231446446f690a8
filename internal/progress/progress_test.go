// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package progress

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

func TestPace(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		" 40 %  40.0 MiB of 100.0 MiB  4.0 MiB/s  15s left": pace(40<<20, 100<<20, 40<<20, 10*time.Second, true),
		" 40 %  30s left": pace(40, 100, 20, 10*time.Second, false),
		"  0 %":           pace(0, 100, 0, time.Second, false),
		"100 %":           pace(100, 100, 60, time.Second, false),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func object(name, imported string, progress int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": api.KindImage,
		"metadata": map[string]any{
			"namespace": "default", "name": name, "uid": name,
			"annotations": map[string]any{api.AnnotationSize: "1048576"},
		},
		"spec": map[string]any{"displayName": name, "sourceType": "upload"},
		"status": map[string]any{"progress": progress, "conditions": []any{
			map[string]any{"type": "Initialized", "status": "True"}, map[string]any{"type": "Imported", "status": imported},
		}},
	}}
}

// screen is a writer that several goroutines use.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestWatchDrawsWhatIsBeingImported(t *testing.T) {
	t.Parallel()
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{api.Images: "VirtualMachineImageList"},
		object("old", "True", 100), object("new", "Unknown", 25))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out screen
	ended := make(chan error, 1)
	go func() { ended <- Watch(ctx, client, "", &out, true) }()
	eventually(t, &out, "25 %")
	if err := client.Tracker().Update(api.Images, object("new", "True", 100), "default"); err != nil {
		t.Fatal(err)
	}
	eventually(t, &out, "Active")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if strings.Contains(out.String(), "default/old") {
		t.Error("an image that was ready all along is drawn")
	}
}

// What a server says cannot paint the terminal, nor does it show the secrets of a URL.
func TestWatchEscapesMessages(t *testing.T) {
	t.Parallel()
	bad := object("bad\x1b[2J\u202e", "False", 25)
	conditions := bad.Object["status"].(map[string]any)["conditions"].([]any)
	conditions[1].(map[string]any)["message"] = "\x1b[31mfailed\r https://ci:s3cr3t@host/disk.raw?sig=s3cr3t"
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{api.Images: "VirtualMachineImageList"}, bad)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out screen
	ended := make(chan error, 1)
	go func() { ended <- Watch(ctx, client, "", &out, true) }()
	eventually(t, &out, `default/bad\x1b[2J\u202e`)
	eventually(t, &out, `(\x1b[31mfailed\r https://ci:***@host/disk.raw?…`)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, raw := range []string{"\x1b[31m", "\x1b[2J", "\u202e", "s3cr3t"} {
		if strings.Contains(out.String(), raw) {
			t.Errorf("%q is on the screen", raw)
		}
	}
}

// Without a terminal each step is a line.
func TestWatchWritesLines(t *testing.T) {
	t.Parallel()
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{api.Images: "VirtualMachineImageList"},
		object("old", "True", 100), object("new", "Unknown", 25), object("gone", "Unknown", 5))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out screen
	ended := make(chan error, 1)
	go func() { ended <- Watch(ctx, client, "", &out, false) }()
	eventually(t, &out, "default/new Uploading 25 %")
	for _, progress := range []int64{27, 60} { // 27 is not worth a line
		if err := client.Tracker().Update(api.Images, object("new", "Unknown", progress), "default"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, &out, "default/new Uploading 60 %")
	if err := client.Tracker().Update(api.Images, object("new", "True", 100), "default"); err != nil {
		t.Fatal(err)
	}
	if err := client.Tracker().Delete(api.Images, "default", "gone"); err != nil {
		t.Fatal(err)
	}
	eventually(t, &out, "default/new Active")
	eventually(t, &out, "default/gone deleted")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if text := out.String(); strings.Contains(text, "27 %") || strings.Contains(text, "default/old") || strings.Contains(text, "\x1b") {
		t.Errorf("it writes %q", text)
	}
}

func TestOnce(t *testing.T) {
	t.Parallel()
	kinds := map[schema.GroupVersionResource]string{api.Images: "VirtualMachineImageList"}
	for want, objects := range map[string][]runtime.Object{
		"default/new Uploading 25 % of 1.0 MiB\n": {object("old", "True", 100), object("new", "Unknown", 25)},
		"No image is being imported.\n":           {object("old", "True", 100)},
	} {
		var out bytes.Buffer
		client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)
		if err := once(t.Context(), client, "", &out); err != nil || out.String() != want {
			t.Errorf("it writes %q, %v, want %q", out.String(), err, want)
		}
	}
}

func eventually(t *testing.T, out *screen, want string) {
	t.Helper()
	for range 100 {
		if strings.Contains(out.String(), want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%q never appeared in %q", want, out.String())
}

func environment(of map[string]string) func(string) string {
	return func(key string) string { return of[key] }
}

func TestCommandReportsMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arguments []string
		env       map[string]string
		code      int
		says      string
	}{
		"no such file":            {[]string{"--kubeconfig", "/no/such/file"}, nil, 1, "There is no kubeconfig file"},
		"no such file in the env": {nil, map[string]string{kube.EnvKubeconfig: "/no/such/file"}, 1, "There is no kubeconfig file"},
		"no token":                {[]string{"--host", "https://h.example"}, nil, 1, "needs a token"},
		"perhaps insecure":        {nil, map[string]string{kube.EnvInsecure: "perhaps"}, 1, "HARVESTER_INSECURE must be true or false"},
		"unknown flag":            {[]string{"--moon"}, nil, 2, "-moon"},
		"token as a flag":         {[]string{"--token", "s3cr3t"}, nil, 2, "not defined: -token"},
		"argument":                {[]string{"default"}, nil, 2, `unexpected argument: "default"`},
	} {
		var out, trouble bytes.Buffer
		if code := Command(t.Context(), "test", test.arguments, environment(test.env), &out, &trouble); code != test.code {
			t.Errorf("%s: exit status %d", name, code)
		}
		if !strings.Contains(trouble.String(), test.says) || strings.Contains(trouble.String(), "s3cr3t") {
			t.Errorf("%s: it says %q", name, trouble.String())
		}
	}
}

func TestCommandHelps(t *testing.T) {
	t.Parallel()
	var out, trouble bytes.Buffer
	if code := Command(t.Context(), "test", []string{"--help"}, environment(map[string]string{kube.EnvKubeconfig: "kind: Config\ntoken: s3cr3t"}), &out, &trouble); code != 0 || trouble.Len() > 0 {
		t.Errorf("exit status %d, %q", code, trouble.String())
	}
	if !strings.Contains(out.String(), "--insecure") || strings.Contains(out.String(), "s3cr3t") {
		t.Errorf("it says %q", out.String())
	}
}

// The cluster may be given by the environment alone, as for the provider.
func TestCommandFindsTheCluster(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asked screen
	cluster := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(&asked, "%s with %s by %s\n", r.URL.Path, r.Header.Get("Authorization"), r.UserAgent())
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":401,"reason":"Unauthorized","message":"Unauthorized"}`)
	}))
	defer cluster.Close()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cluster.Certificate().Raw}))
	for name, test := range map[string]struct {
		arguments []string
		env       map[string]string
	}{
		"environment": {nil, map[string]string{kube.EnvHost: cluster.URL, kube.EnvToken: "token-x:y", kube.EnvInsecure: "true"}},
		"flags":       {[]string{"--host", cluster.URL, "--insecure"}, map[string]string{kube.EnvToken: "token-x:y"}},
		"certificate": {[]string{"-host=" + cluster.URL}, map[string]string{kube.EnvToken: "token-x:y", kube.EnvCACertificate: certificate}},
		"proxy":       {[]string{"--insecure"}, map[string]string{kube.EnvHost: "http://harvester.example", kube.EnvToken: "token-x:y", kube.EnvProxyURL: cluster.URL}},
	} {
		asked.clear()
		var trouble bytes.Buffer
		if code := Command(ctx, "1.2.3", test.arguments, environment(test.env), io.Discard, &trouble); code != 1 {
			t.Errorf("%s: exit status %d", name, code)
		}
		if want := "with Bearer token-x:y by terraform-provider-harvester/1.2.3 watch"; !strings.Contains(asked.String(), want) {
			t.Errorf("%s: the cluster was asked for %q", name, asked.String())
		}
		if said := trouble.String(); !strings.Contains(said, "Not authorized: Could not watch the images") || strings.Contains(said, "token-x:y") {
			t.Errorf("%s: it says %q", name, said)
		}
	}
}

func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Reset()
}
