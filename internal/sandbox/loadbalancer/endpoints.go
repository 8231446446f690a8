// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

// A service whose endpoints are all away would lead to the node itself, so one that nobody answers at takes their place.
const (
	nobodyAddress = "10.52.0.255"
	nobodyUID     = "dummy347-546a-4642-9da6-5608endpoint"
)

// ensureEndpoints makes the endpoints of a load balancer's service.
func (l *LoadBalancer) ensureEndpoints(ctx context.Context, b *balancer, instances []kubevirtv1.VirtualMachineInstance, healthy bool) error {
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: b.Name}}
	_, err := controllerutil.CreateOrUpdate(ctx, l.api, slice, func() error {
		if slice.CreationTimestamp.IsZero() {
			slice.Labels = map[string]string{labelService: "true", discoveryv1.LabelServiceName: b.Name}
			slice.OwnerReferences = ownedBy(b)
			slice.AddressType = discoveryv1.AddressTypeIPv4
		}
		slice.Ports, slice.Endpoints = ports(b), endpoints(b, instances, healthy)
		return nil
	})
	return err
}

func ports(b *balancer) (ports []discoveryv1.EndpointPort) {
	for _, one := range b.Spec.Listeners {
		protocol, port := corev1.Protocol(one.Protocol), int32(one.BackendPort)
		ports = append(ports, discoveryv1.EndpointPort{Name: &one.Name, Protocol: &protocol, Port: &port})
	}
	return ports
}

func endpoints(b *balancer, instances []kubevirtv1.VirtualMachineInstance, healthy bool) (all []discoveryv1.Endpoint) {
	endpoint := func(address string, target corev1.ObjectReference, ready bool) {
		all = append(all, discoveryv1.Endpoint{
			Addresses: []string{address}, TargetRef: &target, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	for i := range instances {
		if address := addressOf(&instances[i]); address != "" {
			endpoint(address, corev1.ObjectReference{Namespace: instances[i].Namespace, Name: instances[i].Name, UID: instances[i].UID}, healthy)
		}
	}
	if len(all) == 0 || !healthy {
		endpoint(nobodyAddress, corev1.ObjectReference{Namespace: b.Namespace, Name: b.Name, UID: nobodyUID}, true)
	}
	return all
}
