// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package netstate is what cluster networks, their uplinks and the networks on them share: how the uplinks are doing on
// each node, and patience with webhooks that have not noticed yet what happened a moment ago.
package netstate

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Statuses are those of all uplinks on all nodes, in the order of the nodes. Unless fresh they may be as old as the answers of Recent.
// Without the right to read them, or without the kind, there are none.
func Statuses(ctx context.Context, client *kube.Client, fresh bool) ([]api.VlanStatus, error) {
	kind := kube.For[api.VlanStatus](client, api.VlanStatuses, api.KindVlanStatus)
	list := kind.RecentAll
	if fresh {
		list = func(ctx context.Context, namespace string) ([]api.VlanStatus, error) {
			return kind.List(ctx, namespace, "")
		}
	}
	statuses, err := list(ctx, "")
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	slices.SortFunc(statuses, func(a, b api.VlanStatus) int { return strings.Compare(a.Status.Node, b.Status.Node) })
	return statuses, err
}

// Of are the statuses that the labels say belong to a VlanConfig (api.LabelVlanConfig) or a cluster network
// (api.LabelClusterNetwork).
func Of(statuses []api.VlanStatus, label, name string) (of []api.VlanStatus) {
	for _, status := range statuses {
		if status.Labels[label] == name && status.DeletionTimestamp == nil {
			of = append(of, status)
		}
	}
	return of
}

// Ready says that the uplink is set up on the node.
func Ready(status api.VlanStatus) bool { return status.Status.Ready().Status == "True" }

// Trouble is what the nodes say where the uplink is not set up, as in "node-0: no such card"; "" if it is everywhere.
func Trouble(statuses []api.VlanStatus) string {
	var said []string
	for _, status := range statuses {
		if Ready(status) {
			continue
		}
		message := strings.TrimSuffix(status.Status.Ready().Message, ".")
		if message == "" {
			message = "not set up yet"
		}
		said = append(said, fmt.Sprintf("%s: %s", status.Status.Node, message))
	}
	return strings.Join(said, "; ")
}

// again is how long to wait before a refused request is sent again.
const again = 500 * time.Millisecond

// Patiently sends a request again while it is refused for a reason that may pass by itself, at most for so long.
func Patiently[T any](ctx context.Context, limit time.Duration, passing func(error) bool, request func() (T, error)) (T, error) {
	for began := time.Now(); ; {
		answer, err := request()
		if err == nil || !passing(err) || time.Since(began) > limit || ctx.Err() != nil {
			return answer, err
		}
		wait.Pause(ctx, again)
	}
}

const (
	// Lag is how long a webhook may take to notice an object that was made or changed a moment ago.
	Lag = 10 * time.Second
	// Leaving is how long what is in the way may take to go, where one run removes all of it in any order.
	Leaving = 20 * time.Second
)

// inUse matches the refusals of the network's webhooks (pkg/webhook/… in its source) for what something else needs.
var inUse = regexp.MustCompile(`still existing|still used by|still using|is using nad|must be stopped|still attached`)

// InUse says that a webhook refused because something else needs the object. That may be on its way out, in the same run.
func InUse(err error) bool { return kube.Refused(err) && inUse.MatchString(err.Error()) }

// Unnoticed says that a webhook refused because it does not know the cluster network, which was there a moment ago.
func Unnoticed(err error) bool {
	return kube.Refused(err) && (strings.Contains(err.Error(), "none-existing cluster network") || strings.Contains(err.Error(), "not found"))
}
