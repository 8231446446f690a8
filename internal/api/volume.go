// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import "k8s.io/apimachinery/pkg/runtime/schema"

// Resources of Kubernetes' own kinds; their types are k8s.io/api's.
var (
	PersistentVolumeClaims = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	Secrets                = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	StorageClasses         = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
	Events                 = schema.GroupVersionResource{Version: "v1", Resource: "events"}
)
