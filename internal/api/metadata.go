// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

// Labels and annotations that Harvester and its dashboard give a meaning to.
const (
	// AnnotationDescription is what the dashboard shows and edits as description.
	AnnotationDescription = "field.cattle.io/description"

	// AnnotationStorageClassName names the StorageClass an image takes its
	// parameters from. Immutable once the image exists.
	AnnotationStorageClassName = "harvesterhci.io/storageClassName"

	// AnnotationImageID refers from a volume (template) to its image, as namespace/name.
	AnnotationImageID = "harvesterhci.io/imageId"

	// AnnotationVolumeClaimTemplates holds a VM's volumes as a JSON array of PVCs;
	// Harvester's VM controller creates them.
	AnnotationVolumeClaimTemplates = "harvesterhci.io/volumeClaimTemplates"

	// AnnotationRemovedPVCs lists, comma separated, the volumes that Harvester
	// deletes together with the VM.
	AnnotationRemovedPVCs = "harvesterhci.io/removedPersistentVolumeClaims"

	// AnnotationCreation is this provider's own: it marks an object whose creation is under way, and
	// tells who makes it. See the package objects.
	AnnotationCreation = "terraform-provider-harvester/creation"

	// LabelImageDisplayName repeats an image's display name as a label.
	LabelImageDisplayName = "harvesterhci.io/imageDisplayName"

	// LabelTagPrefix precedes the key of what the dashboard calls a tag.
	LabelTagPrefix = "tag.harvesterhci.io/"

	// LabelHarvesterPrefix precedes the labels Harvester keeps for itself.
	LabelHarvesterPrefix = "harvesterhci.io/"
)

// Condition is one entry of status.conditions of Harvester's own kinds.
type Condition struct {
	Type           string `json:"type"`
	Status         string `json:"status"`
	Reason         string `json:"reason,omitempty"`
	Message        string `json:"message,omitempty"`
	LastUpdateTime string `json:"lastUpdateTime,omitempty"`
}
