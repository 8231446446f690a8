// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Images is the resource of VirtualMachineImage.
var Images = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "virtualmachineimages"}

// KindImage is the kind of an image object.
const KindImage = "VirtualMachineImage"

// Source types of an image (spec.sourceType).
const (
	SourceDownload = "download"
	SourceUpload   = "upload"
	SourceExport   = "export-from-volume"
	SourceRestore  = "restore"
	SourceClone    = "clone"
)

// Backends of an image (spec.backend).
const (
	BackendBackingImage = "backingimage"
	BackendCDI          = "cdi"
)

// Operations of a clone (spec.securityParameters.cryptoOperation).
const (
	CryptoEncrypt = "encrypt"
	CryptoDecrypt = "decrypt"
)

// Condition types of an image.
const (
	ImageInitialized        = "Initialized"
	ImageImported           = "Imported"
	ImageRetryLimitExceeded = "RetryLimitExceeded"
)

// VirtualMachineImage is Harvester's image. Its status is not a subresource:
// an update without the status would wipe it, so only merge patches are sent.
type VirtualMachineImage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   VirtualMachineImageSpec   `json:"spec"`
	Status VirtualMachineImageStatus `json:"status,omitempty"`
}

// VirtualMachineImageSpec is what the user asks for. Every field but Retry is
// immutable after creation.
type VirtualMachineImageSpec struct {
	Backend      string `json:"backend,omitempty"`
	DisplayName  string `json:"displayName"`
	SourceType   string `json:"sourceType"`
	URL          string `json:"url,omitempty"`
	PVCName      string `json:"pvcName,omitempty"`
	PVCNamespace string `json:"pvcNamespace,omitempty"`
	Checksum     string `json:"checksum,omitempty"`

	// Retry counts the attempts after the first that Harvester makes by itself,
	// 0 to 10. Nil leaves it to the server (3).
	Retry *int64 `json:"retry,omitempty"`

	StorageClassParameters map[string]string        `json:"storageClassParameters,omitempty"`
	SecurityParameters     *ImageSecurityParameters `json:"securityParameters,omitempty"`
	TargetStorageClassName string                   `json:"targetStorageClassName,omitempty"`
}

// ImageSecurityParameters say what a clone does with which image.
type ImageSecurityParameters struct {
	CryptoOperation      string `json:"cryptoOperation"`
	SourceImageName      string `json:"sourceImageName"`
	SourceImageNamespace string `json:"sourceImageNamespace"`
}

// VirtualMachineImageStatus is what the server reports.
type VirtualMachineImageStatus struct {
	// Progress is a percentage. It is for people: only the Imported condition decides.
	Progress int64 `json:"progress,omitempty"`
	// Size and VirtualSize are in bytes; VirtualSize is set at Imported.
	Size        int64 `json:"size,omitempty"`
	VirtualSize int64 `json:"virtualSize,omitempty"`
	// StorageClassName is the class a volume made from the image must use.
	StorageClassName string      `json:"storageClassName,omitempty"`
	Failed           int64       `json:"failed,omitempty"`
	LastFailedTime   string      `json:"lastFailedTime,omitempty"`
	Conditions       []Condition `json:"conditions,omitempty"`
}

// Condition returns the condition of the given type, or a zero Condition.
func (i *VirtualMachineImage) Condition(conditionType string) Condition {
	for _, c := range i.Status.Conditions {
		if c.Type == conditionType {
			return c
		}
	}
	return Condition{}
}

// BackingImages is Longhorn's resource behind an image of the backend backingimage.
var BackingImages = schema.GroupVersionResource{Group: "longhorn.io", Version: "v1beta2", Resource: "backingimages"}

// NamespaceLonghorn is where Longhorn's objects are.
const NamespaceLonghorn = "longhorn-system"

// BackingImage is what this provider reads of Longhorn's object. Reading it takes
// rights that are not part of Harvester's own roles.
type BackingImage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Status BackingImageStatus `json:"status,omitempty"`
}

// BackingImageStatus describes the stored bytes.
type BackingImageStatus struct {
	// Checksum is their SHA-512 in lower-case hexadecimal; empty until it is computed.
	Checksum string `json:"checksum,omitempty"`
	// RealSize is what they take without their holes, in bytes.
	RealSize int64 `json:"realSize,omitempty"`
	// DiskFileStatusMap tells of each disk that has them, or will.
	DiskFileStatusMap map[string]DiskFileStatus `json:"diskFileStatusMap,omitempty"`
}

// DiskFileStatus describes the stored bytes on one disk.
type DiskFileStatus struct {
	// State is Longhorn's word for them, such as pending, in-progress or ready; until they are ready that of their import
	// (controller/backing_image_controller.go in longhorn-manager).
	State string `json:"state,omitempty"`
}

// statePending is the state of bytes of which none have come yet, while Longhorn is ready for them.
const statePending = "pending"

// AwaitsData says that Longhorn is ready for an upload, and has none of it.
func (b *BackingImage) AwaitsData() bool {
	for _, disk := range b.Status.DiskFileStatusMap {
		if disk.State != statePending {
			return false
		}
	}
	return len(b.Status.DiskFileStatusMap) > 0
}

// BackingImageName is the name of the Longhorn object behind an image (Harvester
// 1.4 and newer: pkg/util/image.go).
func BackingImageName(image *VirtualMachineImage) string { return "vmi-" + string(image.UID) }

// AnnotationOrigin marks an image with the fingerprint of what it was made from, so
// that an apply that was killed is recognized by the next one.
const AnnotationOrigin = "terraform-provider-harvester/origin"

// AnnotationSize says how many bytes an upload will have, so that others can
// tell how far it is: Harvester reports a percentage only.
const AnnotationSize = "terraform-provider-harvester/size"

// AnnotationUnverified marks an image whose content is being verified: Harvester may have all of it, but nobody has compared
// yet what arrived with what was sent. This provider takes such an image for not ready.
const AnnotationUnverified = "terraform-provider-harvester/unverified"

// AnnotationFile is the fingerprint of the file that an image is made from, as it lay on the machine that sent it.
const AnnotationFile = "terraform-provider-harvester/file"

// Unverified says that the content of the image has not been verified yet.
func (i *VirtualMachineImage) Unverified() bool {
	_, marked := i.Annotations[AnnotationUnverified]
	return marked
}
