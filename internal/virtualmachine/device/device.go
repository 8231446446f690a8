// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package device is the small devices of a virtual machine (input, TPM, devices of the
// host), and the order in which devices stand in it.
package device

import (
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// Place puts the wanted disks and volumes, in their order, into the places of those
// managed so far, and the rest at the end. So what others added keeps its place, and a
// disk added at the end of the configuration moves no other in the guest.
func Place(spec *kubevirtv1.VirtualMachineInstanceSpec, disks []kubevirtv1.Disk, volumes []kubevirtv1.Volume, managed func(name string) bool) {
	spec.Domain.Devices.Disks = arrange(spec.Domain.Devices.Disks, disks, func(d kubevirtv1.Disk) bool { return managed(d.Name) })
	spec.Volumes = arrange(spec.Volumes, volumes, func(v kubevirtv1.Volume) bool { return managed(v.Name) })
}

func arrange[T any](live, wanted []T, managed func(T) bool) []T {
	var result []T
	for _, item := range live {
		switch {
		case !managed(item):
			result = append(result, item)
		case len(wanted) > 0:
			result = append(result, wanted[0])
			wanted = wanted[1:]
		}
	}
	return append(result, wanted...)
}
