// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"context"
	"log/slog"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

var images = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "virtualmachineimages"}

// LogImages logs when an image is imported, or has failed, once or for good, until the
// context ends. Whoever measures how long a client takes to notice compares with these lines.
func LogImages(ctx context.Context, config *rest.Config, log *slog.Logger) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	informer := dynamicinformer.NewDynamicSharedInformerFactory(client, 0).ForResource(images).Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		UpdateFunc: func(before, after any) { logImage(log, before, after) },
	})
	if err != nil {
		return err
	}
	informer.RunWithContext(ctx)
	return nil
}

func logImage(log *slog.Logger, before, after any) {
	old, ok := before.(*unstructured.Unstructured)
	image, isImage := after.(*unstructured.Unstructured)
	if !ok || !isImage {
		return
	}
	log = log.With("image", image.GetNamespace()+"/"+image.GetName())
	if holds(image, "Imported") && !holds(old, "Imported") {
		log.Info("image is imported")
	}
	if holds(image, "RetryLimitExceeded") && !holds(old, "RetryLimitExceeded") {
		log.Info("image has failed for good")
	}
	if failures(image) > failures(old) {
		log.Info("Harvester counts a failure", "failures", failures(image), "message", condition(image, "RetryLimitExceeded")["message"])
	}
}

// failures is how often the import has failed.
func failures(image *unstructured.Unstructured) int64 {
	count, _, _ := unstructured.NestedInt64(image.Object, "status", "failed")
	return count
}

// holds says whether the condition of this type is True.
func holds(image *unstructured.Unstructured, conditionType string) bool {
	return condition(image, conditionType)["status"] == "True"
}

// condition is the condition of this type; nil if there is none.
func condition(image *unstructured.Unstructured, conditionType string) map[string]any {
	conditions, _, _ := unstructured.NestedSlice(image.Object, "status", "conditions")
	for _, item := range conditions {
		if c, ok := item.(map[string]any); ok && c["type"] == conditionType {
			return c
		}
	}
	return nil
}
