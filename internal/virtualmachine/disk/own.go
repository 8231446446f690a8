// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Foreign says in words why a volume is not the machine's own; "" if it is. Harvester makes volumes from the
// templates of a machine, notes nothing on them that says so, and uses a volume that is
// there already as it is. So a volume is told by what speaks against it.
func Foreign(volume *corev1.PersistentVolumeClaim, vm *kubevirtv1.VirtualMachine, machines []api.MachineVolumes) string {
	switch {
	case volume.Annotations[api.AnnotationOrigin] != "":
		return "a harvester_volume made it"
	case volume.CreationTimestamp.Before(&vm.CreationTimestamp):
		return "it is older than the machine, so it was not made for it"
	}
	for _, other := range machines {
		if other.UID != vm.UID && other.Namespace == vm.Namespace && other.Has(volume.Name) {
			return fmt.Sprintf("the virtual machine %q has it too", tfbase.ID(other.Namespace, other.Name))
		}
	}
	return ""
}

// Doomed lists the volumes that go with the machine: those of disks that the state
// knows as auto_delete, and that the machine itself holds and has a template for. A volume
// of others, or one attached since the last look, is never among them.
func Doomed(disks []Disk, vm *kubevirtv1.VirtualMachine) []string {
	templates := ParseTemplates(vm)
	volumes := []string{}
	for _, d := range disks {
		live := VolumeNamed(vm.Spec.Template.Spec.Volumes, d.Name.ValueString())
		if live == nil || !d.AutoDelete.ValueBool() || !d.Owns() {
			continue
		}
		name := Claim(live)
		if name != "" && name == d.VolumeName.ValueString() && templates.Of(name) != nil {
			volumes = append(volumes, name)
		}
	}
	return volumes
}

// Ejected lists the volumes of media that CD drives had and have not any more, and that were to go
// with the machine. It takes the machine as it was before and as it is now. The volume of a disk that is
// gone altogether is only detached.
func Ejected(disks, before []Disk, was, is *kubevirtv1.VirtualMachine) []string {
	attached := attachedTo(&is.Spec.Template.Spec)
	var volumes []string
	for _, name := range Doomed(before, was) {
		for _, old := range before {
			d := Named(disks, old.Name.ValueString())
			if old.VolumeName.ValueString() == name && d != nil && d.drive(old) && d.discards() && !attached(name) {
				volumes = append(volumes, name)
			}
		}
	}
	return volumes
}

// discards says that a medium the drive had before is not to be kept: auto_delete, which a volume of
// others cannot have, was not turned off together with the change.
func (d Disk) discards() bool {
	return d.AutoDelete.ValueBool() || d.source() == sourceExisting || d.source() == sourceContainer
}
