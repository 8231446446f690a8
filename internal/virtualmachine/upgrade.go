// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"encoding/json"
	"slices"
)

// cleanOfficial prepares a state written by the official provider: it lists the
// disk with the cloud-init data among the disks, and has "" for values that the
// server left open.
func cleanOfficial(state []byte) ([]byte, error) {
	var object map[string]any
	if err := json.Unmarshal(state, &object); err != nil {
		return nil, err
	}
	disks, _ := object["disk"].([]any)
	seeds, _ := object["cloudinit"].([]any)
	if disks != nil {
		object["disk"] = slices.DeleteFunc(disks, func(item any) bool {
			disk, _ := item.(map[string]any)
			return isSeedDisk(disk, len(seeds) > 0)
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
	return json.Marshal(object)
}

// isSeedDisk recognizes a disk with cloud-init data: by its usual name, or by having
// nothing that a disk could come from.
func isSeedDisk(disk map[string]any, seeded bool) bool {
	if !seeded {
		return false
	}
	if disk["name"] == cloudInitDisk {
		return true
	}
	for _, source := range []string{"size", "image", "existing_volume_name", "container_image_name", "volume_name"} {
		if text, _ := disk[source].(string); text != "" {
			return false
		}
	}
	return disk["type"] == typeDisk
}

func clearOpen(object map[string]any, keys []string) {
	for _, key := range keys {
		if object[key] == "" {
			object[key] = nil
		}
	}
}
