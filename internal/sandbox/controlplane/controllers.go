// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package controlplane

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/restmapper"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/volume/pvcprotection"
	"k8s.io/kubernetes/pkg/controller/volume/pvprotection"
)

const (
	controllerWorkers = 5
	// discoveryPeriod is how often the garbage collector looks for new kinds.
	discoveryPeriod = 30 * time.Second
	namespaceResync = 5 * time.Minute
)

// RunControllers starts the controllers without which deleting does not work:
// the garbage collector, and those that finish the deletion of namespaces,
// claims and volumes. Call it after the definitions are installed. They run
// until ctx ends.
func (c *ControlPlane) RunControllers(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.Config(GarbageCollector))
	if err != nil {
		return err
	}
	shared := informers.NewSharedInformerFactory(client, 0)
	started := make(chan struct{})
	for _, start := range []func(context.Context, informers.SharedInformerFactory, <-chan struct{}) error{
		c.runGarbageCollector, c.runNamespaceController, c.runVolumeProtection,
	} {
		if err := start(ctx, shared, started); err != nil {
			return err
		}
	}
	shared.Start(ctx.Done())
	close(started)
	return nil
}

func (c *ControlPlane) runGarbageCollector(ctx context.Context, shared informers.SharedInformerFactory, started <-chan struct{}) error {
	config := c.Config(GarbageCollector)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	collector, err := garbagecollector.NewGarbageCollector(ctx, client, objects, mapper,
		garbagecollector.DefaultIgnoredResources(),
		informerfactory.NewInformerFactory(shared, metadatainformer.NewSharedInformerFactory(objects, 0)),
		started)
	if err != nil {
		return err
	}
	go collector.Run(ctx, controllerWorkers, discoveryPeriod)
	go collector.Sync(ctx, client.Discovery(), discoveryPeriod)
	return nil
}

func (c *ControlPlane) runNamespaceController(ctx context.Context, shared informers.SharedInformerFactory, _ <-chan struct{}) error {
	config := c.Config(namespaceController)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	controller := namespace.NewNamespaceController(ctx, client, objects,
		client.Discovery().ServerPreferredNamespacedResources,
		shared.Core().V1().Namespaces(), namespaceResync, corev1.FinalizerKubernetes)
	go controller.Run(ctx, controllerWorkers)
	return nil
}

func (c *ControlPlane) runVolumeProtection(ctx context.Context, shared informers.SharedInformerFactory, _ <-chan struct{}) error {
	claimClient, err := kubernetes.NewForConfig(c.Config(claimProtection))
	if err != nil {
		return err
	}
	volumeClient, err := kubernetes.NewForConfig(c.Config(volumeProtection))
	if err != nil {
		return err
	}
	core := shared.Core().V1()
	log := klog.FromContext(ctx)
	claims, err := pvcprotection.NewPVCProtectionController(log, core.PersistentVolumeClaims(), core.Pods(), claimClient)
	if err != nil {
		return err
	}
	go claims.Run(ctx, 1)
	go pvprotection.NewPVProtectionController(log, core.PersistentVolumes(), volumeClient).Run(ctx, 1)
	return nil
}
