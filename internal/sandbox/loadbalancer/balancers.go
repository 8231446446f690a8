// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/intstr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// What keeps a load balancer from being ready, in the words of its condition.
var (
	errNoPool    = errors.New("no matched IPPool")
	errNoAddress = errors.New("service is waiting for external IP")
	errNoBackend = errors.New("no running backend servers")
	errUnhealthy = errors.New("running backend servers are not probed as healthy")
	errNoIP      = errors.New("running backend servers have no IP")
)

// again is when a load balancer that waits is looked at again.
const again = time.Second

func (l *LoadBalancer) reconcileBalancer(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object, b := blank(balancerKind), &balancer{}
	if err := l.api.Get(ctx, request.NamespacedName, object); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if err := decode(object.Object, b); err != nil {
		return reconcile.Result{}, err
	}
	switch {
	case b.DeletionTimestamp != nil:
		return reconcile.Result{}, l.removeBalancer(ctx, object, b)
	case controllerutil.AddFinalizer(object, finalizerOfBalancers):
		return reconcile.Result{}, l.api.Update(ctx, object)
	}
	status := b.Status
	err := l.ensure(ctx, b, &status)
	if apierrors.IsConflict(err) {
		return reconcile.Result{}, err
	}
	problem, result := "", reconcile.Result{}
	if err != nil {
		problem = err.Error()
		if !errors.Is(err, errNoBackend) && !errors.Is(err, errNoIP) {
			result.RequeueAfter = again
		}
	}
	status.Conditions = ready(b.Status.Conditions, problem)
	if reflect.DeepEqual(status, b.Status) {
		return result, nil
	}
	if err := withStatus(object, &status); err != nil {
		return result, err
	}
	return result, l.api.Update(ctx, object)
}

// removeBalancer gives the address back only if ipam says pool in so many words: without, it is lost.
func (l *LoadBalancer) removeBalancer(ctx context.Context, object *unstructured.Unstructured, b *balancer) error {
	if !controllerutil.ContainsFinalizer(object, finalizerOfBalancers) {
		return nil
	}
	if b.Spec.IPAM == ipamPool && b.Status.AllocatedAddress.IPPool != "" {
		if err := l.release(b.Status.AllocatedAddress.IPPool, b.Namespace+"/"+b.Name); err != nil {
			return fmt.Errorf("fail to release ip %s, error: %w", b.Status.AllocatedAddress.IP, err)
		}
	}
	controllerutil.RemoveFinalizer(object, finalizerOfBalancers)
	return l.api.Update(ctx, object)
}

// ensure works on a load balancer. It goes by the status before, so that one step after the other is seen.
func (l *LoadBalancer) ensure(ctx context.Context, b *balancer, status *balancerStatus) error {
	if err := l.ensureAllocated(ctx, b, status); err != nil {
		return err
	}
	if b.Spec.WorkloadType == workloadCluster {
		return nil
	}
	if err := l.ensureService(ctx, b); err != nil {
		return err
	}
	var err error
	if status.Address, err = l.external(ctx, b); err != nil {
		return err
	}
	return l.ensureBackends(ctx, b, status)
}

func (l *LoadBalancer) ensureAllocated(ctx context.Context, b *balancer, status *balancerStatus) error {
	have, holder := b.Status.AllocatedAddress, b.Namespace+"/"+b.Name
	switch {
	case b.Spec.IPAM == ipamDHCP:
		if have.IP != askDHCP {
			status.AllocatedAddress = address{IP: askDHCP}
		}
		return nil
	case b.Spec.IPPool != "" && have.IPPool != "" && have.IPPool != b.Spec.IPPool:
		if err := l.release(have.IPPool, holder); err != nil {
			return fmt.Errorf("fail to release ip %s to pool %s, error: %w", have.IP, b.Spec.IPPool, err)
		}
		status.AllocatedAddress = address{}
		return nil
	case have.IPPool != "":
		return nil
	}
	name, err := l.poolFor(ctx, b)
	if err != nil {
		return err
	}
	config, err := l.allocate(ctx, name, holder)
	if err != nil {
		return err
	}
	status.AllocatedAddress = address{
		IPPool: name, IP: config.Address.IP.String(), Mask: net.IP(config.Address.Mask).String(), Gateway: config.Gateway.String(),
	}
	return nil
}

func (l *LoadBalancer) poolFor(ctx context.Context, b *balancer) (string, error) {
	if b.Spec.IPPool != "" {
		return b.Spec.IPPool, nil
	}
	pools, err := l.pools(ctx)
	if err != nil {
		return "", err
	}
	r := requirement{b.Annotations[annotationNetwork], b.Annotations[annotationProject], b.Annotations[annotationNamespace], b.Annotations[annotationCluster]}
	if r.Namespace == "" {
		r.Namespace = b.Namespace
	}
	name := choose(pools, r, false)
	if name == "" && b.Spec.WorkloadType == workloadCluster {
		name = choose(pools, r, true)
	}
	if name == "" {
		return "", fmt.Errorf("%w with requirement %+v", errNoPool, &r)
	}
	return name, nil
}

// ensureService makes the service of the load balancer's name, or takes the one that has it.
func (l *LoadBalancer) ensureService(ctx context.Context, b *balancer) error {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: b.Namespace, Name: b.Name}}
	_, err := controllerutil.CreateOrUpdate(ctx, l.api, service, func() error {
		if service.CreationTimestamp.IsZero() {
			service.Labels = map[string]string{labelService: "true"}
			service.OwnerReferences = ownedBy(b)
			service.Spec.Type = corev1.ServiceTypeLoadBalancer
		}
		service.Spec.LoadBalancerIP = b.Status.AllocatedAddress.IP
		if b.Spec.IPAM == ipamDHCP {
			service.Spec.LoadBalancerIP = askDHCP
		}
		before := map[string]int32{}
		for _, port := range service.Spec.Ports {
			before[port.Name] = port.NodePort
		}
		service.Spec.Ports = nil
		for _, one := range b.Spec.Listeners {
			service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{
				Name: one.Name, Protocol: corev1.Protocol(one.Protocol), Port: int32(one.Port),
				TargetPort: intstr.FromInt32(int32(one.BackendPort)), NodePort: before[one.Name],
			})
		}
		return nil
	})
	return err
}

func ownedBy(b *balancer) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: version.String(), Kind: balancerKind.Kind, Name: b.Name, UID: b.UID}}
}

// external is the address that kube-vip has given to the service.
func (l *LoadBalancer) external(ctx context.Context, b *balancer) (string, error) {
	service := &corev1.Service{}
	if err := l.api.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: b.Name}, service); err != nil {
		return "", err
	}
	if len(service.Status.LoadBalancer.Ingress) == 0 {
		return "", errNoAddress
	}
	return service.Status.LoadBalancer.Ingress[0].IP, nil
}

// backends are the instances that a load balancer selects.
func (l *LoadBalancer) backends(ctx context.Context, b *balancer) (found []kubevirtv1.VirtualMachineInstance, err error) {
	if len(b.Spec.BackendServerSelector) == 0 {
		return nil, nil
	}
	chosen := labels.NewSelector()
	for key, values := range b.Spec.BackendServerSelector {
		one, err := labels.NewRequirement(key, selection.In, values)
		if err != nil {
			return nil, fmt.Errorf("fail to new selector, error: %w", err)
		}
		chosen = chosen.Add(*one)
	}
	var instances kubevirtv1.VirtualMachineInstanceList
	if err := l.api.List(ctx, &instances, client.InNamespace(b.Namespace), client.MatchingLabelsSelector{Selector: chosen}); err != nil {
		return nil, fmt.Errorf("fail to list vmi per selector, error: %w", err)
	}
	for _, instance := range instances.Items {
		if instance.DeletionTimestamp == nil {
			found = append(found, instance)
		}
	}
	return found, nil
}

// ensureBackends fills the endpoints of the service. Health checks always succeed, unless a fault says otherwise.
func (l *LoadBalancer) ensureBackends(ctx context.Context, b *balancer, status *balancerStatus) error {
	instances, err := l.backends(ctx, b)
	if err != nil {
		return err
	}
	healthy := b.Spec.HealthCheck == nil || b.Spec.HealthCheck.Port == 0 || !l.faults.For(b.Namespace, b.Name).Unhealthy
	status.BackendServers = nil
	for i := range instances {
		if address := addressOf(&instances[i]); address != "" {
			status.BackendServers = append(status.BackendServers, address)
		}
	}
	if err := l.ensureEndpoints(ctx, b, instances, healthy); err != nil {
		return err
	}
	switch {
	case len(instances) == 0:
		return errNoBackend
	case len(status.BackendServers) == 0:
		return errNoIP
	case !healthy:
		return fmt.Errorf("%w total:%v, healthy:0", errUnhealthy, len(status.BackendServers))
	}
	return nil
}

// addressOf is the first IPv4 address of an instance; "" if it has none.
func addressOf(instance *kubevirtv1.VirtualMachineInstance) string {
	for _, network := range instance.Status.Interfaces {
		if ip := net.ParseIP(network.IP); ip.To4() != nil {
			return network.IP
		}
	}
	return ""
}
