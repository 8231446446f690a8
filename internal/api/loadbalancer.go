// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Resources of Harvester's load balancer service.
var (
	IPPools       = schema.GroupVersionResource{Group: "loadbalancer.harvesterhci.io", Version: "v1beta1", Resource: "ippools"}
	LoadBalancers = schema.GroupVersionResource{Group: "loadbalancer.harvesterhci.io", Version: "v1beta1", Resource: "loadbalancers"}
)

// ConditionReady tells whether an IPPool or a LoadBalancer can be used.
const ConditionReady = "Ready"

// Labels and annotations of the load balancer service.
const (
	// LabelGlobalPool is "true" on the pool for load balancers that no other pool is for.
	LabelGlobalPool = "loadbalancer.harvesterhci.io/global-ip-pool"
	// LabelBalancerService is "true" on the service of a LoadBalancer.
	LabelBalancerService = "loadbalancer.harvesterhci.io/servicelb"
	// LabelBalancerGuest names the guest cluster whose cloud provider has made a LoadBalancer (load-balancer-harvester, pkg/utils/const.go).
	LabelBalancerGuest = "cloudprovider.harvesterhci.io/cluster"
	// AnnotationReleaseIP makes the service release an address whose load balancer is gone: "<address>: <namespace>/<name>".
	AnnotationReleaseIP = "loadbalancer.harvesterhci.io/manuallyReleaseIP"
	// AnnotationBalancerProject, AnnotationBalancerNetwork and AnnotationBalancerCluster are what a pool is chosen by.
	AnnotationBalancerProject = "loadbalancer.harvesterhci.io/project"
	AnnotationBalancerNetwork = "loadbalancer.harvesterhci.io/network"
	AnnotationBalancerCluster = "loadbalancer.harvesterhci.io/cluster"
)

// IPPool is a pool of addresses for load balancers.
type IPPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   IPPoolSpec   `json:"spec"`
	Status IPPoolStatus `json:"status,omitempty"`
}

// IPPoolSpec is the wanted pool.
type IPPoolSpec struct {
	Description string          `json:"description,omitempty"`
	Ranges      []IPPoolRange   `json:"ranges"`
	Selector    *IPPoolSelector `json:"selector,omitempty"`
}

// IPPoolRange is a range of addresses. Only the subnet is needed.
type IPPoolRange struct {
	Subnet     string `json:"subnet"`
	RangeStart string `json:"rangeStart,omitempty"`
	RangeEnd   string `json:"rangeEnd,omitempty"`
	Gateway    string `json:"gateway,omitempty"`
}

// IPPoolSelector says which load balancers a pool is for.
type IPPoolSelector struct {
	Priority int64         `json:"priority,omitempty"`
	Network  string        `json:"network,omitempty"` // namespace/name
	Scope    []IPPoolScope `json:"scope,omitempty"`
}

// IPPoolScope is one kind of load balancers; "*" matches all.
type IPPoolScope struct {
	Project      string `json:"project,omitempty"`
	Namespace    string `json:"namespace,omitempty"`
	GuestCluster string `json:"guestCluster,omitempty"`
}

// IPPoolStatus tells what is given away. Allocated maps addresses to the namespace/name of their load balancers.
type IPPoolStatus struct {
	Total         int64             `json:"total,omitempty"`
	Available     int64             `json:"available,omitempty"`
	LastAllocated string            `json:"lastAllocated,omitempty"`
	Allocated     map[string]string `json:"allocated,omitempty"`
	Conditions    []Condition       `json:"conditions,omitempty"`
}

// LoadBalancer gives virtual machines or a guest cluster an address.
type LoadBalancer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   LoadBalancerSpec   `json:"spec"`
	Status LoadBalancerStatus `json:"status,omitempty"`
}

// LoadBalancerSpec is the wanted load balancer.
type LoadBalancerSpec struct {
	Description           string               `json:"description,omitempty"`
	WorkloadType          string               `json:"workloadType,omitempty"` // vm or cluster
	IPAM                  string               `json:"ipam,omitempty"`         // pool or dhcp
	IPPool                string               `json:"ipPool,omitempty"`
	Listeners             []BalancerListener   `json:"listeners,omitempty"`
	BackendServerSelector map[string][]string  `json:"backendServerSelector,omitempty"`
	HealthCheck           *BalancerHealthCheck `json:"healthCheck,omitempty"`
}

// BalancerListener is a port of a load balancer.
type BalancerListener struct {
	Name        string `json:"name"`
	Port        int64  `json:"port"`
	Protocol    string `json:"protocol"`
	BackendPort int64  `json:"backendPort"`
}

// BalancerHealthCheck is how backends are probed. Times are in seconds.
type BalancerHealthCheck struct {
	Port             int64 `json:"port,omitempty"`
	SuccessThreshold int64 `json:"successThreshold,omitempty"`
	FailureThreshold int64 `json:"failureThreshold,omitempty"`
	PeriodSeconds    int64 `json:"periodSeconds,omitempty"`
	TimeoutSeconds   int64 `json:"timeoutSeconds,omitempty"`
}

// LoadBalancerStatus is what the service has made of it.
type LoadBalancerStatus struct {
	Address          string          `json:"address,omitempty"` // of the service; only for virtual machines
	AllocatedAddress BalancerAddress `json:"allocatedAddress,omitempty"`
	BackendServers   []string        `json:"backendServers,omitempty"`
	Conditions       []Condition     `json:"conditions,omitempty"`
}

// BalancerAddress is what a pool has given. With DHCP the IP is 0.0.0.0.
type BalancerAddress struct {
	IPPool  string `json:"ipPool,omitempty"`
	IP      string `json:"ip,omitempty"`
	Mask    string `json:"mask,omitempty"`
	Gateway string `json:"gateway,omitempty"`
}

// ConditionOf is the condition of that type; nil if there is none.
func ConditionOf(conditions []Condition, kind string) *Condition {
	for i := range conditions {
		if conditions[i].Type == kind {
			return &conditions[i]
		}
	}
	return nil
}
