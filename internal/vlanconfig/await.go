// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package vlanconfig

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// settling is how long a node may take to begin with a change. Its status tells only that an uplink works, not which
// one, so that of the uplink before would count. (The source says so; how long it takes was not measured.)
const settling = 3 * time.Second

// failedError says that a node will never set the uplink up.
type failedError struct{ message string }

func (e *failedError) Error() string { return e.message }

// await waits until every matched node has set the uplink up.
func await(ctx context.Context, s *session.Session, plan, state *model, made *config) (*config, diag.Diagnostics) {
	if state != nil && plan.Uplink.Equal(state.Uplink) && plan.ClusterNetworkName.Equal(state.ClusterNetworkName) && plan.NodeSelector.Equal(state.NodeSelector) {
		return seen(ctx, s, plan, made, nil)
	}
	matched := made.MatchedNodes()
	if len(matched) == 0 {
		return seen(ctx, s, plan, made, diag.Diagnostics{unmatched(plan)})
	}
	if state != nil {
		wait.Pause(ctx, settling)
	}
	for _, node := range matched {
		target := wait.Target{Resource: api.VlanStatuses, Name: api.VlanStatusName(made.Spec.ClusterNetwork, node)}
		if _, err := s.Hub.Until(ctx, target, setUp(made.Name, node), wait.Options{}); err != nil {
			return notSetUp(ctx, s, plan, state, made, err)
		}
	}
	return seen(ctx, s, plan, made, nil)
}

// setUp is done when the node says that this very VlanConfig is set up.
func setUp(name, node string) wait.Condition {
	return func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil || object.GetLabels()[api.LabelVlanConfig] != name {
			return wait.Progress{Message: node + " has not begun to set it up"}, nil
		}
		status, err := kube.Decode[api.VlanStatus](object)
		if err != nil {
			return wait.Progress{}, err
		}
		message := status.Status.Ready().Message
		if noCard.MatchString(message) {
			return wait.Progress{}, &failedError{message}
		}
		return wait.Progress{Done: netstate.Ready(*status), Message: netstate.Trouble([]api.VlanStatus{*status})}, nil
	}
}

// noCard is how a node says that it does not have a card: netlink's LinkNotFoundError.
var noCard = regexp.MustCompile(`(?i)\blink (\S+ )?not found`)

// notSetUp describes a wait that did not end well, with what all nodes say.
func notSetUp(ctx context.Context, s *session.Session, plan, state *model, made *config, err error) (*config, diag.Diagnostics) {
	left := "It exists and is marked for replacement: the next apply deletes it and starts over."
	if state != nil {
		left = "The change itself was made."
	}
	seen, diags := seen(ctx, s, plan, made, nil)
	if seen == nil {
		return nil, diags
	}
	trouble := netstate.Trouble(seen.Statuses)
	if failed := (*failedError)(nil); errors.As(err, &failed) {
		return seen, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("uplink"), "Uplink not set up", diagnose.Paragraphs(
			fmt.Sprintf("The %s cannot be set up on every node. %s.", plan.title(), trouble), left,
			"Name cards that each of these nodes has, or choose the nodes with node_selector."))}
	}
	if trouble != "" {
		left = diagnose.Paragraphs(fmt.Sprintf("What the nodes say: %s.", trouble), left)
	}
	return seen, diag.Diagnostics{diagnose.API("set up", plan.title(), left, err)}
}

func unmatched(plan *model) diag.Diagnostic {
	return diag.NewAttributeWarningDiagnostic(path.Root("node_selector"), "No node matches", fmt.Sprintf(
		"No node has the labels of node_selector, so the %s is not set up anywhere.", plan.title()))
}

// seen is the VlanConfig as it is now, nil if it is gone. After a wait the time may be up, so this has a little of its own.
func seen(ctx context.Context, s *session.Session, plan *model, made *config, diags diag.Diagnostics) (*config, diag.Diagnostics) {
	ctx, cancel := wait.Afterwards(ctx)
	defer cancel()
	now, err := look(ctx, s, "", made.Name, true)
	switch {
	case apierrors.IsNotFound(err), err == nil && now.UID != made.UID:
		return nil, append(diags, diag.NewErrorDiagnostic("VlanConfig gone", fmt.Sprintf("The %s was deleted by somebody else meanwhile. Apply again to make it anew.", plan.title())))
	case err != nil:
		return made, append(diags, diagnose.API("look at", plan.title(), "What was done to it stays.", err))
	}
	return now, diags
}

// awaitGone waits until the nodes have taken it down.
func awaitGone(ctx context.Context, s *session.Session, statuses []api.VlanStatus) error {
	for _, status := range slices.Clone(statuses) {
		target := wait.Target{Resource: api.VlanStatuses, Name: status.Name, UID: status.UID}
		err := s.Hub.UntilGone(ctx, target, func(*unstructured.Unstructured) string { return status.Status.Node + " has not taken it down" })
		if err != nil {
			return fmt.Errorf("wait for the nodes: %w", err)
		}
	}
	return nil
}
