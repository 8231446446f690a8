// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// ontoDisks writes disks, volumes, volume templates and cloud-init data. What the
// machine object has besides, of kinds this resource does not manage or attached since the
// last look, stays.
func (m machine) ontoDisks(vm *kubevirtv1.VirtualMachine, before *machine, seed *seed) error {
	spec := &vm.Spec.Template.Spec
	managed := func(name string) bool {
		return named(m.disks, name) != nil || before != nil && named(before.disks, name) != nil
	}
	templates := parseTemplates(vm)
	var disks []kubevirtv1.Disk
	var volumes []kubevirtv1.Volume
	for _, d := range m.disks {
		disks = append(disks, d.device(spec.Domain.Devices.Disks))
		if volume := d.volume(spec.Volumes); volume != nil {
			volumes = append(volumes, *volume)
		}
		if d.owns() {
			templates = templates.with(d, vm.Namespace)
		}
	}
	spec.Domain.Devices.Disks = arrange(spec.Domain.Devices.Disks, disks, diskName, managed)
	spec.Volumes = arrange(spec.Volumes, volumes, volumeName, managed)
	if seed != nil {
		seed.onto(spec)
	}
	return templates.keep(attachedTo(spec)).annotate(vm)
}

func diskName(d kubevirtv1.Disk) string     { return d.Name }
func volumeName(v kubevirtv1.Volume) string { return v.Name }

// attachedTo tells whether a volume is attached to the machine.
func attachedTo(spec *kubevirtv1.VirtualMachineInstanceSpec) func(string) bool {
	attached := map[string]bool{}
	for i := range spec.Volumes {
		attached[claim(&spec.Volumes[i])] = true
	}
	delete(attached, "")
	return func(volume string) bool { return attached[volume] }
}

// arrange puts the wanted items, in their order, into the places of those managed
// so far, and the rest at the end. So what others added keeps its place, and a disk
// added at the end of the configuration moves no other in the guest.
func arrange[T any](live, wanted []T, name func(T) string, managed func(string) bool) []T {
	var result []T
	for _, item := range live {
		switch {
		case !managed(name(item)):
			result = append(result, item)
		case len(wanted) > 0:
			result = append(result, wanted[0])
			wanted = wanted[1:]
		}
	}
	return append(result, wanted...)
}

// claim is the name of the volume (PersistentVolumeClaim) behind a volume of a
// machine, "" if there is none. A DataVolume makes one of its own name.
func claim(volume *kubevirtv1.Volume) string {
	switch {
	case volume.PersistentVolumeClaim != nil:
		return volume.PersistentVolumeClaim.ClaimName
	case volume.DataVolume != nil:
		return volume.DataVolume.Name
	}
	return ""
}

// device is the disk as the guest sees it. Of the live disk of that name it
// keeps what this resource knows nothing of, such as the serial number.
func (d disk) device(live []kubevirtv1.Disk) kubevirtv1.Disk {
	device := kubevirtv1.Disk{Name: d.Name.ValueString()}
	for i := range live {
		if live[i].Name == device.Name {
			device = live[i]
		}
	}
	bus := kubevirtv1.DiskBus(d.Bus.ValueString())
	if bus == "" {
		bus = kubevirtv1.DiskBus(d.busFor(nil).ValueString())
	}
	switch d.Type.ValueString() {
	case typeCDROM:
		if device.CDRom == nil {
			device.DiskDevice = kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{}}
		}
		device.CDRom.Bus = bus
	default:
		if device.Disk == nil {
			device.DiskDevice = kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{}}
		}
		device.Disk.Bus = bus
	}
	device.Cache = kubevirtv1.DriverCache(d.CacheMode.ValueString())
	device.BootOrder = bootOrder(d.BootOrder.ValueInt64())
	return device
}

func bootOrder(order int64) *uint {
	if order <= 0 {
		return nil
	}
	place := uint(order)
	return &place
}

// volume is what the disk's bytes come from; nil for a CD drive without a medium.
func (d disk) volume(live []kubevirtv1.Volume) *kubevirtv1.Volume {
	volume := kubevirtv1.Volume{Name: d.Name.ValueString()}
	for i := range live {
		if live[i].Name == volume.Name {
			volume = live[i]
		}
	}
	switch d.source() {
	case sourceNothing:
		return nil
	case sourceContainer:
		d.containerVolume(&volume)
	case sourceExisting:
		d.claimVolume(&volume, d.ExistingVolumeName.ValueString())
	case sourceBlank, sourceImage:
		d.claimVolume(&volume, d.VolumeName.ValueString())
	}
	return &volume
}

func (d disk) containerVolume(volume *kubevirtv1.Volume) {
	image := d.ContainerImageName.ValueString()
	if volume.ContainerDisk == nil || volume.ContainerDisk.Image != image {
		volume.VolumeSource = kubevirtv1.VolumeSource{
			ContainerDisk: &kubevirtv1.ContainerDiskSource{Image: image, ImagePullPolicy: corev1.PullIfNotPresent},
		}
	}
}

func (d disk) claimVolume(volume *kubevirtv1.Volume, name string) {
	if claim(volume) != name {
		volume.VolumeSource = kubevirtv1.VolumeSource{PersistentVolumeClaim: &kubevirtv1.PersistentVolumeClaimVolumeSource{
			PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
		}}
	}
	if volume.PersistentVolumeClaim != nil {
		volume.PersistentVolumeClaim.Hotpluggable = d.HotPlug.ValueBool()
	} else {
		volume.DataVolume.Hotpluggable = d.HotPlug.ValueBool()
	}
}
