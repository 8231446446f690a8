// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"context"
	"fmt"
	"hash/crc32"

	networkv1 "github.com/harvester/harvester-network-controller/pkg/apis/network.harvesterhci.io/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	// cardMonitor is the LinkMonitor of the nodes' network cards.
	cardMonitor = "nic"
	// firstNode has one card more than the others.
	firstNode = "harvester-node-0"
	// managementBond is the index of the bond of the management network, which has the card eno0.
	managementBond = 2
)

// card is a network card on paper.
type card struct {
	name   string
	state  networkv1.LinkState
	master int
}

// cards are those of a node: eno0 is in use, eno1 to eno4 and ens1f0 to ens1f15 are free, eno5 has no cable, and ens2f0
// is on one node only.
func cards(node string) []card {
	all := []card{{"eno0", networkv1.LinkUp, managementBond}}
	for i := range 4 {
		all = append(all, card{name: fmt.Sprintf("eno%d", i+1), state: networkv1.LinkUp})
	}
	all = append(all, card{name: "eno5", state: networkv1.LinkDown})
	for i := range 16 {
		all = append(all, card{name: fmt.Sprintf("ens1f%d", i), state: networkv1.LinkUp})
	}
	if node == firstNode {
		all = append(all, card{name: "ens2f0", state: networkv1.LinkUp})
	}
	return all
}

// reconcileCards shows the cards of all nodes, and which of them are in a bond (pkg/controller/agent/linkmonitor).
func (n *Network) reconcileCards(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	if request.Name != cardMonitor {
		return reconcile.Result{}, nil
	}
	monitor := &networkv1.LinkMonitor{}
	if err := n.api.Get(ctx, request.NamespacedName, monitor); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	var nodes corev1.NodeList
	if err := n.api.List(ctx, &nodes); err != nil {
		return reconcile.Result{}, err
	}
	bonds, err := n.bonds(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	status := map[string][]networkv1.LinkStatus{}
	for _, node := range nodes.Items {
		status[node.Name] = links(node.Name, bonds[node.Name])
	}
	if equality.Semantic.DeepEqual(status, monitor.Status.LinkStatus) {
		return reconcile.Result{}, nil
	}
	monitor.Status.LinkStatus = status
	return reconcile.Result{}, n.api.Update(ctx, monitor)
}

// bonds are the indices of the bonds that cards belong to, by node and card.
func (n *Network) bonds(ctx context.Context) (map[string]map[string]int, error) {
	var statuses networkv1.VlanStatusList
	var uplinks networkv1.VlanConfigList
	if err := n.api.List(ctx, &statuses); err != nil {
		return nil, err
	}
	if err := n.api.List(ctx, &uplinks); err != nil {
		return nil, err
	}
	bonds := map[string]map[string]int{}
	for _, uplink := range uplinks.Items {
		for _, status := range statuses.Items {
			if status.Status.VlanConfig != uplink.Name || !networkv1.Ready.IsTrue(&status) {
				continue
			}
			node := status.Status.Node
			if bonds[node] == nil {
				bonds[node] = map[string]int{}
			}
			for _, name := range uplink.Spec.Uplink.NICs {
				bonds[node][name] = index(uplink.Spec.ClusterNetwork)
			}
		}
	}
	return bonds, nil
}

// index is a number that a link keeps.
func index(name string) int { return 1000 + int(crc32.ChecksumIEEE([]byte(name))%100000) }

func links(node string, bonds map[string]int) (links []networkv1.LinkStatus) {
	for i, card := range cards(node) {
		master := card.master
		if bond, bonded := bonds[card.name]; bonded {
			master = bond
		}
		links = append(links, networkv1.LinkStatus{
			Name: card.name, Index: 10 + i, Type: "device", State: card.state, MasterIndex: master,
			MAC: fmt.Sprintf("02:00:00:%02x:%02x:%02x", crc32.ChecksumIEEE([]byte(node))&0xff, i, 1),
		})
	}
	return links
}
