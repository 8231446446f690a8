// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"context"

	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

var storageProfiles = schema.GroupVersionResource{Group: "cdi.kubevirt.io", Version: "v1beta1", Resource: "storageprofiles"}

// RunStorageProfiles gives every storage class the profile that CDI would give
// it, until ctx ends. Harvester waits for them.
func RunStorageProfiles(ctx context.Context, config *rest.Config) error {
	profiles, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	_, err = factory.Storage().V1().StorageClasses().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(object any) {
			profile := storageProfile(object.(*storagev1.StorageClass))
			_, err := profiles.Resource(storageProfiles).Create(ctx, profile, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				utilruntime.HandleErrorWithContext(ctx, err, "Creating a storage profile", "name", profile.GetName())
			}
		},
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	return nil
}

// storageProfile is deleted with its storage class, by the garbage collector.
func storageProfile(class *storagev1.StorageClass) *unstructured.Unstructured {
	profile := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": storageProfiles.GroupVersion().String(),
		"kind":       "StorageProfile",
		"spec":       map[string]any{},
	}}
	profile.SetName(class.Name)
	profile.SetOwnerReferences([]metav1.OwnerReference{
		*metav1.NewControllerRef(class, storagev1.SchemeGroupVersion.WithKind("StorageClass")),
	})
	return profile
}
