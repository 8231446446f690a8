// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// DataVolumes is CDI's resource of volumes that it makes and fills.
var DataVolumes = schema.GroupVersionResource{Group: "cdi.kubevirt.io", Version: "v1beta1", Resource: "datavolumes"}

// KindDataVolume is the kind of a data volume.
const KindDataVolume = "DataVolume"

// What CDI writes on the claim of a data volume, and what is written for it.
const (
	// AnnotationDataVolume is on claims that CDI made for a data volume.
	AnnotationDataVolume = "cdi.kubevirt.io/createdForDataVolume"
	// AnnotationFilling is the phase of the pod that fills a claim: Succeeded when it is filled.
	AnnotationFilling = "cdi.kubevirt.io/storage.pod.phase"
	// AnnotationBindNow asks CDI not to wait for a consumer of the claim.
	AnnotationBindNow = "cdi.kubevirt.io/storage.bind.immediate.requested"
	// AnnotationCloneOf names the claim, as namespace/name, that a claim is copied from.
	AnnotationCloneOf = "k8s.io/CloneRequest"
	// AnnotationPopulator is the kind of what a claim is filled from, AnnotationPopulatedBy
	// whom it is filled for, as namespace/name: for a copy, the claim it is copied from.
	AnnotationPopulator   = "cdi.kubevirt.io/storage.populator.kind"
	AnnotationPopulatedBy = "cdi.kubevirt.io/events.source"
	// PopulatorClone is the kind of a copy.
	PopulatorClone = "VolumeCloneSource"
)

// Phases of a data volume.
const (
	DataVolumeSucceeded = "Succeeded"
	DataVolumeFailed    = "Failed"
)

// DataVolume asks CDI for a claim of the same name, filled from a source. Harvester makes
// the volumes of images with the backend cdi this way.
type DataVolume struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   DataVolumeSpec   `json:"spec"`
	Status DataVolumeStatus `json:"status,omitempty"`
}

// DataVolumeSpec says what to make from what.
type DataVolumeSpec struct {
	Source  DataVolumeSource   `json:"source"`
	Storage *DataVolumeStorage `json:"storage,omitempty"`
}

// DataVolumeSource is where the contents come from.
type DataVolumeSource struct {
	PVC *DataVolumeSourcePVC `json:"pvc,omitempty"`
}

// DataVolumeSourcePVC names the claim to copy.
type DataVolumeSourcePVC struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// DataVolumeStorage is what the claim shall be like.
type DataVolumeStorage struct {
	AccessModes      []corev1.PersistentVolumeAccessMode `json:"accessModes,omitempty"`
	VolumeMode       *corev1.PersistentVolumeMode        `json:"volumeMode,omitempty"`
	Resources        corev1.VolumeResourceRequirements   `json:"resources,omitempty"`
	StorageClassName *string                             `json:"storageClassName,omitempty"`
}

// DataVolumeStatus is how far CDI is.
type DataVolumeStatus struct {
	Phase      string                `json:"phase,omitempty"`
	Progress   string                `json:"progress,omitempty"`
	Conditions []DataVolumeCondition `json:"conditions,omitempty"`
}

// DataVolumeCondition is one entry of status.conditions.
type DataVolumeCondition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}
