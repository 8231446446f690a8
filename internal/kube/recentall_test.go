// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube_test

import (
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// All look-ups of a run share one list, in order; where listing is forbidden, that is the answer.
func TestRecentAll(t *testing.T) {
	t.Parallel()
	for _, forbidden := range []bool{false, true} {
		shelf := &shelf{forbidden: forbidden, asked: map[string]int{}}
		server := httptest.NewServer(shelf)
		t.Cleanup(server.Close)
		client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
		if err != nil {
			t.Fatal(err)
		}
		maps := kube.For[corev1.ConfigMap](client, schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "ConfigMap")
		for range 3 {
			all, err := maps.RecentAll(t.Context(), "default")
			switch {
			case forbidden && !apierrors.IsForbidden(err):
				t.Errorf("the right to list is missing, but: %v", err)
			case !forbidden && (err != nil || len(all) != 100 || all[0].Name != "a-0" || all[99].Name != "a-99"):
				t.Errorf("%d objects, %v", len(all), err)
			}
		}
		if lists := shelf.asked["LIST"]; !forbidden && lists != 1 {
			t.Errorf("%d lists for three look-ups", lists)
		}
	}
}
