// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

const (
	repeated = "Get \"https://ci:s3cr3t@host/disk.raw?sig=s3cr3t\": \x1b[31mrefused\r"
	shown    = `Get "https://ci:***@host/disk.raw?…": \x1b[31mrefused\r`
)

func TestDecodeRedactsMessages(t *testing.T) {
	t.Parallel()
	const wanted = "https://ci:s3cr3t@host/disk.raw?sig=s3cr3t"
	raw := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{"url": wanted, "message": wanted},
		"status": map[string]any{"conditions": []any{
			map[string]any{"type": "Initialized", "status": "True"},
			map[string]any{"type": "Imported", "status": "False", "message": repeated, "reason": repeated},
		}},
	}}
	before := raw.DeepCopy()
	image, err := Decode[api.VirtualMachineImage](raw)
	if err != nil {
		t.Fatal(err)
	}
	if got := image.Condition("Imported"); got.Message != shown || got.Reason != shown || got.Status != "False" {
		t.Errorf("got %+v", got)
	}
	if image.Spec.URL != wanted || image.Condition("Initialized").Status != "True" {
		t.Errorf("what is not a message changed: %+v", image)
	}
	if got := raw.Object["status"].(map[string]any)["conditions"].([]any)[1].(map[string]any)["message"]; got != repeated {
		t.Errorf("the object itself, which others share, changed to %q", got)
	}
	if before.Object["spec"].(map[string]any)["url"] != wanted {
		t.Error("the spec changed")
	}
}

func TestDecodeRedactsEvents(t *testing.T) {
	t.Parallel()
	event, err := Decode[corev1.Event](&unstructured.Unstructured{Object: map[string]any{"message": repeated, "reason": "Failed"}})
	if err != nil || event.Message != shown || event.Reason != "Failed" {
		t.Errorf("got %+v, %v", event, err)
	}
}
