// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kinds of Harvester's network controller, and the networks of machines.
var (
	ClusterNetworks = schema.GroupVersionResource{Group: "network.harvesterhci.io", Version: "v1beta1", Resource: "clusternetworks"}
	VlanConfigs     = schema.GroupVersionResource{Group: "network.harvesterhci.io", Version: "v1beta1", Resource: "vlanconfigs"}
	VlanStatuses    = schema.GroupVersionResource{Group: "network.harvesterhci.io", Version: "v1beta1", Resource: "vlanstatuses"}
	LinkMonitors    = schema.GroupVersionResource{Group: "network.harvesterhci.io", Version: "v1beta1", Resource: "linkmonitors"}
	Networks        = schema.GroupVersionResource{Group: "k8s.cni.cncf.io", Version: "v1", Resource: "network-attachment-definitions"}
	Nodes           = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
)

// Their names.
const (
	KindClusterNetwork = "ClusterNetwork"
	KindVlanConfig     = "VlanConfig"
	KindVlanStatus     = "VlanStatus"
	KindLinkMonitor    = "LinkMonitor"
	KindNetwork        = "NetworkAttachmentDefinition"
)

// Labels and annotations of the network controller (pkg/utils/labels.go in its source).
const (
	LabelClusterNetwork = "network.harvesterhci.io/clusternetwork"
	LabelVlanConfig     = "network.harvesterhci.io/vlanconfig"
	LabelNetworkType    = "network.harvesterhci.io/type"
	LabelNetworkReady   = "network.harvesterhci.io/ready"

	// LabelWitness is on nodes that run no machines, and that no VlanConfig matches.
	LabelWitness = "node-role.harvesterhci.io/witness"

	// AnnotationUplinkMTU is the MTU of a cluster network. The controller takes it from a VlanConfig; on the
	// management network users may set it.
	AnnotationUplinkMTU = "network.harvesterhci.io/uplink-mtu"
	// AnnotationVlanIDs lists the VLANs of a cluster network's networks, as in 1,2,3.
	AnnotationVlanIDs = "network.harvesterhci.io/vlan-id-set-str"
	// AnnotationMatchedNodes holds the nodes of a VlanConfig as a JSON array.
	AnnotationMatchedNodes = "network.harvesterhci.io/matched-nodes"
	// AnnotationRoute holds what is known of a network's gateway, as JSON of a Route.
	AnnotationRoute = "network.harvesterhci.io/route"
)

// ManagementNetwork is the cluster network that every cluster has.
const ManagementNetwork = "mgmt"

// ConditionNetworkReady is the condition of ClusterNetwork and VlanStatus.
const ConditionNetworkReady = "ready"

// Rules of the network controller (pkg/utils/consts.go and clusternetwork.go in its source).
const (
	// MaxClusterNetworkName is how long the name of a cluster network can be: with -br it is that of a link.
	MaxClusterNetworkName = 12
	// DefaultMTU is that of an uplink that states none, or 0.
	DefaultMTU = 1500
	MinMTU     = 576
	MaxMTU     = 9000
)

// NetworkStatus is the status of ClusterNetwork and the like.
type NetworkStatus struct {
	Conditions []Condition `json:"conditions,omitempty"`
}

// Ready returns the condition of that name, or an empty one.
func (s NetworkStatus) Ready() Condition {
	if i := slices.IndexFunc(s.Conditions, func(c Condition) bool { return c.Type == ConditionNetworkReady }); i >= 0 {
		return s.Conditions[i]
	}
	return Condition{}
}

// ClusterNetwork is a set of links, one bridge on each node, that networks of machines are on. It has no specification.
type ClusterNetwork struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Status NetworkStatus `json:"status,omitempty"`
}

// VlanConfig is the uplink of a cluster network on some nodes.
type VlanConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec VlanConfigSpec `json:"spec"`
}

// MatchedNodes are the nodes that the server found for a VlanConfig, sorted.
func (c *VlanConfig) MatchedNodes() []string {
	nodes := []string{}
	_ = json.Unmarshal([]byte(c.Annotations[AnnotationMatchedNodes]), &nodes) // without one, or none that can be read, no node is known
	slices.Sort(nodes)
	return nodes
}

// VlanConfigSpec says which network cards of which nodes are an uplink of the cluster network.
type VlanConfigSpec struct {
	ClusterNetwork string            `json:"clusterNetwork"`
	NodeSelector   map[string]string `json:"nodeSelector,omitempty"`
	Uplink         Uplink            `json:"uplink"`
}

// Uplink is a bond of network cards.
type Uplink struct {
	NICs           []string        `json:"nics,omitempty"`
	BondOptions    *BondOptions    `json:"bondOptions,omitempty"`
	LinkAttributes *LinkAttributes `json:"linkAttributes,omitempty"`
}

// BondOptions are those of the bond. Miimon is in milliseconds; -1 means the default, 0 switches monitoring off.
type BondOptions struct {
	Mode   string `json:"mode,omitempty"`
	Miimon *int64 `json:"miimon,omitempty"`
}

// LinkAttributes are those of the bond; 0 means the default MTU.
type LinkAttributes struct {
	MTU *int64 `json:"mtu,omitempty"`
}

// VlanStatus is how an uplink is doing on one node.
type VlanStatus struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Status VlanStatusStatus `json:"status,omitempty"`
}

// VlanStatusStatus names what the status is about.
type VlanStatusStatus struct {
	NetworkStatus  `json:",inline"`
	ClusterNetwork string `json:"clusterNetwork,omitempty"`
	VlanConfig     string `json:"vlanConfig,omitempty"`
	Node           string `json:"node,omitempty"`
}

// VlanStatusName is the name of the status of a cluster network on a node (pkg/utils/name.go in the source).
func VlanStatusName(clusterNetwork, node string) string {
	name := clusterNetwork + "-" + node
	sum := fmt.Sprintf("-%08x", crc32.ChecksumIEEE([]byte(name)))
	return name[:min(len(name), 63-len(sum))] + sum
}

// LinkMonitorCards is the LinkMonitor of the nodes' network cards.
const LinkMonitorCards = "nic"

// LinkMonitor shows links of the nodes.
type LinkMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Status LinkMonitorStatus `json:"status,omitempty"`
}

// LinkMonitorStatus has the links of each node.
type LinkMonitorStatus struct {
	LinkStatus map[string][]LinkStatus `json:"linkStatus,omitempty"`
}

// LinkStatus is one link. A MasterIndex other than 0 says that it is part of a bond or bridge already.
type LinkStatus struct {
	Name        string `json:"name"`
	State       string `json:"state,omitempty"`
	MasterIndex int    `json:"masterIndex,omitempty"`
}

// Network is what machines are attached to: a NetworkAttachmentDefinition.
type Network struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec NetworkSpec `json:"spec"`
}

// NetworkSpec holds the configuration for the CNI, as JSON.
type NetworkSpec struct {
	Config string `json:"config,omitempty"`
}

// Route is the content of AnnotationRoute. Connectivity is what the server found: true, false, "DHCP failed" or
// "ping failed". Outdated says that it is that of another VLAN.
type Route struct {
	Mode         string `json:"mode,omitempty"`
	CIDR         string `json:"cidr,omitempty"`
	Gateway      string `json:"gateway,omitempty"`
	ServerIP     string `json:"serverIPAddr,omitempty"`
	Connectivity string `json:"connectivity,omitempty"`
	Outdated     bool   `json:"outdated,omitempty"`
}

// Values of Route.
const (
	RouteAuto      = "auto"
	RouteManual    = "manual"
	RouteReachable = "true"
	RouteUnreached = "false"
	RouteNoDHCP    = "DHCP failed"
)
