// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package progress

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
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
	go func() { ended <- Watch(ctx, client, "", &out) }()
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
	go func() { ended <- Watch(ctx, client, "", &out) }()
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

func TestCommandReportsMistakes(t *testing.T) {
	t.Parallel()
	var out, errors bytes.Buffer
	if code := Command(t.Context(), []string{"--kubeconfig", "/no/such/file"}, func(string) string { return "" }, &out, &errors); code != 1 {
		t.Errorf("exit status %d", code)
	}
	if !strings.Contains(errors.String(), "There is no kubeconfig file") {
		t.Errorf("it says %q", errors.String())
	}
	if code := Command(t.Context(), []string{"--moon"}, func(string) string { return "" }, &out, &errors); code != 2 {
		t.Errorf("exit status %d for an unknown flag", code)
	}
}
