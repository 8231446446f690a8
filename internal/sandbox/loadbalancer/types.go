// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group is the API group of load balancers and pools.
const Group = "loadbalancer.harvesterhci.io"

var (
	version      = schema.GroupVersion{Group: Group, Version: "v1beta1"}
	poolKind     = version.WithKind("IPPool")
	balancerKind = version.WithKind("LoadBalancer")
)

// Labels and annotations of the service.
const (
	labelVLAN            = Group + "/vid"
	labelGlobal          = Group + "/global-ip-pool"
	labelService         = Group + "/servicelb"
	annotationNamespace  = Group + "/namespace"
	annotationProject    = Group + "/project"
	annotationNetwork    = Group + "/network"
	annotationCluster    = Group + "/cluster"
	annotationRelease    = Group + "/manuallyReleaseIP"
	annotationProjectID  = "field.cattle.io/projectId"
	labelCreator         = "harvesterhci.io/creator"
	creatorOfGuests      = "docker-machine-driver-harvester"
	labelClusterOfVM     = "guestcluster.harvesterhci.io/name"
	labelClusterOfLB     = "cloudprovider.harvesterhci.io/cluster"
	annotationOnRemoval  = "harvesterhci.io/removeAllPersistentVolumeClaims"
	labelVLANOfNetwork   = "network.harvesterhci.io/vlan-id"
	finalizerOfPools     = "wrangler.cattle.io/harvester-ipam-controller"
	finalizerOfBalancers = "wrangler.cattle.io/harvester-lb-controller"
)

// Values of a load balancer's workloadType and ipam.
const (
	workloadVM      = "vm"
	workloadCluster = "cluster"
	ipamPool        = "pool"
	ipamDHCP        = "dhcp"
)

// askDHCP is the address that makes kube-vip ask a DHCP server for one.
const askDHCP = "0.0.0.0"

type pool struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              poolSpec   `json:"spec"`
	Status            poolStatus `json:"status"`
}

type poolSpec struct {
	Ranges   []addressRange `json:"ranges"`
	Selector selector       `json:"selector"`
}

type addressRange struct {
	RangeStart string `json:"rangeStart,omitempty"`
	RangeEnd   string `json:"rangeEnd,omitempty"`
	Subnet     string `json:"subnet"`
	Gateway    string `json:"gateway,omitempty"`
}

type selector struct {
	Priority int64   `json:"priority"`
	Network  string  `json:"network"`
	Scope    []scope `json:"scope"`
}

type scope struct {
	Project      string `json:"project"`
	Namespace    string `json:"namespace"`
	GuestCluster string `json:"guestCluster"`
}

type poolStatus struct {
	Total            int64             `json:"total"`
	Available        int64             `json:"available"`
	LastAllocated    string            `json:"lastAllocated"`
	Allocated        map[string]string `json:"allocated,omitempty"`
	AllocatedHistory map[string]string `json:"allocatedHistory,omitempty"`
	Conditions       []condition       `json:"conditions,omitempty"`
}

type balancer struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              balancerSpec   `json:"spec"`
	Status            balancerStatus `json:"status"`
}

type balancerSpec struct {
	WorkloadType          string              `json:"workloadType,omitempty"`
	IPAM                  string              `json:"ipam,omitempty"`
	IPPool                string              `json:"ipPool,omitempty"`
	Listeners             []listener          `json:"listeners,omitempty"`
	BackendServerSelector map[string][]string `json:"backendServerSelector,omitempty"`
	HealthCheck           *healthCheck        `json:"healthCheck,omitempty"`
}

type listener struct {
	Name        string `json:"name"`
	Port        int64  `json:"port"`
	Protocol    string `json:"protocol"`
	BackendPort int64  `json:"backendPort"`
}

type healthCheck struct {
	Port             int64 `json:"port,omitempty"`
	SuccessThreshold int64 `json:"successThreshold,omitempty"`
	FailureThreshold int64 `json:"failureThreshold,omitempty"`
	PeriodSeconds    int64 `json:"periodSeconds,omitempty"`
	TimeoutSeconds   int64 `json:"timeoutSeconds,omitempty"`
}

type balancerStatus struct {
	AllocatedAddress address     `json:"allocatedAddress"`
	Address          string      `json:"address,omitempty"`
	BackendServers   []string    `json:"backendServers,omitempty"`
	Conditions       []condition `json:"conditions,omitempty"`
}

type address struct {
	IPPool  string `json:"ipPool,omitempty"`
	IP      string `json:"ip,omitempty"`
	Mask    string `json:"mask,omitempty"`
	Gateway string `json:"gateway,omitempty"`
}

type condition struct {
	Type           string `json:"type"`
	Status         string `json:"status"`
	LastUpdateTime string `json:"lastUpdateTime,omitempty"`
	Reason         string `json:"reason,omitempty"`
	Message        string `json:"message,omitempty"`
}

// ready sets the condition Ready: a problem, or none.
func ready(conditions []condition, problem string) []condition {
	status := "True"
	if problem != "" {
		status = "False"
	}
	for i := range conditions {
		if c := conditions[i]; c.Type == "Ready" {
			if c.Status == status && c.Message == problem {
				return conditions
			}
		}
	}
	return []condition{{Type: "Ready", Status: status, Message: problem, LastUpdateTime: time.Now().UTC().Format(time.RFC3339)}}
}

// blank is an object to read into.
func blank(kind schema.GroupVersionKind) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object
}

// decode reads what is known of an object.
func decode(object map[string]any, into any) error {
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, into); err != nil {
		return fmt.Errorf("not readable: %w", err)
	}
	return nil
}

// withStatus puts a status into an object.
func withStatus(object *unstructured.Unstructured, status any) error {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(status)
	if err != nil {
		return err
	}
	object.Object["status"] = content
	return nil
}
