// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	networkv1 "github.com/harvester/harvester-network-controller/pkg/apis/network.harvesterhci.io/v1beta1"
	"github.com/harvester/harvester-network-controller/pkg/utils"
	cniv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	sandbox "github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// What DHCP answers in every VLAN: addresses for documentation (RFC 5737).
const (
	leaseCIDR    = "198.51.100.0/24"
	leaseGateway = "198.51.100.1"
)

// addAttachments adds the stand-in for the controller of network attachment definitions
// (pkg/controller/manager/nad). The real helpers decide on labels and annotations; what needs the network is answered.
func (n *Network) addAttachments(run manager.Manager) error {
	err := builder.ControllerManagedBy(run).Named("attachments").
		For(&cniv1.NetworkAttachmentDefinition{}).
		Complete(sandbox.Reconciler(n.reconcileAttachment))
	if err != nil {
		return err
	}
	return builder.ControllerManagedBy(run).Named("clusternetworks").
		For(&networkv1.ClusterNetwork{}).
		Watches(&cniv1.NetworkAttachmentDefinition{}, handler.EnqueueRequestsFromMapFunc(clusterNetworkOf)).
		Complete(sandbox.Reconciler(n.reconcileClusterNetwork))
}

func clusterNetworkOf(_ context.Context, attachment client.Object) []reconcile.Request {
	name := attachment.GetLabels()[utils.KeyClusterNetworkLabel]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
}

func (n *Network) reconcileAttachment(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	attachment := &cniv1.NetworkAttachmentDefinition{}
	if err := n.api.Get(ctx, request.NamespacedName, attachment); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if attachment.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	updated, err := n.relabel(ctx, attachment)
	if err != nil || updated || !utils.IsVlanNad(attachment) {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, n.route(ctx, attachment)
}

// relabel keeps the labels right, and says whether it had to.
func (n *Network) relabel(ctx context.Context, attachment *cniv1.NetworkAttachmentDefinition) (bool, error) {
	config, err := utils.DecodeNadConfigToNetConf(attachment)
	if err != nil {
		return false, err
	}
	name, err := config.GetClusterNetworkName()
	if err != nil {
		return false, err
	}
	cluster := &networkv1.ClusterNetwork{}
	if err := n.api.Get(ctx, types.NamespacedName{Name: name}, cluster); err != nil {
		return false, err
	}
	labels := maps.Clone(attachment.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	if err := config.SetNetworkInfoToLabels(labels); err != nil {
		return false, err
	}
	labels[utils.KeyNetworkReady] = utils.ValueFalse
	if networkv1.Ready.IsTrue(cluster.Status) {
		labels[utils.KeyNetworkReady] = utils.ValueTrue
	}
	if maps.Equal(labels, attachment.Labels) {
		return false, nil
	}
	attachment.Labels = labels
	return true, n.api.Update(ctx, attachment)
}

// route answers what the real controller would find out: by a job that asks DHCP, and by pings.
func (n *Network) route(ctx context.Context, attachment *cniv1.NetworkAttachmentDefinition) error {
	text := attachment.Annotations[utils.KeyNetworkRoute]
	if text == "" {
		return nil
	}
	route, err := utils.NewLayer3NetworkConf(text)
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	before := *route
	n.answer(attachment, route)
	if *route == before {
		return nil
	}
	if !pace.Wait(ctx, n.Pace.Lease()) {
		return nil
	}
	if text, err = route.ToString(); err != nil {
		return err
	}
	attachment.Annotations[utils.KeyNetworkRoute] = text
	return n.api.Update(ctx, attachment)
}

// answer is what DHCP and the gateway say. The job writes the route anew, without the mark that it is outdated.
func (n *Network) answer(attachment *cniv1.NetworkAttachmentDefinition, route *utils.Layer3NetworkConf) {
	fault := utils.Connectivity(n.fault(attachment.Namespace + "/" + attachment.Name).RouteConnectivity)
	known := route.CIDR != "" && route.Gateway != "" && !route.Outdated
	if route.Mode == utils.Auto && !known {
		switch {
		case fault != utils.DHCPFailed:
			*route = utils.Layer3NetworkConf{Mode: utils.Auto, ServerIPAddr: route.ServerIPAddr, CIDR: leaseCIDR, Gateway: leaseGateway}
			known = true
		case route.Connectivity != utils.DHCPFailed || route.Outdated:
			*route = utils.Layer3NetworkConf{Mode: utils.Auto, ServerIPAddr: route.ServerIPAddr, Connectivity: utils.DHCPFailed}
		}
	}
	if known && route.Connectivity == "" {
		route.Connectivity = utils.Connectable
		if fault != "" {
			route.Connectivity = fault
		}
	}
}

// reconcileClusterNetwork hands the MTU of a cluster network on to its networks, and notes their VLANs.
func (n *Network) reconcileClusterNetwork(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	cluster := &networkv1.ClusterNetwork{}
	if err := n.api.Get(ctx, request.NamespacedName, cluster); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if cluster.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	var attachments cniv1.NetworkAttachmentDefinitionList
	if err := n.api.List(ctx, &attachments, client.MatchingLabels{utils.KeyClusterNetworkLabel: cluster.Name}); err != nil {
		return reconcile.Result{}, err
	}
	var nads []*cniv1.NetworkAttachmentDefinition
	for i := range attachments.Items {
		attachment := &attachments.Items[i]
		if attachment.DeletionTimestamp == nil {
			nads = append(nads, attachment)
		}
		if err := n.handOnMTU(ctx, cluster, attachment); err != nil {
			return reconcile.Result{}, err
		}
	}
	set, err := utils.NewVlanIDSetFromNadList(nads)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("VLAN ids: %w", err)
	}
	text, hash := set.VidSetToStringHash()
	if utils.AreClusterNetworkVlanAnnotationsUnchanged(cluster, text, hash) {
		return reconcile.Result{}, nil
	}
	utils.SetClusterNetworkVlanAnnotations(cluster, text, hash)
	return reconcile.Result{}, n.api.Update(ctx, cluster)
}

func (n *Network) handOnMTU(ctx context.Context, cluster *networkv1.ClusterNetwork, attachment *cniv1.NetworkAttachmentDefinition) error {
	text := cluster.Annotations[utils.KeyUplinkMTU]
	mtu, err := utils.GetMTUFromString(text)
	if text == "" || err != nil {
		return nil //nolint:nilerr // the real one leaves an MTU alone that it does not understand
	}
	config := map[string]any{}
	if err := json.Unmarshal([]byte(attachment.Spec.Config), &config); err != nil {
		return fmt.Errorf("configuration of %s: %w", attachment.Name, err)
	}
	had, _ := config["mtu"].(float64)
	if utils.AreEqualMTUs(mtu, int(had)) {
		return nil
	}
	config["mtu"] = mtu
	changed, err := json.Marshal(config)
	if err != nil {
		return err
	}
	attachment.Spec.Config = string(changed)
	return n.api.Update(ctx, attachment)
}
