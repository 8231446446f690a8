// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	"slices"
	"strings"
)

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

	// AnnotationSettingWritten is this provider's own: the fingerprint of the value that it wrote to a setting, by
	// which a value that others have set since is told from it.
	AnnotationSettingWritten = "terraform-provider-harvester/written"

	// AnnotationSettingPrior is this provider's own: the value that a setting had before.
	AnnotationSettingPrior = "terraform-provider-harvester/prior"

	// AnnotationSettingHash is Harvester's: the hash of the value of a setting that it has applied, and of
	// AnnotationSettingPatched.
	AnnotationSettingHash    = "harvesterhci.io/hash"
	AnnotationSettingPatched = "harvesterhci.io/upgrade-patched"

	// LabelImageDisplayName repeats an image's display name as a label.
	LabelImageDisplayName = "harvesterhci.io/imageDisplayName"

	// LabelTagPrefix precedes the key of what the dashboard calls a tag.
	LabelTagPrefix = "tag.harvesterhci.io/"

	// domainHarvester is that of the labels and annotations of Harvester and its controllers; they use domains below it as well.
	domainHarvester = "harvesterhci.io"
)

// usersLabels are those of Harvester's labels that people set: its dashboard offers them in forms, its documentation
// asks for them (enhancements/20240605-enhanced-maintenance-mode.md), and no controller writes them.
var usersLabels = []string{
	"harvesterhci.io/os", "harvesterhci.io/os-type", "harvesterhci.io/image-type", "harvesterhci.io/maintain-mode-strategy",
	"harvesterhci.io/cloud-init-template", "guestcluster.harvesterhci.io/name",
}

// HarvestersLabel says that a label is under Harvester's domain, or one below it.
func HarvestersLabel(key string) bool {
	domain, _, qualified := strings.Cut(key, "/")
	return qualified && (domain == domainHarvester || strings.HasSuffix(domain, "."+domainHarvester))
}

// ReservedLabel says that a label belongs to Harvester or one of its controllers, such as
// harvesterhci.io/imageDisplayName (pkg/util/constants.go), network.harvesterhci.io/type and loadbalancer.harvesterhci.io/vid: they
// write it and rely on it, so nobody else may. A tag is none.
func ReservedLabel(key string) bool {
	return HarvestersLabel(key) && !strings.HasPrefix(key, LabelTagPrefix) && !slices.Contains(usersLabels, key)
}

// Condition is one entry of status.conditions of Harvester's own kinds.
type Condition struct {
	Type           string `json:"type"`
	Status         string `json:"status"`
	Reason         string `json:"reason,omitempty"`
	Message        string `json:"message,omitempty"`
	LastUpdateTime string `json:"lastUpdateTime,omitempty"`
}
