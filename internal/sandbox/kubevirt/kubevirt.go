// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package kubevirt simulates KubeVirt: virtual machines get instances, instances get a node, run and get addresses, and
// all of it can be started, stopped and paused, with KubeVirt's states and messages. No guest runs anywhere.
//
// It follows KubeVirt v1.7.0. Volumes are hot-plugged by changes of a machine's template; migration is not simulated, nor is
// hot-plugging of anything else.
package kubevirt

import (
	"context"
	"fmt"
	"log/slog"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	kubevirtv1 "kubevirt.io/api/core/v1"
	cdiv1beta1 "kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/volumes"
)

var scheme = manager.Scheme(corev1.AddToScheme, lhv1beta2.AddToScheme, kubevirtv1.AddToScheme, cdiv1beta1.AddToScheme)

// Options is what a KubeVirt needs.
type Options struct {
	// Config reaches the Kubernetes API.
	Config *rest.Config
	// Log is where KubeVirt logs. Without it, it does not.
	Log *slog.Logger
	// Pace says how fast it works.
	Pace pace.Pace
}

// KubeVirt simulates the virtual machines of a cluster.
type KubeVirt struct {
	config *rest.Config
	api    client.Client
	// seen are the objects as the controllers were told of them last.
	seen   client.Reader
	events record.EventRecorder
	log    *slog.Logger
	pace   pace.Pace
}

// New returns a KubeVirt that does nothing until it is run.
func New(options Options) (*KubeVirt, error) {
	api, err := manager.Client(options.Config, scheme)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &KubeVirt{config: options.Config, api: api, log: manager.Log(options.Log), pace: options.Pace}, nil
}

// Run works until ctx ends.
func (k *KubeVirt) Run(ctx context.Context) error {
	run, err := manager.New(k.config, scheme, k.log)
	if err != nil {
		return err
	}
	k.seen, k.events = run.GetCache(), run.GetEventRecorderFor("virtualmachine-controller")
	for object, claims := range usedClaims {
		if err := run.GetFieldIndexer().IndexField(ctx, object, claimsIndex, claims); err != nil {
			return fmt.Errorf("index of claims: %w", err)
		}
	}
	err = builder.ControllerManagedBy(run).Named("machines").
		For(&kubevirtv1.VirtualMachine{}).
		Owns(&kubevirtv1.VirtualMachineInstance{}).
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(k.machinesUsing)).
		Complete(manager.Reconciler(k.reconcileMachine))
	if err != nil {
		return fmt.Errorf("controller of machines: %w", err)
	}
	err = builder.ControllerManagedBy(run).Named("instances").
		For(&kubevirtv1.VirtualMachineInstance{}).
		Watches(&corev1.PersistentVolumeClaim{}, handler.EnqueueRequestsFromMapFunc(k.instancesUsing)).
		Complete(manager.Reconciler(k.reconcileInstance))
	if err != nil {
		return fmt.Errorf("controller of instances: %w", err)
	}
	return run.Start(ctx)
}

// claimsIndex is the index of machines and instances by the claims that they use.
const claimsIndex = "claims"

// usedClaims are what the index has of an object.
var usedClaims = map[client.Object]client.IndexerFunc{
	&kubevirtv1.VirtualMachine{}: func(machine client.Object) []string {
		template := machine.(*kubevirtv1.VirtualMachine).Spec.Template
		if template == nil {
			return nil
		}
		return claimNames(template.Spec.Volumes)
	},
	&kubevirtv1.VirtualMachineInstance{}: func(instance client.Object) []string {
		return claimNames(instance.(*kubevirtv1.VirtualMachineInstance).Spec.Volumes)
	},
}

// machinesUsing are the machines with a claim.
func (k *KubeVirt) machinesUsing(ctx context.Context, claim client.Object) []reconcile.Request {
	return k.using(ctx, claim, &kubevirtv1.VirtualMachineList{})
}

// instancesUsing are the instances with a claim.
func (k *KubeVirt) instancesUsing(ctx context.Context, claim client.Object) []reconcile.Request {
	return k.using(ctx, claim, &kubevirtv1.VirtualMachineInstanceList{})
}

// using are those of a kind that use a claim. What is not seen yet will be looked at when it is.
func (k *KubeVirt) using(ctx context.Context, claim client.Object, list client.ObjectList) (requests []reconcile.Request) {
	if err := k.seen.List(ctx, list, client.InNamespace(claim.GetNamespace()), client.MatchingFields{claimsIndex: claim.GetName()}); err != nil {
		k.log.Error("list who uses a claim", "error", err)
	}
	_ = meta.EachListItem(list, func(object runtime.Object) error { // the callback returns none
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(object.(client.Object))})
		return nil
	})
	return requests
}

// instance gets the instance of a machine, nil if it has none.
func (k *KubeVirt) instance(ctx context.Context, key types.NamespacedName) (*kubevirtv1.VirtualMachineInstance, error) {
	instance := &kubevirtv1.VirtualMachineInstance{}
	if err := k.api.Get(ctx, key, instance); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return instance, nil
}

// claimName is the claim behind a volume, empty if there is none.
func claimName(volume kubevirtv1.Volume) string {
	switch {
	case volume.PersistentVolumeClaim != nil:
		return volume.PersistentVolumeClaim.ClaimName
	case volume.DataVolume != nil:
		return volume.DataVolume.Name
	}
	return ""
}

func claimNames(volumes []kubevirtv1.Volume) (names []string) {
	for _, volume := range volumes {
		if name := claimName(volume); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// disks is what is known of the claims and secrets behind some volumes.
type disks struct {
	claims map[string]*corev1.PersistentVolumeClaim
	// awaiting has the volumes that cannot be attached before their image is there, by claim.
	awaiting map[string]string
	// missing is the first claim that does not exist, missingData the first data volume, missingSecret the first secret.
	missing, missingData, missingSecret string
	// failed says that a data volume has failed, unbound that a claim is not bound, importing that a data volume is not done.
	failed, unbound, importing bool
}

// look finds out about the claims and secrets behind some volumes.
func (k *KubeVirt) look(ctx context.Context, namespace string, all []kubevirtv1.Volume) (disks, error) {
	found := disks{claims: map[string]*corev1.PersistentVolumeClaim{}, awaiting: map[string]string{}}
	for _, volume := range all {
		if err := k.lookAt(ctx, namespace, volume, &found); err != nil {
			return disks{}, err
		}
	}
	return found, nil
}

func (k *KubeVirt) lookAt(ctx context.Context, namespace string, volume kubevirtv1.Volume, found *disks) error {
	for _, secret := range secretNames(volume) {
		err := k.api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: secret}, &corev1.Secret{})
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err != nil && found.missingSecret == "" {
			found.missingSecret = secret
		}
	}
	if volume.DataVolume != nil {
		if err := k.lookAtData(ctx, namespace, volume.DataVolume.Name, found); err != nil {
			return err
		}
	}
	name := claimName(volume)
	if name == "" {
		return nil
	}
	claim := &corev1.PersistentVolumeClaim{}
	err := k.api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, claim)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err != nil {
		if found.missing == "" && volume.DataVolume == nil {
			found.missing = name
		}
		return nil
	}
	found.claims[name] = claim
	found.unbound = found.unbound || claim.Status.Phase != corev1.ClaimBound
	waits, err := volumes.AwaitsImage(ctx, k.api, claim)
	if waits {
		found.awaiting[name] = claim.Spec.VolumeName
	}
	return err
}

func (k *KubeVirt) lookAtData(ctx context.Context, namespace, name string, found *disks) error {
	data := &cdiv1beta1.DataVolume{}
	err := k.api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, data)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return err
	case err != nil && found.missingData == "":
		found.missingData = name
	case err == nil:
		found.failed = found.failed || data.Status.Phase == cdiv1beta1.Failed
		found.importing = found.importing || data.Status.Phase != cdiv1beta1.Succeeded
	}
	return nil
}

// secretNames are the secrets that a cloud-init volume refers to.
func secretNames(volume kubevirtv1.Volume) (names []string) {
	add := func(refs ...*corev1.LocalObjectReference) {
		for _, ref := range refs {
			if ref != nil {
				names = append(names, ref.Name)
			}
		}
	}
	if source := volume.CloudInitNoCloud; source != nil {
		add(source.UserDataSecretRef, source.NetworkDataSecretRef)
	}
	if source := volume.CloudInitConfigDrive; source != nil {
		add(source.UserDataSecretRef, source.NetworkDataSecretRef)
	}
	return names
}

// owned says whether an instance is that of a machine.
func owned(instance *kubevirtv1.VirtualMachineInstance, machine *kubevirtv1.VirtualMachine) bool {
	return metav1.IsControlledBy(instance, machine)
}
