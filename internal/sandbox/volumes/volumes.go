// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package volumes simulates what makes a claim with a storage class of Longhorn a disk: the volume binder, Longhorn's
// provisioner, resizer and attacher, and Longhorn's own record of its volumes.
//
// It follows longhorn-manager v1.10.0.
package volumes

import (
	"context"
	"fmt"
	"log/slog"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

const (
	longhornNamespace = "longhorn-system"
	driver            = "driver.longhorn.io"
)

var scheme = manager.Scheme(corev1.AddToScheme, storagev1.AddToScheme, lhv1beta2.AddToScheme, kubevirtv1.AddToScheme)

// Options is what Volumes needs.
type Options struct {
	// Config reaches the Kubernetes API.
	Config *rest.Config
	// Log is where Volumes logs. Without it, it does not.
	Log *slog.Logger
	// Pace says how fast it works.
	Pace pace.Pace
}

// Volumes simulates the volumes of a Longhorn.
type Volumes struct {
	config *rest.Config
	api    client.Client
	// seen are the objects as the controllers were told of them last.
	seen   client.Reader
	events record.EventRecorder
	log    *slog.Logger
	pace   pace.Pace
}

// New returns Volumes that do nothing until they are run.
func New(options Options) (*Volumes, error) {
	api, err := manager.Client(options.Config, scheme)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &Volumes{config: options.Config, api: api, log: manager.Log(options.Log), pace: options.Pace}, nil
}

// Run works until ctx ends.
func (v *Volumes) Run(ctx context.Context) error {
	run, err := manager.New(v.config, scheme, v.log)
	if err != nil {
		return err
	}
	v.seen, v.events = run.GetCache(), run.GetEventRecorderFor(driver)
	for _, i := range indexes {
		if err := run.GetFieldIndexer().IndexField(ctx, i.object, i.name, i.values); err != nil {
			return fmt.Errorf("index %q: %w", i.name, err)
		}
	}
	err = builder.ControllerManagedBy(run).Named("claims").
		For(&corev1.PersistentVolumeClaim{}).
		Watches(&lhv1beta2.BackingImage{}, handler.EnqueueRequestsFromMapFunc(v.pendingClaims)).
		Watches(&kubevirtv1.VirtualMachineInstance{}, handler.EnqueueRequestsFromMapFunc(claimsOf)).
		Complete(manager.Reconciler(v.reconcileClaim))
	if err != nil {
		return fmt.Errorf("controller of claims: %w", err)
	}
	err = builder.ControllerManagedBy(run).Named("volumes").
		For(&corev1.PersistentVolume{}).
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(volumeOf)).
		Watches(&kubevirtv1.VirtualMachineInstance{}, handler.EnqueueRequestsFromMapFunc(v.volumesOf)).
		Watches(&lhv1beta2.BackingImage{}, handler.EnqueueRequestsFromMapFunc(v.volumesFrom)).
		// An image can have changed before its new volume was seen.
		Watches(&lhv1beta2.Volume{}, handler.EnqueueRequestsFromMapFunc(volumeBy), builder.WithPredicates(onCreation)).
		Complete(manager.Reconciler(v.reconcileVolume))
	if err != nil {
		return fmt.Errorf("controller of volumes: %w", err)
	}
	err = builder.ControllerManagedBy(run).Named("snapshots").
		For(newSnapshot()).
		Complete(manager.Reconciler(v.reconcileSnapshot))
	if err != nil {
		return fmt.Errorf("controller of snapshots: %w", err)
	}
	return run.Start(ctx)
}

// indexes find objects by what they are asked for.
var indexes = []struct {
	object client.Object
	name   string
	values client.IndexerFunc
}{
	{&kubevirtv1.VirtualMachineInstance{}, usedClaims, func(instance client.Object) []string {
		return claimNames(instance.(*kubevirtv1.VirtualMachineInstance))
	}},
	{&corev1.PersistentVolumeClaim{}, itsVolume, func(claim client.Object) []string {
		return []string{claim.(*corev1.PersistentVolumeClaim).Spec.VolumeName}
	}},
	{&lhv1beta2.Volume{}, itsImage, func(record client.Object) []string {
		return []string{record.(*lhv1beta2.Volume).Spec.BackingImage}
	}},
}

// The names of the indexes.
const (
	usedClaims = "claims" // those that an instance uses
	itsVolume  = "volume" // "" as long as a claim has none
	itsImage   = "image"  // what a volume is made from
)

// onCreation lets only new objects pass.
var onCreation = predicate.Funcs{
	UpdateFunc:  func(event.UpdateEvent) bool { return false },
	DeleteFunc:  func(event.DeleteEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
}

// pendingClaims are all those that may wait for a backing image.
func (v *Volumes) pendingClaims(ctx context.Context, _ client.Object) (requests []reconcile.Request) {
	var claims corev1.PersistentVolumeClaimList
	if err := v.seen.List(ctx, &claims, client.MatchingFields{itsVolume: ""}); err != nil {
		// Pending claims are looked at again and again anyway.
		v.log.Error("list claims", "error", err)
		return nil
	}
	for _, claim := range claims.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&claim)})
	}
	return requests
}

// claimsOf are the claims that a virtual machine instance uses.
func claimsOf(_ context.Context, instance client.Object) (requests []reconcile.Request) {
	for _, name := range claimNames(instance.(*kubevirtv1.VirtualMachineInstance)) {
		key := types.NamespacedName{Namespace: instance.GetNamespace(), Name: name}
		requests = append(requests, reconcile.Request{NamespacedName: key})
	}
	return requests
}

// volumeOf is the volume of a claim.
func volumeOf(_ context.Context, claim client.Object) []reconcile.Request {
	name := claim.(*corev1.PersistentVolumeClaim).Spec.VolumeName
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: name}}}
}

// volumesOf are the volumes that a virtual machine instance uses.
func (v *Volumes) volumesOf(ctx context.Context, instance client.Object) (requests []reconcile.Request) {
	for _, request := range claimsOf(ctx, instance) {
		var claim corev1.PersistentVolumeClaim
		if v.api.Get(ctx, request.NamespacedName, &claim) == nil {
			requests = append(requests, volumeOf(ctx, &claim)...)
		}
	}
	return requests
}

// volumesFrom are the volumes that are made from a backing image.
func (v *Volumes) volumesFrom(ctx context.Context, image client.Object) (requests []reconcile.Request) {
	var records lhv1beta2.VolumeList
	if err := v.seen.List(ctx, &records, client.InNamespace(longhornNamespace), client.MatchingFields{itsImage: image.GetName()}); err != nil {
		v.log.Error("list volumes", "error", err)
		return nil
	}
	for _, record := range records.Items {
		requests = append(requests, volumeBy(ctx, &record)...)
	}
	return requests
}

// volumeBy is the volume that Longhorn has a record of.
func volumeBy(_ context.Context, record client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: record.GetName()}}}
}

// claimNames are the claims among the volumes of a virtual machine instance.
func claimNames(instance *kubevirtv1.VirtualMachineInstance) (names []string) {
	for _, volume := range instance.Spec.Volumes {
		switch {
		case volume.PersistentVolumeClaim != nil:
			names = append(names, volume.PersistentVolumeClaim.ClaimName)
		case volume.DataVolume != nil:
			names = append(names, volume.DataVolume.Name)
		}
	}
	return names
}
