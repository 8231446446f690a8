// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
)

// Onto writes the disks, with their volumes and volume templates, onto a machine that
// has a template. Before are the disks as the state knew them. What the machine has besides,
// of kinds this resource does not manage or attached since the last look, stays.
func Onto(vm *kubevirtv1.VirtualMachine, disks, before []Disk) error {
	spec := &vm.Spec.Template.Spec
	templates := ParseTemplates(vm)
	var devices []kubevirtv1.Disk
	var volumes []kubevirtv1.Volume
	for _, d := range disks {
		devices = append(devices, d.device(spec.Domain.Devices.Disks))
		if volume := d.volume(spec.Volumes); volume != nil {
			volumes = append(volumes, *volume)
		}
		if d.Owns() {
			templates = templates.with(d, vm.Namespace)
		}
	}
	device.Place(spec, devices, volumes, func(name string) bool { return Named(disks, name) != nil || Named(before, name) != nil })
	return templates.keep(attachedTo(spec)).annotate(vm)
}

// attachedTo tells whether a volume is attached to the machine.
func attachedTo(spec *kubevirtv1.VirtualMachineInstanceSpec) func(string) bool {
	attached := map[string]bool{}
	for i := range spec.Volumes {
		attached[Claim(&spec.Volumes[i])] = true
	}
	delete(attached, "")
	return func(volume string) bool { return attached[volume] }
}

// Claim is the name of the volume (PersistentVolumeClaim) behind a volume of a
// machine, "" if there is none. A DataVolume makes one of its own name.
func Claim(volume *kubevirtv1.Volume) string {
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
func (d Disk) device(live []kubevirtv1.Disk) kubevirtv1.Disk {
	device, found := kubevirtv1.Disk{Name: d.Name.ValueString()}, false
	for i := range live {
		if live[i].Name == device.Name {
			device, found = live[i], true
		}
	}
	bus, usual := kubevirtv1.DiskBus(d.Bus.ValueString()), kubevirtv1.DiskBus(d.busFor(nil).ValueString())
	if found && device.DiskDevice == (kubevirtv1.DiskDevice{}) {
		usual = "" // left to KubeVirt by those who made it
	}
	switch d.Type.ValueString() {
	case TypeCDROM:
		if device.CDRom == nil {
			device.DiskDevice = kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{Bus: usual}}
		}
		device.CDRom.Bus = cmp.Or(bus, device.CDRom.Bus)
	default:
		if device.Disk == nil {
			device.DiskDevice = kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{Bus: usual}}
		}
		device.Disk.Bus = cmp.Or(bus, device.Disk.Bus)
	}
	device.Cache = kubevirtv1.DriverCache(d.CacheMode.ValueString())
	device.BootOrder = arg.BootOrder(d.BootOrder.ValueInt64())
	return device
}

// volume is what the disk's bytes come from; nil for a CD drive without a medium.
func (d Disk) volume(live []kubevirtv1.Volume) *kubevirtv1.Volume {
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

func (d Disk) containerVolume(volume *kubevirtv1.Volume) {
	image := d.ContainerImageName.ValueString()
	if volume.ContainerDisk == nil || volume.ContainerDisk.Image != image {
		volume.VolumeSource = kubevirtv1.VolumeSource{
			ContainerDisk: &kubevirtv1.ContainerDiskSource{Image: image, ImagePullPolicy: corev1.PullIfNotPresent},
		}
	}
}

func (d Disk) claimVolume(volume *kubevirtv1.Volume, name string) {
	if Claim(volume) != name {
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
