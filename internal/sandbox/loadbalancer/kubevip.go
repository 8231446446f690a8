// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"context"
	"fmt"
	"hash/fnv"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// reconcileService gives a service the address that it asks for, as kube-vip does. A service without one waits.
func (l *LoadBalancer) reconcileService(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	service := &corev1.Service{}
	if err := l.api.Get(ctx, request.NamespacedName, service); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	address := leased(service)
	have := service.Status.LoadBalancer.Ingress
	if address == "" || len(have) == 1 && have[0].IP == address {
		return reconcile.Result{}, nil
	}
	if l.faults.For(service.Namespace, service.Name).Idle {
		return reconcile.Result{RequeueAfter: again}, nil
	}
	if !pace.Wait(ctx, l.pace.Provision()) {
		return reconcile.Result{}, nil
	}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
	return reconcile.Result{}, l.api.Status().Update(ctx, service)
}

// leased is the address for a service: the one it asks for, or what a DHCP server would give; "" if it asks for none.
func leased(service *corev1.Service) string {
	switch {
	case service.Spec.Type != corev1.ServiceTypeLoadBalancer, service.DeletionTimestamp != nil:
		return ""
	case service.Spec.LoadBalancerIP != askDHCP:
		return service.Spec.LoadBalancerIP
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(service.UID)) // it never fails
	return fmt.Sprintf("198.51.100.%d", 10+sum.Sum32()%200)
}
