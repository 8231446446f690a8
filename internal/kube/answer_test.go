// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// An answer about another object is not taken for the one that was asked for.
func TestAnswersAreAboutWhatWasAsked(t *testing.T) {
	t.Parallel()
	for answer, right := range map[[2]string]bool{
		{"default", "a"}: true, {"default", "b"}: false, {"other", "a"}: false, {"", "a"}: false, {"", ""}: false,
	} {
		object := &unstructured.Unstructured{Object: map[string]any{}}
		object.SetNamespace(answer[0])
		object.SetName(answer[1])
		_, err := about[corev1.Secret](object, "default", "a")
		if (err == nil) != right || !right && (!errors.As(err, new(*AnswerError)) || Transient(err)) {
			t.Errorf("an answer about %v: %v", answer, err)
		}
	}
}
