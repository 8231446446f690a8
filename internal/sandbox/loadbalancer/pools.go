// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"

	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/plugins/plugins/ipam/host-local/backend/allocator"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// allocators give away the addresses of the pools, by the pools' names.
type allocators map[string]*poolAllocator

type poolAllocator struct {
	*allocator.IPAllocator
	ranges string // that it was made of
}

// pools are all pools.
func (l *LoadBalancer) pools(ctx context.Context) ([]pool, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(poolKind)
	if err := l.api.List(ctx, list); err != nil {
		return nil, err
	}
	pools := make([]pool, len(list.Items))
	for i := range list.Items {
		if err := decode(list.Items[i].Object, &pools[i]); err != nil {
			return nil, err
		}
	}
	return pools, nil
}

func (l *LoadBalancer) pool(ctx context.Context, name string) (*unstructured.Unstructured, *pool, error) {
	object, p := blank(poolKind), &pool{}
	if err := l.api.Get(ctx, types.NamespacedName{Name: name}, object); err != nil {
		return nil, nil, err
	}
	return object, p, decode(object.Object, p)
}

func (l *LoadBalancer) reconcilePool(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	object, p, err := l.pool(ctx, request.Name)
	switch {
	case err != nil:
		return reconcile.Result{}, client.IgnoreNotFound(err)
	case p.DeletionTimestamp != nil:
		l.dropAllocator(p.Name)
		if controllerutil.RemoveFinalizer(object, finalizerOfPools) {
			return reconcile.Result{}, l.api.Update(ctx, object)
		}
		return reconcile.Result{}, nil
	case controllerutil.AddFinalizer(object, finalizerOfPools):
		return reconcile.Result{}, l.api.Update(ctx, object)
	case p.Annotations[annotationRelease] != "":
		return reconcile.Result{}, l.releaseByHand(ctx, object, p)
	}
	return reconcile.Result{}, l.refreshPool(ctx, object, p)
}

// refreshPool makes the allocator of a pool that is new or has other ranges, and counts its addresses.
func (l *LoadBalancer) refreshPool(ctx context.Context, object *unstructured.Unstructured, p *pool) error {
	text, _ := json.Marshal(p.Spec.Ranges) // it always encodes
	if l.allocator(p.Name) != nil && l.allocator(p.Name).ranges == string(text) {
		return nil
	}
	set, err := rangeSet(p.Spec.Ranges)
	if err != nil {
		return err
	}
	var total int64
	for i := range set {
		total += count(&set[i])
	}
	status := p.Status
	status.Total, status.Available, status.Conditions = total, total-int64(len(status.Allocated)), ready(status.Conditions, "")
	for address := range status.AllocatedHistory {
		if !set.Contains(net.ParseIP(address)) {
			delete(status.AllocatedHistory, address)
		}
	}
	if err := withStatus(object, &status); err != nil {
		return err
	}
	if err := l.api.Update(ctx, object); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.allocators[p.Name] = &poolAllocator{allocator.NewIPAllocator(&set, &store{l, p.Name}, 0), string(text)}
	return nil
}

func (l *LoadBalancer) allocator(pool string) *poolAllocator {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.allocators[pool]
}

func (l *LoadBalancer) dropAllocator(pool string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.allocators, pool)
}

// releaseByHand releases the address that an annotation names, as in "192.168.5.12: default/web", if its load balancer is gone.
func (l *LoadBalancer) releaseByHand(ctx context.Context, object *unstructured.Unstructured, p *pool) error {
	address, holder, _ := strings.Cut(p.Annotations[annotationRelease], ":")
	address, holder = strings.TrimSpace(address), strings.TrimSpace(holder)
	namespace, name, _ := strings.Cut(holder, "/")
	annotations := object.GetAnnotations()
	delete(annotations, annotationRelease)
	object.SetAnnotations(annotations)
	if holder != "" && p.Status.Allocated[address] == holder {
		err := l.api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, blank(balancerKind))
		switch {
		case apierrors.IsNotFound(err):
			p.Status.release(address)
			if err := withStatus(object, &p.Status); err != nil {
				return err
			}
		case err != nil:
			return err
		}
	}
	return l.api.Update(ctx, object)
}

func (s *poolStatus) release(address string) {
	if s.AllocatedHistory == nil {
		s.AllocatedHistory = map[string]string{}
	}
	s.AllocatedHistory[address] = s.Allocated[address]
	delete(s.Allocated, address)
	s.Available++
}

// allocate takes an address of a pool: the one that the holder had before, else the next free one.
func (l *LoadBalancer) allocate(ctx context.Context, name, holder string) (*current.IPConfig, error) {
	addresses := l.allocator(name)
	if addresses == nil {
		return nil, fmt.Errorf("fail to get allocator %s", name)
	}
	_, p, err := l.pool(ctx, name)
	if err != nil {
		return nil, err
	}
	var earlier net.IP
	for address, had := range p.Status.AllocatedHistory {
		if had == holder {
			earlier = net.ParseIP(address)
		}
	}
	config, err := addresses.Get(holder, "", earlier)
	if err != nil {
		return nil, fmt.Errorf("fail to get ip from pool %s, error: %w", name, err)
	}
	return config, nil
}

// release gives back what a holder has of a pool.
func (l *LoadBalancer) release(name, holder string) error {
	addresses := l.allocator(name)
	if addresses == nil {
		return fmt.Errorf("fail to get allocator %s", name)
	}
	return addresses.Release(holder, "")
}

// store is the state of an allocator: the status of its pool.
type store struct {
	of   *LoadBalancer
	name string
}

// Lock, Unlock and Close are for stores in files.
func (*store) Lock() error   { return nil }
func (*store) Unlock() error { return nil }
func (*store) Close() error  { return nil }

// Reserve notes that somebody has an address, unless somebody else has.
func (s *store) Reserve(id, _ string, ip net.IP, _ string) (reserved bool, err error) {
	err = s.change(func(status *poolStatus) bool {
		holder, taken := status.Allocated[ip.String()]
		reserved = !taken || holder == id
		if taken {
			return false
		}
		if status.Allocated == nil {
			status.Allocated = map[string]string{}
		}
		delete(status.AllocatedHistory, ip.String())
		status.Allocated[ip.String()], status.LastAllocated = id, ip.String()
		status.Available--
		return true
	})
	if err != nil {
		return false, fmt.Errorf("fail to reserve %s into %s: %w", ip, s.name, err)
	}
	return reserved, nil
}

// LastReservedIP is the address that was given away last.
func (s *store) LastReservedIP(string) (net.IP, error) {
	_, p, err := s.of.pool(s.of.ctx, s.name)
	if err != nil {
		return nil, err
	}
	return net.ParseIP(p.Status.LastAllocated), nil
}

// ReleaseByID frees the address that somebody has.
func (s *store) ReleaseByID(id, _ string) error {
	return s.change(func(status *poolStatus) bool {
		for address, holder := range status.Allocated {
			if holder == id {
				status.release(address)
				return true
			}
		}
		return false
	})
}

// GetByID are the addresses that somebody has.
func (s *store) GetByID(id, _ string) (addresses []net.IP) {
	_, p, err := s.of.pool(s.of.ctx, s.name)
	if err != nil {
		return nil
	}
	for address, holder := range p.Status.Allocated {
		if holder == id {
			addresses = append(addresses, net.ParseIP(address))
		}
	}
	return addresses
}

func (s *store) change(apply func(*poolStatus) bool) error {
	object, p, err := s.of.pool(s.of.ctx, s.name)
	if err != nil || !apply(&p.Status) {
		return err
	}
	if err := withStatus(object, &p.Status); err != nil {
		return err
	}
	return s.of.api.Update(s.of.ctx, object)
}
