// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// shelf serves a hundred ConfigMaps, a-0 to a-99, and counts what is asked of it.
type shelf struct {
	forbidden bool

	mu    sync.Mutex
	asked map[string]int
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, single := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/default/configmaps/")
	verb := r.Method
	if verb == http.MethodGet && !single {
		verb = "LIST"
	}
	s.mu.Lock()
	s.asked[verb]++
	s.mu.Unlock()
	object := func(name string) map[string]any {
		return map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "default"}}
	}
	w.Header().Set("Content-Type", "application/json")
	answer := func(code int, body map[string]any) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(body)
	}
	switch {
	case verb == "LIST" && s.forbidden:
		answer(http.StatusForbidden, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403})
	case verb == "LIST":
		items := make([]any, 0, 100)
		for i := range 100 {
			items = append(items, object(fmt.Sprint("a-", i)))
		}
		answer(http.StatusOK, map[string]any{"apiVersion": "v1", "kind": "ConfigMapList", "metadata": map[string]any{}, "items": items})
	case strings.HasPrefix(name, "a-") || !single || verb != http.MethodGet:
		answer(http.StatusOK, object(name))
	default:
		answer(http.StatusNotFound, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})
	}
}

func TestRecent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		forbidden bool
		use       func(t *testing.T, maps kube.Resource[corev1.ConfigMap])
		want      map[string]int
	}{
		"one look-up is one GET": {
			use:  func(t *testing.T, maps kube.Resource[corev1.ConfigMap]) { t.Helper(); found(t, maps, 0) },
			want: map[string]int{"GET": 1},
		},
		"many share one LIST": {
			use: func(t *testing.T, maps kube.Resource[corev1.ConfigMap]) {
				t.Helper()
				var all sync.WaitGroup
				for i := range 100 {
					all.Go(func() { found(t, maps, i) })
				}
				all.Wait()
			},
			want: map[string]int{"GET": 1, "LIST": 1},
		},
		"a write makes the next look-up list again": {
			use: func(t *testing.T, maps kube.Resource[corev1.ConfigMap]) {
				t.Helper()
				found(t, maps, 0)
				found(t, maps, 1)
				if _, err := maps.Patch(t.Context(), "default", "a-1", map[string]any{}); err != nil {
					t.Error(err)
				}
				found(t, maps, 1)
				found(t, maps, 2)
			},
			want: map[string]int{"GET": 1, "LIST": 2, "PATCH": 1},
		},
		"absence is confirmed": {
			use: func(t *testing.T, maps kube.Resource[corev1.ConfigMap]) {
				t.Helper()
				found(t, maps, 0)
				if _, err := maps.Recent(t.Context(), "default", "b"); !apierrors.IsNotFound(err) {
					t.Errorf("got %v", err)
				}
			},
			want: map[string]int{"GET": 2, "LIST": 1},
		},
		"absence from a list is enough for Listed": {
			use: func(t *testing.T, maps kube.Resource[corev1.ConfigMap]) {
				t.Helper()
				found(t, maps, 0)
				if _, err := maps.Listed(t.Context(), "default", "b"); !apierrors.IsNotFound(err) {
					t.Errorf("got %v", err)
				}
			},
			want: map[string]int{"GET": 1, "LIST": 1},
		},
		"without the right to list": {
			forbidden: true,
			use: func(t *testing.T, maps kube.Resource[corev1.ConfigMap]) {
				t.Helper()
				for i := range 5 {
					found(t, maps, i)
				}
			},
			want: map[string]int{"GET": 5, "LIST": 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := &shelf{forbidden: test.forbidden, asked: map[string]int{}}
			listener := httptest.NewServer(server)
			t.Cleanup(listener.Close)
			client, err := kube.Connect(kube.Connection{Host: listener.URL, Token: "t"}, "test")
			if err != nil {
				t.Fatal(err)
			}
			test.use(t, kube.For[corev1.ConfigMap](client, schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "ConfigMap"))
			if got, want := fmt.Sprint(server.asked), fmt.Sprint(test.want); got != want {
				t.Errorf("the server was asked %s, want %s", got, want)
			}
		})
	}
}

func found(t *testing.T, maps kube.Resource[corev1.ConfigMap], i int) {
	t.Helper()
	name := fmt.Sprint("a-", i)
	if object, err := maps.Recent(t.Context(), "default", name); err != nil || object.Name != name {
		t.Errorf("%s: got %v, %v", name, object, err)
	}
}

// A list is read page by page, and what is kept of an object still tells who manages it.
func TestRecentReadsPages(t *testing.T) {
	t.Parallel()
	const page = `{"apiVersion":"v1","kind":"ConfigMapList","metadata":{"continue":%q},"items":[{"metadata":{"name":%q,"namespace":"default","managedFields":[{"manager":"m","fieldsV1":{"f:data":{}}}]},"data":{"a":"b"}}]}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Query().Get("limit") == "":
			http.Error(w, "only pages are served", http.StatusBadRequest)
		case r.URL.Query().Get("continue") == "":
			_, _ = fmt.Fprintf(w, page, "more", "first")
		default:
			_, _ = fmt.Fprintf(w, page, "", "second")
		}
	}))
	t.Cleanup(server.Close)
	client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	all, err := kube.For[corev1.ConfigMap](client, schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "ConfigMap").RecentAll(t.Context(), "default")
	if err != nil || len(all) != 2 {
		t.Fatalf("%d objects, %v", len(all), err)
	}
	if second := all[1]; second.Name != "second" || second.Data["a"] != "b" || second.ManagedFields[0].Manager != "m" || second.ManagedFields[0].FieldsV1 != nil {
		t.Errorf("got %+v", second)
	}
}
