// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ImageDownloaders is the resource of VirtualMachineImageDownloader.
var ImageDownloaders = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "virtualmachineimagedownloaders"}

// KindImageDownloader is the kind of a downloader.
const KindImageDownloader = "VirtualMachineImageDownloader"

// ImageDownloaderReady is the status of a downloader that can be downloaded from.
const ImageDownloaderReady = "Ready"

// VirtualMachineImageDownloader makes Harvester prepare an image of the backend cdi for
// one download. It has the name of its image. Harvester deletes it after the download, however that ends.
type VirtualMachineImageDownloader struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ImageDownloaderSpec   `json:"spec"`
	Status ImageDownloaderStatus `json:"status,omitempty"`
}

// ImageDownloaderSpec names the image, in the same namespace.
type ImageDownloaderSpec struct {
	ImageName string `json:"imageName"`
}

// ImageDownloaderStatus is Progressing or Ready; there is no failure.
type ImageDownloaderStatus struct {
	Status     string      `json:"status,omitempty"`
	Conditions []Condition `json:"conditions,omitempty"`
}
