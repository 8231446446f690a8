// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// rounds is how often a change is sent at most: the controllers write to the same object, and one kind of change makes
// the webhook drop another (a route, when the VLAN becomes 0).
const rounds = 8

// change makes the network what the plan wants, from what the API has at that moment.
func change(ctx context.Context, s *session.Session, plan, state *model, identity objects.Identity, _ map[string]any) (*api.Network, diag.Diagnostics) {
	for range rounds {
		live, err := objects.Change[api.Network](ctx, networksOf(s), identity, nil)
		if err != nil {
			return nil, objects.ChangeFailed(identity.Title, err)
		}
		patch, more := plan.against(ctx, state, live)
		if more.HasError() || len(patch) == 0 {
			return live, more
		}
		if _, err = objects.Change[api.Network](ctx, networksOf(s), identity, asSeen(patch, live)); err != nil && !apierrors.IsConflict(err) {
			return nil, objects.ChangeFailed(identity.Title, err)
		}
	}
	return nil, diag.Diagnostics{diag.NewErrorDiagnostic("Change does not last", fmt.Sprintf(
		"The %s was changed %d times, but others change it back each time. Find out who does, then apply again.", identity.Title, rounds))}
}

// asSeen is a patch that is refused, with a Conflict, if the object is not as it was seen: the configuration is one text,
// and what the server changed in it meanwhile must not be lost.
func asSeen(patch map[string]any, live *api.Network) map[string]any {
	metadata := map[string]any{"resourceVersion": live.ResourceVersion}
	if given, ok := patch["metadata"].(map[string]any); ok {
		maps.Copy(metadata, given)
	}
	seen := map[string]any{"metadata": metadata}
	if spec, has := patch["spec"]; has {
		seen["spec"] = spec
	}
	return seen
}

// await waits until the network is ready and, if asked to, until its gateway is known to answer. A change waits for the
// gateway only.
func await(ctx context.Context, s *session.Session, plan, state *model, made *api.Network) (*api.Network, diag.Diagnostics) {
	if state != nil && !plan.WaitForRoute.ValueBool() {
		return made, nil
	}
	target := wait.Target{Resource: api.Networks, Namespace: made.Namespace, Name: made.Name, UID: made.UID}
	object, err := s.Hub.Until(ctx, target, usable(plan.WaitForRoute.ValueBool(), plan.ClusterNetworkName.ValueString()), wait.Options{})
	if object != nil {
		if seen, wrong := kube.Decode[api.Network](object); wrong == nil {
			made = seen
		}
	}
	if err == nil {
		return made, nil
	}
	left := "It exists and is marked for replacement: the next apply deletes it and starts over."
	if state != nil {
		left = "The change itself was made."
	}
	if trouble := (*routeError)(nil); errors.As(err, &trouble) {
		return made, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("wait_for_route"), "Gateway not reached", diagnose.Paragraphs(
			fmt.Sprintf("The %s is made, but: %s", plan.title(), trouble.message), left))}
	}
	if errors.Is(err, errGone) {
		return nil, diag.Diagnostics{diagnose.API("wait for", plan.title(), "", err)}
	}
	return made, diag.Diagnostics{diagnose.API("wait for", plan.title(), diagnose.Paragraphs(hint(ctx, s, plan), left), err)}
}

var errGone = errors.New("it was deleted meanwhile by someone else")

// routeError says that the gateway does not answer.
type routeError struct{ message string }

func (e *routeError) Error() string { return e.message }

// usable is done with a network that is ready, and whose gateway answers if that counts.
func usable(routed bool, clusterNetwork string) wait.Condition {
	return func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		network, err := kube.Decode[api.Network](object)
		if err != nil {
			return wait.Progress{}, err
		}
		conf, _ := parse(network.Spec.Config) // the server has accepted it
		route := routeOf(network)
		switch {
		case network.Labels[api.LabelNetworkType] == "" || network.Labels[api.LabelNetworkReady] == "":
			return wait.Progress{Message: "not looked at by the network controller"}, nil
		case network.Labels[api.LabelNetworkReady] != "true":
			return wait.Progress{Message: fmt.Sprintf("the cluster network %q is not ready", clusterNetwork)}, nil
		case !routed || networkType(conf) != "L2VlanNetwork":
			return wait.Progress{Done: true}, nil
		case routeFailed(route):
			return wait.Progress{}, &routeError{routeTrouble(route)}
		}
		return wait.Progress{Done: !route.Outdated && route.Connectivity == api.RouteReachable, Message: "whether the gateway answers is not known yet"}, nil
	}
}

// hint says why the cluster network is not ready; "" if it is.
func hint(ctx context.Context, s *session.Session, plan *model) string {
	ctx, cancel := wait.Afterwards(ctx)
	defer cancel()
	name := plan.ClusterNetworkName.ValueString()
	cluster, err := kube.For[api.ClusterNetwork](s.Client, api.ClusterNetworks, api.KindClusterNetwork).Get(ctx, "", name)
	if err != nil || cluster.Status.Ready().Status == "True" {
		return ""
	}
	statuses, _ := netstate.Statuses(ctx, s.Client, true) // without them, less is said
	if trouble := netstate.Trouble(netstate.Of(statuses, api.LabelClusterNetwork, name)); trouble != "" {
		return fmt.Sprintf("The cluster network %q is not ready. What the nodes say: %s.", name, trouble)
	}
	return fmt.Sprintf("The cluster network %q is not ready: none of its VlanConfigs is set up on a node. It needs a harvester_vlanconfig.", name)
}

// remove deletes the network. Machines that are attached to it may be on their way out in the same run.
func remove(d *tfbase.Deleting[*model, *api.Network]) {
	d.Request = func(ctx context.Context, network *api.Network) diag.Diagnostics {
		_, err := netstate.Patiently(ctx, netstate.Leaving, netstate.InUse, func() (struct{}, error) {
			return struct{}{}, networksOf(d.Session).Delete(ctx, network.Namespace, network.Name, network.UID)
		})
		switch {
		case err == nil, apierrors.IsNotFound(err):
			return nil
		case netstate.InUse(err):
			return diag.Diagnostics{diag.NewErrorDiagnostic("Network in use", fmt.Sprintf(
				"The %s cannot be deleted: %s It was not deleted.\n\nTake it off what uses it first, then apply again.", d.Identity.Title, diagnose.Said(err)))}
		}
		return objects.NotDeleted(d.Identity.Title, err)
	}
}
