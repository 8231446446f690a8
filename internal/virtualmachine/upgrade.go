// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"slices"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

// cleanOfficial prepares a state written by the official provider: it lists the
// disk with the cloud-init data among the disks, and has "" for values that the
// server left open.
func cleanOfficial(object map[string]any) {
	disks, _ := object["disk"].([]any)
	seeds, _ := object["cloudinit"].([]any)
	if disks != nil {
		object["disk"] = slices.DeleteFunc(disks, func(item any) bool {
			inner, _ := item.(map[string]any)
			return isSeedDisk(inner, len(seeds) > 0)
		})
	}
	open := []string{"hostname", "machine_type", "bus", "size", "storage_class_name", "volume_mode", "access_mode", "volume_name", "mac_address", "type"}
	clearOpen(object, open)
	for _, block := range []string{"disk", "network_interface"} {
		items, _ := object[block].([]any)
		for _, item := range items {
			if inner, ok := item.(map[string]any); ok {
				clearOpen(inner, open)
			}
		}
	}
	asked, _ := object["requests"].([]any)
	for _, item := range asked {
		if inner, ok := item.(map[string]any); ok {
			clearOpen(inner, []string{"cpu", "memory"})
		}
	}
}

// isSeedDisk recognizes a disk with cloud-init data: by its usual name, or by having
// nothing that a disk could come from.
func isSeedDisk(item map[string]any, seeded bool) bool {
	if !seeded {
		return false
	}
	if item["name"] == cloudinit.DiskName {
		return true
	}
	for _, source := range []string{"size", "image", "existing_volume_name", "container_image_name", "volume_name"} {
		if text, _ := item[source].(string); text != "" {
			return false
		}
	}
	return item["type"] == disk.TypeDisk
}

func clearOpen(object map[string]any, keys []string) {
	for _, key := range keys {
		if object[key] == "" {
			object[key] = nil
		}
	}
}
