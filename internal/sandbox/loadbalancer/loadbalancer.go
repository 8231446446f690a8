// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package loadbalancer simulates Harvester's service for load balancers and pools of addresses, and kube-vip, which gives
// load balancers their addresses. It is written after load-balancer-harvester v1.8.1 (pkg/webhook, pkg/controller, pkg/ipam,
// pkg/lb/servicelb), whose module cannot be had. Addresses are given away by the same library, host-local of the CNI plugins.
//
// Two things differ from life: nothing listens at the addresses, and no backend is probed; all of them are healthy, unless
// a fault says otherwise.
package loadbalancer

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

var scheme = manager.Scheme(corev1.AddToScheme, discoveryv1.AddToScheme, kubevirtv1.AddToScheme)

// Options is what a LoadBalancer needs.
type Options struct {
	// Config reaches the Kubernetes API.
	Config *rest.Config
	// Faults says what goes wrong.
	Faults *faults.Switch
	// Log is where it logs. Without it, it does not.
	Log *slog.Logger
	// Pace says how fast it works.
	Pace pace.Pace
}

// LoadBalancer simulates load balancers and pools.
type LoadBalancer struct {
	config *rest.Config
	api    client.Client
	faults *faults.Switch
	log    *slog.Logger
	pace   pace.Pace
	ctx    context.Context // the allocator's store has none

	mu         sync.Mutex
	allocators allocators
}

// New returns a LoadBalancer that does nothing until it is run.
func New(options Options) (*LoadBalancer, error) {
	api, err := manager.Client(options.Config, scheme)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &LoadBalancer{
		config: options.Config, api: api, faults: options.Faults, log: manager.Log(options.Log), pace: options.Pace,
		ctx: context.Background(), allocators: allocators{},
	}, nil
}

// Run works until ctx ends.
func (l *LoadBalancer) Run(ctx context.Context) error {
	run, err := manager.New(l.config, scheme, l.log)
	if err != nil {
		return err
	}
	err = builder.ControllerManagedBy(run).Named("pools").
		For(blank(poolKind)).
		Complete(manager.Reconciler(l.reconcilePool))
	if err != nil {
		return fmt.Errorf("controller of pools: %w", err)
	}
	err = builder.ControllerManagedBy(run).Named("load balancers").
		For(blank(balancerKind)).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(balancerOf)).
		Watches(&kubevirtv1.VirtualMachineInstance{}, handler.EnqueueRequestsFromMapFunc(l.balancersBeside)).
		Complete(manager.Reconciler(l.reconcileBalancer))
	if err != nil {
		return fmt.Errorf("controller of load balancers: %w", err)
	}
	err = builder.ControllerManagedBy(run).Named("kube-vip").
		For(&corev1.Service{}).
		Complete(manager.Reconciler(l.reconcileService))
	if err != nil {
		return fmt.Errorf("kube-vip: %w", err)
	}
	return run.Start(ctx)
}

// balancerOf is the load balancer that a service belongs to.
func balancerOf(_ context.Context, service client.Object) []reconcile.Request {
	if service.GetLabels()[labelService] != "true" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(service)}}
}

// balancersBeside are those in the namespace of an instance, which may be a backend.
func (l *LoadBalancer) balancersBeside(ctx context.Context, instance client.Object) (requests []reconcile.Request) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(balancerKind)
	if err := l.api.List(ctx, list, client.InNamespace(instance.GetNamespace())); err != nil {
		l.log.Error("list load balancers", "error", err)
	}
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{
			Namespace: list.Items[i].GetNamespace(), Name: list.Items[i].GetName(),
		}})
	}
	return requests
}
