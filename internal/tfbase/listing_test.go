// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

func TestOfOthers(t *testing.T) {
	t.Parallel()
	owner := func(kind string, controls bool) func(*unstructured.Unstructured) {
		return func(object *unstructured.Unstructured) {
			object.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: kind, Name: "a", UID: "b", Controller: &controls}})
		}
	}
	for name, test := range map[string]struct {
		like   func(*unstructured.Unstructured)
		others bool
	}{
		"by itself":               {func(*unstructured.Unstructured) {}, false},
		"controlled":              {owner("VirtualMachinePool", true), true},
		"owned":                   {owner("VirtualMachine", false), false},
		"filled by a data volume": {owner("DataVolume", true), false},
		"of a chart": {func(o *unstructured.Unstructured) {
			o.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "Helm"})
		}, true},
		"managed by people": {func(o *unstructured.Unstructured) {
			o.SetLabels(map[string]string{"app.kubernetes.io/managed-by": "us"})
		}, false},
		"being deleted": {func(o *unstructured.Unstructured) { now := metav1.NewTime(time.Now()); o.SetDeletionTimestamp(&now) }, true},
		"being made":    {func(o *unstructured.Unstructured) { o.SetAnnotations(map[string]string{api.AnnotationCreation: "{}"}) }, true},
	} {
		object := &unstructured.Unstructured{Object: map[string]any{}}
		if test.like(object); ofOthers(object) != test.others {
			t.Errorf("%s: %t", name, !test.others)
		}
	}
}

func TestSystemNamespace(t *testing.T) {
	t.Parallel()
	for namespace, system := range map[string]bool{
		"default": false, "harvester-public": false, "kubernetes": false, "longhorn-system-2": false, "": false,
		"harvester-system": true, "kube-system": true, "cattle-fleet-system": true, "fleet-local": true,
	} {
		if systemNamespace(namespace) != system {
			t.Errorf("%q: %t", namespace, !system)
		}
	}
}
