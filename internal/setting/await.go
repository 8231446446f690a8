// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package setting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

const (
	// patience is how long nothing may be heard of a value that was sent. Harvester applies one within seconds.
	patience = 2 * time.Minute
	// patienceFailed is the same where the value before could not be applied: the same failure again looks like none.
	patienceFailed = 30 * time.Second
	// settling is how long Harvester takes at most until it says that it has begun to work on a network.
	settling = 10 * time.Second
)

var errGone = errors.New("it was deleted meanwhile by someone else")

// notAppliedError says that Harvester could not apply the value.
type notAppliedError struct{ message string }

func (n *notAppliedError) Error() string { return n.message }

// await waits until Harvester has applied the value, and returns the setting as it was last seen; nil if it is gone.
func await(ctx context.Context, s *session.Session, m, _ *model, setting *api.Setting) (*api.Setting, diag.Diagnostics) {
	sent := []string{setting.Value, m.Value.ValueString()}
	setting, err := untilApplied(ctx, s, setting)
	if err == nil {
		return setting, nil
	}
	return setting, unapplied(m, err, sent...)
}

func untilApplied(ctx context.Context, s *session.Session, setting *api.Setting) (*api.Setting, error) {
	setting = untilBegun(ctx, s, setting)
	if state, _ := verdict(setting); state == stateConfigured || state == stateDefault {
		return setting, nil
	}
	options, before := wait.Options{Stall: patience}, setting.Configured()
	if before != nil && before.Status == "False" && before.Message != "" {
		options.Stall = patienceFailed
	}
	object, err := s.Hub.Until(ctx, wait.Target{Resource: api.Settings, Name: setting.Name}, isApplied(setting), options)
	if object != nil {
		if seen, wrong := kube.Decode[api.Setting](object); wrong == nil {
			setting = nameless(seen)
		}
	}
	if errors.Is(err, errGone) {
		return nil, err
	}
	if state, message := verdict(setting); state == stateFailed && errors.As(err, new(*wait.TimeoutError)) {
		err = &notAppliedError{message}
	}
	return setting, err
}

// untilBegun waits until the condition of a network is that of the value that was just sent, not of the one before: then
// Harvester has changed the setting again. A value that means the same is never begun with.
func untilBegun(ctx context.Context, s *session.Session, sent *api.Setting) *api.Setting {
	if of(sent.Name).applied != byProgress {
		return sent
	}
	seen := sent
	_, _ = s.Hub.Until(ctx, wait.Target{Resource: api.Settings, Name: sent.Name}, func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		setting, err := kube.Decode[api.Setting](object)
		if err != nil || setting.Generation <= sent.Generation {
			return wait.Progress{Message: "being changed"}, err
		}
		seen = nameless(setting)
		return wait.Progress{Done: true}, nil
	}, wait.Options{Stall: settling})
	return seen
}

// isApplied looks at a setting that was just sent. A failure that was there already is that of the value before, until
// nothing else comes.
func isApplied(sent *api.Setting) wait.Condition {
	_, before := verdict(sent)
	return func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		setting, err := kube.Decode[api.Setting](object)
		if err != nil || setting.Generation < sent.Generation {
			return wait.Progress{Message: "being changed"}, err
		}
		switch state, message := verdict(setting); {
		case state == stateConfigured || state == stateDefault:
			return wait.Progress{Done: true}, nil
		case state == stateFailed && message != before:
			return wait.Progress{}, &notAppliedError{message}
		default:
			return wait.Progress{Message: shown(setting.Name, message, setting.Value, sent.Value)}, nil
		}
	}
}

// unapplied tells why a value that was sent does not count.
func unapplied(m *model, err error, sent ...string) diag.Diagnostics {
	const left = "The value is set. Harvester goes on trying to apply it; the next apply checks again."
	refused := &notAppliedError{}
	if !errors.As(err, &refused) {
		return hide(m.name(), diagnose.API("wait until Harvester has applied the", m.title(), left, err), sent...)
	}
	return diag.Diagnostics{blame(m.name(), "Setting not applied", fmt.Sprintf(
		"Harvester could not apply the value of the %s: %s\n\n%s", m.title(), shown(m.name(), refused.message, sent...), left))}
}

// hide takes the secrets of a setting's values out of a finding.
func hide(name string, found diag.Diagnostic, values ...string) diag.Diagnostics {
	return diag.Diagnostics{blame(name, found.Summary(), shown(name, found.Detail(), values...))}
}
