// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package acctest

import (
	"encoding/json"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// WatchMark remembers the mark that an object carries while it is created. Abandon puts
// it back, as a process left it that was killed before it could finish.
func (c *Cluster) WatchMark(t *testing.T, kind schema.GroupVersionResource, namespace, name string) (abandon func()) {
	t.Helper()
	var objects dynamic.ResourceInterface = c.Client.Dynamic().Resource(kind)
	if namespace != "" {
		objects = c.Client.Dynamic().Resource(kind).Namespace(namespace)
	}
	events, err := objects.Watch(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	mark := &atomic.Value{}
	go func() {
		for event := range events.ResultChan() {
			if object, ok := event.Object.(*unstructured.Unstructured); ok && object.GetAnnotations()[api.AnnotationCreation] != "" {
				mark.Store(object.GetAnnotations()[api.AnnotationCreation])
			}
		}
	}()
	return func() {
		t.Helper()
		text, _ := mark.Load().(string)
		var fields map[string]any
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatalf("the creation of %s carried the mark %q: %v", name, text, err)
		}
		maker, _ := fields["maker"].(map[string]any)
		maker["started"] = "long ago"
		changed, _ := json.Marshal(fields)
		patch, _ := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{api.AnnotationCreation: string(changed)}}})
		if _, err := objects.Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
