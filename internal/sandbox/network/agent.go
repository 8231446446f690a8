// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	networkv1 "github.com/harvester/harvester-network-controller/pkg/apis/network.harvesterhci.io/v1beta1"
	"github.com/harvester/harvester-network-controller/pkg/utils"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	sandbox "github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

const (
	// finalizer is that of the agents, which all share one.
	finalizer = "wrangler.cattle.io/harvester-network-vlanconfig-controller"

	// apart is how long the agents of two nodes take between one removal and the next. The real ones are not in step
	// either; when the last two statuses go at the same moment, the real manager leaves the cluster network ready.
	apart = 200 * time.Millisecond

	// lookAgain is how soon an agent tries again what a fault keeps it from.
	lookAgain = 500 * time.Millisecond
)

// fault is the one that applies to a key, such as vlanconfigs/uplink.
func (n *Network) fault(key string) faults.Fault { return n.Faults.ForKey(key) }

// addAgent adds the stand-in for the agents of all nodes: it sets up uplinks and shows the nodes' cards.
func (n *Network) addAgent(run manager.Manager) error {
	everyUplink := handler.EnqueueRequestsFromMapFunc(n.everyUplink)
	err := builder.ControllerManagedBy(run).Named("uplinks").
		For(&networkv1.VlanConfig{}).
		Watches(&corev1.Node{}, everyUplink).
		Complete(sandbox.Reconciler(n.reconcileUplink))
	if err != nil {
		return err
	}
	cards := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: cardMonitor}}}
	})
	return builder.ControllerManagedBy(run).Named("cards").
		For(&networkv1.LinkMonitor{}).
		Watches(&networkv1.VlanStatus{}, cards).
		Watches(&corev1.Node{}, cards).
		Complete(sandbox.Reconciler(n.reconcileCards))
}

func (n *Network) everyUplink(ctx context.Context, _ client.Object) (requests []reconcile.Request) {
	var uplinks networkv1.VlanConfigList
	if err := n.api.List(ctx, &uplinks); err != nil {
		n.Log.Error("list uplinks", "error", err)
	}
	for _, uplink := range uplinks.Items {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Name: uplink.Name}})
	}
	return requests
}

// reconcileUplink does what the agents of all nodes do for one VlanConfig (pkg/controller/agent/vlanconfig).
func (n *Network) reconcileUplink(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	uplink := &networkv1.VlanConfig{}
	if err := n.api.Get(ctx, request.NamespacedName, uplink); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if n.fault("vlanconfigs/" + uplink.Name).AgentSilent {
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
	if uplink.DeletionTimestamp != nil {
		return reconcile.Result{}, n.removeUplink(ctx, uplink)
	}
	if controllerutil.AddFinalizer(uplink, finalizer) {
		return reconcile.Result{}, n.api.Update(ctx, uplink)
	}
	matched, err := matchedNodes(uplink)
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := n.removeStale(ctx, uplink, matched); err != nil {
		return reconcile.Result{}, err
	}
	again := reconcile.Result{}
	for _, node := range matched {
		if !pace.Wait(ctx, n.Pace.Provision()) {
			return reconcile.Result{}, nil
		}
		failed, err := n.setUp(ctx, uplink, node)
		if err != nil {
			return reconcile.Result{}, err
		}
		if failed {
			again.RequeueAfter = lookAgain
		}
	}
	return again, nil
}

func matchedNodes(uplink *networkv1.VlanConfig) (nodes []string, err error) {
	text := uplink.Annotations[utils.KeyMatchedNodes]
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &nodes); err != nil {
		return nil, fmt.Errorf("matched nodes: %w", err)
	}
	return nodes, nil
}

// statuses are those of one VlanConfig, on all nodes.
func (n *Network) statuses(ctx context.Context, uplink string) ([]networkv1.VlanStatus, error) {
	var found networkv1.VlanStatusList
	err := n.api.List(ctx, &found, client.MatchingLabels{utils.KeyVlanConfigLabel: uplink})
	return found.Items, err
}

// removeStale takes an uplink down where it is not wanted any more, or belongs to another cluster network now.
func (n *Network) removeStale(ctx context.Context, uplink *networkv1.VlanConfig, matched []string) error {
	statuses, err := n.statuses(ctx, uplink.Name)
	if err != nil {
		return err
	}
	for i := range statuses {
		status := &statuses[i]
		if slices.Contains(matched, status.Status.Node) && status.Status.ClusterNetwork == uplink.Spec.ClusterNetwork {
			continue
		}
		if err := n.takeDown(ctx, status); err != nil {
			return err
		}
	}
	return nil
}

func (n *Network) removeUplink(ctx context.Context, uplink *networkv1.VlanConfig) error {
	statuses, err := n.statuses(ctx, uplink.Name)
	if err != nil {
		return err
	}
	for i := range statuses {
		if err := n.takeDown(ctx, &statuses[i]); err != nil {
			return err
		}
	}
	if !controllerutil.RemoveFinalizer(uplink, finalizer) {
		return nil
	}
	return n.api.Update(ctx, uplink)
}

func (n *Network) takeDown(ctx context.Context, status *networkv1.VlanStatus) error {
	node := &corev1.Node{}
	if err := n.api.Get(ctx, types.NamespacedName{Name: status.Status.Node}, node); err != nil && client.IgnoreNotFound(err) != nil {
		return err
	}
	key := utils.GetLabelKeyOfClusterNetwork(status.Status.ClusterNetwork)
	if node.Labels[key] == utils.ValueTrue || node.Name != "" && node.Labels[utils.KeyVlanConfigLabel] == status.Status.VlanConfig {
		delete(node.Labels, key)
		delete(node.Labels, utils.KeyVlanConfigLabel)
		if err := n.api.Update(ctx, node); err != nil {
			return err
		}
	}
	if err := n.api.Delete(ctx, status); client.IgnoreNotFound(err) != nil {
		return err
	}
	pace.Wait(ctx, apart)
	return nil
}

// setUp sets an uplink up on a node, and says so in a VlanStatus.
func (n *Network) setUp(ctx context.Context, uplink *networkv1.VlanConfig, node string) (failed bool, err error) {
	bonds, err := n.bonds(ctx)
	if err != nil {
		return false, err
	}
	failure := n.fault("vlanconfigs/" + uplink.Name).SetupError
	if failure == "" {
		failure = setupFailure(uplink, node, bonds[node])
	}
	if err := n.writeStatus(ctx, uplink, node, failure); err != nil || failure != "" {
		return true, err
	}
	return false, n.label(ctx, uplink, node)
}

// setupFailure is why an uplink cannot be set up on a node, in the agent's words (pkg/network/iface/bond.go); "" if it can.
func setupFailure(uplink *networkv1.VlanConfig, node string, bonds map[string]int) string {
	own := index(uplink.Spec.ClusterNetwork)
	links := links(node, bonds)
	for _, name := range uplink.Spec.Uplink.NICs {
		i := slices.IndexFunc(links, func(link networkv1.LinkStatus) bool { return link.Name == name })
		switch {
		case i < 0:
			return fmt.Sprintf("get link %s failed, error: Link not found", name)
		case links[i].MasterIndex != 0 && links[i].MasterIndex != own:
			return fmt.Sprintf("%s has been enslaved by the link with index %d", name, links[i].MasterIndex)
		}
	}
	return ""
}

func (n *Network) writeStatus(ctx context.Context, uplink *networkv1.VlanConfig, node, failure string) error {
	status := &networkv1.VlanStatus{}
	name := utils.Name("", uplink.Spec.ClusterNetwork, node)
	err := n.api.Get(ctx, types.NamespacedName{Name: name}, status)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	exists := err == nil
	before := status.DeepCopy()
	status.Name = name
	status.Labels = map[string]string{
		utils.KeyVlanConfigLabel: uplink.Name, utils.KeyClusterNetworkLabel: uplink.Spec.ClusterNetwork, utils.KeyNodeLabel: node,
	}
	if !exists {
		status.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(uplink, networkv1.SchemeGroupVersion.WithKind("VlanConfig"))}
		status.OwnerReferences[0].Controller, status.OwnerReferences[0].BlockOwnerDeletion = nil, nil
	}
	status.Status.ClusterNetwork, status.Status.VlanConfig = uplink.Spec.ClusterNetwork, uplink.Name
	status.Status.LinkMonitor, status.Status.Node = uplink.Spec.ClusterNetwork, node
	networkv1.Ready.SetStatusBool(status, failure == "")
	networkv1.Ready.Message(status, failure)
	switch {
	case !exists:
		return n.api.Create(ctx, status)
	case equality.Semantic.DeepEqual(before, status):
		return nil
	}
	return n.api.Update(ctx, status)
}

func (n *Network) label(ctx context.Context, uplink *networkv1.VlanConfig, name string) error {
	node := &corev1.Node{}
	if err := n.api.Get(ctx, types.NamespacedName{Name: name}, node); err != nil {
		return err
	}
	key := utils.GetLabelKeyOfClusterNetwork(uplink.Spec.ClusterNetwork)
	if node.Labels[key] == utils.ValueTrue {
		return nil // the label of the VlanConfig can be that of another one by now: a node has room for one
	}
	metav1.SetMetaDataLabel(&node.ObjectMeta, key, utils.ValueTrue)
	metav1.SetMetaDataLabel(&node.ObjectMeta, utils.KeyVlanConfigLabel, uplink.Name)
	return n.api.Update(ctx, node)
}
