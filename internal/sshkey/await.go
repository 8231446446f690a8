// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

var errGone = errors.New("it was deleted meanwhile by someone else")

// rejected says that Harvester does not take the key for one.
type rejected struct{ message string }

func (r *rejected) Error() string { return r.message }

// await waits until Harvester has validated the key, and returns it as it was
// last seen; nil if it is gone. State is nil for a new key.
func await(ctx context.Context, s *session.Session, m, state *model, pair *api.KeyPair) (*api.KeyPair, diag.Diagnostics) {
	left := "The change itself was made."
	if state == nil {
		left = "It exists and is marked for replacement."
	}
	target := wait.Target{Resource: api.KeyPairs, Namespace: pair.Namespace, Name: pair.Name, UID: pair.UID}
	object, err := s.Hub.Until(ctx, target, validated(pair.Generation), wait.Options{})
	if object != nil {
		if seen, wrong := kube.Decode[api.KeyPair](object); wrong == nil {
			pair = seen
		}
	}
	reject := &rejected{}
	switch {
	case err == nil:
		return pair, nil
	case errors.As(err, &reject):
		return pair, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("public_key"), "SSH key not valid",
			fmt.Sprintf("Harvester does not accept the key: %s.\n\n%s Correct public_key and apply again.", reject.message, left))}
	case errors.Is(err, errGone):
		pair = nil
	}
	return pair, diag.Diagnostics{diagnose.API("wait for the validation of", tfbase.Title("SSH key", m), left, err)}
}

// validated looks at the key from that generation on: what is older has another key.
func validated(generation int64) wait.Condition {
	return func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		pair, err := kube.Decode[api.KeyPair](object)
		if err != nil || pair.Generation < generation {
			return wait.Progress{Message: "being changed"}, err
		}
		condition := validation(pair)
		state, message := verdict(pair)
		switch {
		case state == stateValidated:
			return wait.Progress{Done: true}, nil
		case condition != nil && condition.Status == "False":
			return wait.Progress{}, &rejected{message}
		}
		return wait.Progress{Message: "not validated yet"}, nil
	}
}
