// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// slow is an API whose lists take a while.
type slow struct {
	dynamic.ResourceInterface
	takes time.Duration
}

func (s slow) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	time.Sleep(s.takes)
	return &unstructured.UnstructuredList{}, nil
}

func TestListsThatTakeLongAreUsedLonger(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ takes, used time.Duration }{
		"at once":          {0, 30 * time.Second},
		"half a second":    {500 * time.Millisecond, 30 * time.Second},
		"a second":         {time.Second, time.Minute},
		"a minute":         {time.Minute, 2 * time.Minute},
		"too long for use": {3 * time.Minute, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				lists, begun := newRecent(), time.Now()
				first := lists.of(scope{})
				if first != nil {
					t.Fatal("the first look-up was given a list")
				}
				first = lists.of(scope{})
				go func() { _, _ = first.read(t.Context(), slow{takes: test.takes}) }()
				time.Sleep(test.used - time.Nanosecond)
				if lists.of(scope{}) != first {
					t.Errorf("another list was begun within %v", test.used)
				}
				time.Sleep(time.Nanosecond)
				synctest.Wait()
				if lists.of(scope{}) == first {
					t.Errorf("the list of %v ago is used", time.Since(begun))
				}
			})
		})
	}
}
