// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"

	"github.com/containernetworking/plugins/plugins/ipam/host-local/backend/allocator"
	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/admission"
)

const webhookName = "harvester-load-balancer-webhook"

// Webhooks are those for pools and load balancers.
func (l *LoadBalancer) Webhooks() *admission.Service {
	kinds := func(pools, balancers admission.Judge, operations ...registrationv1.OperationType) []admission.Resource {
		return []admission.Resource{
			{Group: Group, Version: version.Version, Name: "ippools", Operations: operations, Judge: pools},
			{Group: Group, Version: version.Version, Name: "loadbalancers", Namespaced: true, Operations: operations, Judge: balancers},
		}
	}
	return &admission.Service{
		Faults: l.faults,
		Mutating: admission.Webhook{
			Configuration: webhookName, Name: "mutator.harvester-system." + webhookName, Path: "/loadbalancer/mutation", Lenient: true,
			Resources: kinds(l.mutatePool, l.mutateBalancer, registrationv1.Create, registrationv1.Update),
		},
		Validating: admission.Webhook{
			Configuration: webhookName, Name: "validator.harvester-system." + webhookName, Path: "/loadbalancer/validation",
			Resources: kinds(l.validatePool, l.validateBalancer, registrationv1.Create, registrationv1.Update, registrationv1.Delete),
		},
	}
}

// read decodes the object of a request, and the one before it if there is one. What is being deleted may change in any way.
func read[T any](request *admissionv1.AdmissionRequest) (object, before *T, err error) {
	raws := map[**T][]byte{&object: request.Object.Raw, &before: request.OldObject.Raw}
	for into, raw := range raws {
		if len(raw) == 0 {
			continue
		}
		*into = new(T)
		var content map[string]any
		if err := json.Unmarshal(raw, &content); err != nil {
			return nil, nil, err
		}
		if err := decode(content, *into); err != nil {
			return nil, nil, err
		}
	}
	return object, before, nil
}

// mutatePool labels a pool with the VLAN of its network and with whether it is the global one.
func (l *LoadBalancer) mutatePool(ctx context.Context, request *admissionv1.AdmissionRequest) ([]admission.Operation, error) {
	p, _, err := read[pool](request)
	if err != nil || p.DeletionTimestamp != nil {
		return nil, err
	}
	vlan, err := l.vlan(ctx, p.Spec.Selector.Network)
	if err != nil {
		return nil, becauseOf(request, p.Name, err)
	}
	return merged("/metadata/labels", p.Labels, map[string]string{labelVLAN: strconv.Itoa(vlan), labelGlobal: strconv.FormatBool(p.global())}), nil
}

// merged adds values to a map of an object, if it has not got all of them.
func merged(path string, have, more map[string]string) []admission.Operation {
	all, changed := map[string]string{}, false
	maps.Copy(all, have)
	for key, value := range more {
		changed = changed || all[key] != value
		all[key] = value
	}
	if !changed {
		return nil
	}
	return []admission.Operation{{Op: "add", Path: path, Value: all}}
}

func (l *LoadBalancer) vlan(ctx context.Context, network string) (int, error) {
	if network == "" {
		return 0, nil
	}
	namespace, name, found := strings.Cut(network, "/")
	if !found || strings.Contains(name, "/") {
		return 0, fmt.Errorf("invalid network %s", network)
	}
	nad := blank(schema.GroupVersionKind{Group: "k8s.cni.cncf.io", Version: "v1", Kind: "NetworkAttachmentDefinition"})
	if err := l.api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, nad); err != nil {
		return 0, err
	}
	if text, has := nad.GetLabels()[labelVLANOfNetwork]; has {
		vlan, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("invalid vlan %s", text)
		}
		return vlan, nil
	}
	config, _, _ := unstructured.NestedString(nad.Object, "spec", "config")
	var parsed struct {
		VLAN int `json:"vlan"`
	}
	err := json.Unmarshal([]byte(config), &parsed)
	return parsed.VLAN, err
}

func becauseOf(request *admissionv1.AdmissionRequest, name string, err error) error {
	return fmt.Errorf("can't %s IP pool %s because %w", strings.ToLower(string(request.Operation)), name, err)
}

func (l *LoadBalancer) validatePool(ctx context.Context, request *admissionv1.AdmissionRequest) ([]admission.Operation, error) {
	p, before, err := read[pool](request)
	switch {
	case err != nil:
		return nil, err
	case request.Operation == admissionv1.Delete && len(before.Status.Allocated) > 0:
		return nil, errors.New("can't delete pool before releasing all the allocated IP")
	case request.Operation == admissionv1.Delete, p.DeletionTimestamp != nil:
		return nil, nil
	}
	others, err := l.pools(ctx)
	if err == nil {
		err = judgePool(p, others)
	}
	if err != nil {
		return nil, becauseOf(request, p.Name, err)
	}
	return nil, nil
}

// judgePool checks a pool by itself and against the others.
func judgePool(p *pool, pools []pool) error {
	set, err := rangeSet(p.Spec.Ranges)
	if err != nil {
		return err
	}
	for i := range set {
		for j := i + 1; j < len(set); j++ {
			if set[i].Overlaps(&set[j]) {
				return fmt.Errorf("there are overlaps between range %+v and %+v", set[i], set[j])
			}
		}
	}
	for _, other := range pools {
		if other.Name == p.Name {
			continue
		}
		theirs, err := rangeSet(other.Spec.Ranges)
		if err != nil {
			return err
		}
		if set.Overlaps(&theirs) {
			return fmt.Errorf("the ranges %+v overlap with other pools", set)
		}
	}
	if err := keepsAllocated(set, p.Status.Allocated); err != nil {
		return err
	}
	return judgeSelector(p, pools)
}

func keepsAllocated(set allocator.RangeSet, allocated map[string]string) error {
	for text := range allocated {
		address := net.ParseIP(text)
		if address == nil {
			return fmt.Errorf("invalid ip string %s", text)
		}
		if !set.Contains(address) {
			return fmt.Errorf("allocated IP %s is excluded", text)
		}
	}
	return nil
}

func judgeSelector(p *pool, pools []pool) error {
	if p.global() {
		for _, other := range pools {
			if other.Name != p.Name && other.Labels[labelGlobal] == "true" {
				return fmt.Errorf("there is already a global IP pool: %s", other.Name)
			}
		}
		return nil
	}
	mine := p.Spec.Selector
	for i, s := range mine.Scope {
		rest := selector{Network: mine.Network, Scope: mine.Scope[i+1:]}
		if rest.matches(requirement{mine.Network, s.Project, s.Namespace, s.GuestCluster}, false) {
			return fmt.Errorf("selector %+v is invalid: scope overlaps", mine)
		}
	}
	for _, other := range pools {
		if other.Name == p.Name || other.global() {
			continue
		}
		if err := judgePriority(mine, &other); err != nil {
			return err
		}
	}
	return nil
}

func judgePriority(mine selector, other *pool) error {
	theirs := other.Spec.Selector
	if theirs.Priority != mine.Priority {
		return nil
	}
	if theirs.Priority != 0 {
		return fmt.Errorf("the priority can't be the same as the pool %s", other.Name)
	}
	for _, s := range mine.Scope {
		if theirs.matches(requirement{mine.Network, s.Project, s.Namespace, s.GuestCluster}, false) {
			return fmt.Errorf("scope selector is same as the pool %s with priority 0 Project %v Namespace %v GuestCluster %v, set a different priority or scope",
				other.Name, s.Project, s.Namespace, s.GuestCluster)
		}
	}
	return nil
}

// mutateBalancer notes what a pool is chosen by, and fills in the health check. Without a workload type it takes the load
// balancer for one of a guest cluster.
func (l *LoadBalancer) mutateBalancer(ctx context.Context, request *admissionv1.AdmissionRequest) ([]admission.Operation, error) {
	b, _, err := read[balancer](request)
	if err != nil || b.DeletionTimestamp != nil {
		return nil, err
	}
	notes := map[string]string{annotationNamespace: b.Namespace}
	if b.Spec.WorkloadType != workloadVM {
		if notes[annotationProject], err = l.project(ctx, b.Namespace); err != nil {
			return nil, err
		}
		if notes[annotationNetwork], err = l.network(ctx, b); err != nil {
			return nil, err
		}
	}
	patch := merged("/metadata/annotations", b.Annotations, notes)
	if filled := b.Spec.HealthCheck.filled(); filled != nil {
		patch = append(patch, admission.Operation{Op: "replace", Path: "/spec/healthCheck", Value: filled})
	}
	return patch, nil
}

func (l *LoadBalancer) project(ctx context.Context, namespace string) (string, error) {
	found := &corev1.Namespace{}
	if err := l.api.Get(ctx, types.NamespacedName{Name: namespace}, found); err != nil {
		return "", fmt.Errorf("get namespace %s failed, error: %w", namespace, err)
	}
	return strings.Replace(found.Annotations[annotationProjectID], ":", "/", 1), nil
}

// network is that of the first instance of a guest cluster.
func (l *LoadBalancer) network(ctx context.Context, b *balancer) (string, error) {
	cluster := b.Annotations[annotationCluster]
	if b.Spec.WorkloadType != workloadCluster || cluster == "" {
		return "", nil
	}
	var instances kubevirtv1.VirtualMachineInstanceList
	if err := l.api.List(ctx, &instances, client.InNamespace(b.Namespace), client.MatchingLabels{labelCreator: creatorOfGuests}); err != nil {
		return "", err
	}
	for _, instance := range instances.Items {
		if !strings.HasPrefix(instance.Name, cluster) {
			continue
		}
		for _, network := range instance.Spec.Networks {
			if network.Multus != nil {
				return network.Multus.NetworkName, nil
			}
		}
	}
	return "", nil
}

// filled is the health check with its defaults; nil if nothing is missing.
func (h *healthCheck) filled() *healthCheck {
	if h == nil || h.Port == 0 {
		return nil
	}
	full, missing := *h, false
	for field, value := range map[*int64]int64{&full.SuccessThreshold: 2, &full.FailureThreshold: 2, &full.PeriodSeconds: 1, &full.TimeoutSeconds: 1} {
		if *field == 0 {
			*field, missing = value, true
		}
	}
	if !missing {
		return nil
	}
	return &full
}

func (l *LoadBalancer) validateBalancer(ctx context.Context, request *admissionv1.AdmissionRequest) ([]admission.Operation, error) {
	b, before, err := read[balancer](request)
	if err != nil || request.Operation == admissionv1.Delete || b.DeletionTimestamp != nil {
		return nil, err
	}
	during := fmt.Sprintf("%s loadbalancer %s/%s failed", strings.ToLower(string(request.Operation)), b.Namespace, b.Name)
	if err := judgeListeners(b); err != nil {
		return nil, fmt.Errorf("%s: %w", during, err)
	}
	if err := judgeHealthCheck(b); err != nil {
		return nil, fmt.Errorf("%s with healthyCheck: %w", during, err)
	}
	if before == nil {
		if err := l.judgeGuestCluster(ctx, b); err != nil {
			return nil, fmt.Errorf("%s with guest cluster check: %w", during, err)
		}
		return nil, nil
	}
	for _, kept := range []struct{ what, odd, was, is string }{
		{"IPAM", ipamDHCP, before.Spec.IPAM, b.Spec.IPAM}, {"WorkloadType", workloadCluster, before.Spec.WorkloadType, b.Spec.WorkloadType},
	} {
		if (kept.was == kept.odd) != (kept.is == kept.odd) {
			return nil, fmt.Errorf("%s: can't change the %s from %v to %v", during, kept.what, kept.was, kept.is)
		}
	}
	return nil, nil
}

func judgeListeners(b *balancer) error {
	if b.Spec.WorkloadType == workloadCluster {
		return nil
	}
	if len(b.Spec.Listeners) == 0 {
		return errors.New("the loadbalancer needs to have at least one listener")
	}
	names, ports, backends := map[string]bool{}, map[string]string{}, map[string]string{}
	for _, one := range b.Spec.Listeners {
		port, backend := fmt.Sprintf("%s:%v", one.Protocol, one.Port), fmt.Sprintf("%s:%v", one.Protocol, one.BackendPort)
		if names[one.Name] {
			return fmt.Errorf("listener has duplicate name %s", one.Name)
		}
		if other, taken := ports[port]; taken {
			return fmt.Errorf("listener %s has duplicate port %s with listener %s", one.Name, port, other)
		}
		if other, taken := backends[backend]; taken {
			return fmt.Errorf("listener %s has duplicate backend port %s with listener %s", one.Name, backend, other)
		}
		names[one.Name], ports[port], backends[backend] = true, one.Name, one.Name
	}
	for _, one := range b.Spec.Listeners {
		for what, port := range map[string]int64{"port": one.Port, "backend port": one.BackendPort} {
			switch {
			case port > 65535:
				return fmt.Errorf("listener %s %v must <= 65535", what, port)
			case port < 1:
				return fmt.Errorf("listener %s %v must >= 1", what, port)
			}
		}
	}
	return nil
}

func judgeHealthCheck(b *balancer) error {
	check := b.Spec.HealthCheck
	if b.Spec.WorkloadType == workloadCluster || check == nil || check.Port == 0 {
		return nil
	}
	otherProtocol := false
	for _, one := range b.Spec.Listeners {
		switch {
		case one.BackendPort != check.Port:
		case one.Protocol != "TCP":
			otherProtocol = true
		case check.SuccessThreshold == 0, check.FailureThreshold == 0, check.PeriodSeconds == 0, check.TimeoutSeconds == 0:
			return errors.New("healthcheck SuccessThreshold should > 0")
		default:
			return nil
		}
	}
	if otherProtocol {
		return fmt.Errorf("healthcheck port %v can only be a TCP backend port", check.Port)
	}
	return fmt.Errorf("healthcheck port %v is not in listener backend port list", check.Port)
}

// judgeGuestCluster refuses a load balancer of a guest cluster that is being removed.
func (l *LoadBalancer) judgeGuestCluster(ctx context.Context, b *balancer) error {
	cluster := b.Labels[labelClusterOfLB]
	if b.Spec.WorkloadType != workloadCluster || cluster == "" || cluster == "kubernetes" {
		return nil
	}
	var machines kubevirtv1.VirtualMachineList
	labels := client.MatchingLabels{labelCreator: creatorOfGuests, labelClusterOfVM: cluster}
	if err := l.api.List(ctx, &machines, client.InNamespace(b.Namespace), labels); err != nil {
		return fmt.Errorf("list vm from %s failed, error: %w", b.Namespace, err)
	}
	for _, machine := range machines.Items {
		if _, ending := machine.Annotations[annotationOnRemoval]; ending {
			return fmt.Errorf("the vm %s/%s shows guest cluster %s is being removed", machine.Namespace, machine.Name, cluster)
		}
	}
	return nil
}
