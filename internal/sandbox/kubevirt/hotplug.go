// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// Harvester 1.8 has KubeVirt's feature gate DeclarativeHotplugVolumes, and not HotplugVolumes: a volume is attached to a
// running machine and detached from it by an entry in the machine's template. What follows is what
// pkg/virt-controller/watch/vm/vm.go and pkg/storage/hotplug/hotplug.go make of such a change.

// hotpluggable says whether a volume may come and go while an instance runs (pkg/storage/types/pvc.go).
func hotpluggable(volume *kubevirtv1.Volume) bool {
	switch {
	case volume == nil:
		return false
	case volume.PersistentVolumeClaim != nil:
		return volume.PersistentVolumeClaim.Hotpluggable
	case volume.DataVolume != nil:
		return volume.DataVolume.Hotpluggable
	}
	return false
}

func volumeNamed(volumes []kubevirtv1.Volume, name string) *kubevirtv1.Volume {
	i := slices.IndexFunc(volumes, func(v kubevirtv1.Volume) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &volumes[i]
}

func diskNamed(disks []kubevirtv1.Disk, name string) *kubevirtv1.Disk {
	i := slices.IndexFunc(disks, func(d kubevirtv1.Disk) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &disks[i]
}

// liveVolumes says whether a running instance can take over the change from some volumes to others: what is added,
// changed or removed is hot-pluggable. A medium may take the place of another one.
func liveVolumes(before, after []kubevirtv1.Volume) bool {
	for i := range after {
		old := volumeNamed(before, after[i].Name)
		if !hotpluggable(&after[i]) && (old == nil || !equality.Semantic.DeepEqual(*old, after[i])) {
			return false
		}
	}
	return !slices.ContainsFunc(before, func(old kubevirtv1.Volume) bool {
		return volumeNamed(after, old.Name) == nil && !hotpluggable(&old)
	})
}

// liveDisks is what liveVolumes is, for the disks of the volumes. A CD-ROM drive stays: only its medium comes and goes.
func liveDisks(before, after *kubevirtv1.VirtualMachineInstanceSpec) bool {
	for i := range after.Domain.Devices.Disks {
		disk := &after.Domain.Devices.Disks[i]
		if hotpluggable(volumeNamed(after.Volumes, disk.Name)) {
			continue
		}
		old := diskNamed(before.Domain.Devices.Disks, disk.Name)
		if old == nil || !equality.Semantic.DeepEqual(old, disk) {
			return false
		}
	}
	for _, old := range before.Domain.Devices.Disks {
		if diskNamed(after.Domain.Devices.Disks, old.Name) != nil {
			continue
		}
		volume := volumeNamed(before.Volumes, old.Name)
		if old.CDRom != nil || (volume != nil && !hotpluggable(volume)) {
			return false
		}
	}
	return true
}

// pluggedVolumes are the volumes that an instance is to have: those it has, without the hot-pluggable ones that its
// template no longer has as they are, and the template's new ones. A volume that changed is away for a moment: it comes
// back when nothing is left of the one before.
func pluggedVolumes(template *kubevirtv1.VirtualMachineInstanceSpec, instance *kubevirtv1.VirtualMachineInstance) (volumes []kubevirtv1.Volume) {
	for _, volume := range instance.Spec.Volumes {
		wanted := volumeNamed(template.Volumes, volume.Name)
		changed := hotpluggable(wanted) && !equality.Semantic.DeepEqual(*wanted, volume)
		if !hotpluggable(&volume) || (wanted != nil && !changed) {
			volumes = append(volumes, *volume.DeepCopy())
		}
	}
	for i := range template.Volumes {
		volume := &template.Volumes[i]
		if hotpluggable(volume) && volumeNamed(instance.Spec.Volumes, volume.Name) == nil && statusNamed(instance.Status.VolumeStatus, volume.Name) == nil {
			volumes = append(volumes, *volume.DeepCopy())
		}
	}
	return volumes
}

// pluggedDisks are the disks that an instance with these volumes is to have. A CD-ROM drive stays without its medium.
func pluggedDisks(template *kubevirtv1.VirtualMachineInstanceSpec, instance *kubevirtv1.VirtualMachineInstance, volumes []kubevirtv1.Volume) (disks []kubevirtv1.Disk) {
	for _, disk := range instance.Spec.Domain.Devices.Disks {
		wanted := diskNamed(template.Domain.Devices.Disks, disk.Name)
		gone := wanted == nil
		changed := volumeNamed(template.Volumes, disk.Name) != nil && (gone || wanted.CDRom == nil || disk.CDRom == nil)
		if volumeNamed(volumes, disk.Name) != nil || (!gone && !changed) {
			disks = append(disks, *disk.DeepCopy())
		}
	}
	for i := range template.Domain.Devices.Disks {
		disk := &template.Domain.Devices.Disks[i]
		if hotpluggable(volumeNamed(volumes, disk.Name)) && diskNamed(instance.Spec.Domain.Devices.Disks, disk.Name) == nil {
			disks = append(disks, *disk.DeepCopy())
		}
	}
	return disks
}

// hotplug lets the volumes of a running instance follow the template of its machine.
func (k *KubeVirt) hotplug(ctx context.Context, machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance) error {
	if instance == nil || !instance.IsRunning() || instance.DeletionTimestamp != nil {
		return nil
	}
	template := &machine.Spec.Template.Spec
	volumes := pluggedVolumes(template, instance)
	disks := pluggedDisks(template, instance, volumes)
	if equality.Semantic.DeepEqual(volumes, instance.Spec.Volumes) && equality.Semantic.DeepEqual(disks, instance.Spec.Domain.Devices.Disks) {
		return nil
	}
	if err := refuseHotplug(instance, volumes, disks); err != nil {
		return &syncError{"HotPlugVolumeError", fmt.Errorf("Error encountered while handling declarative hotplug volumes: %w", err)}
	}
	instance.Spec.Volumes, instance.Spec.Domain.Devices.Disks = volumes, disks
	return k.api.Update(ctx, instance)
}

// updateValidator is KubeVirt's webhook for changes of instances (pkg/virt-operator/resource/generate/components).
const updateValidator = `admission webhook "virtualmachineinstances-update-validator.kubevirt.io" denied the request: `

// refuseHotplug says what KubeVirt's webhook has against a change of the volumes of an instance
// (pkg/storage/admitters/storagehotplug.go).
func refuseHotplug(instance *kubevirtv1.VirtualMachineInstance, volumes []kubevirtv1.Volume, disks []kubevirtv1.Disk) error {
	required := len(instance.Spec.Domain.Devices.Filesystems)
	for _, disk := range disks {
		if disk.CDRom == nil || volumeNamed(volumes, disk.Name) != nil {
			required++
		}
	}
	if required != len(volumes) {
		return fmt.Errorf(updateValidator+"mismatch between volumes declared (%d) and required (%d)", len(volumes), required)
	}
	for _, volume := range volumes {
		disk := diskNamed(disks, volume.Name)
		switch {
		case volumeNamed(instance.Spec.Volumes, volume.Name) != nil:
		case disk == nil:
			return fmt.Errorf(updateValidator+"disk %s does not exist", volume.Name)
		case diskNamed(instance.Spec.Domain.Devices.Disks, volume.Name) == nil:
			if err := refuseHotplugDisk(disk); err != nil {
				return err
			}
		}
	}
	return nil
}

func refuseHotplugDisk(disk *kubevirtv1.Disk) error {
	const prefix = updateValidator + "Hotplug configuration"
	switch {
	case disk.Disk != nil && disk.Disk.Bus != kubevirtv1.DiskBusSCSI && disk.Disk.Bus != kubevirtv1.DiskBusVirtio:
		return fmt.Errorf(prefix+" for disk [%s] requires bus to be 'scsi' or 'virtio'. [%s] is not permitted.", disk.Name, disk.Disk.Bus)
	case disk.LUN != nil && disk.LUN.Bus != kubevirtv1.DiskBusSCSI:
		return fmt.Errorf(prefix+" for LUN [%s] requires bus to be 'scsi'. [%s] is not permitted.", disk.Name, disk.LUN.Bus)
	case disk.Disk == nil && disk.LUN == nil:
		return fmt.Errorf(prefix+" for [%s] requires diskDevice of type 'disk' or 'lun' to be used.", disk.Name)
	}
	return nil
}

// syncError is a failure with the reason that a machine shows for it.
type syncError struct {
	reason string
	err    error
}

func (e *syncError) Error() string { return e.err.Error() }

func (e *syncError) Unwrap() error { return e.err }
