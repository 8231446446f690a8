// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinit

import (
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
)

// Onto puts the data into the cloud-init disk of the machine, or removes it.
func (s Seed) Onto(spec *kubevirtv1.VirtualMachineInstanceSpec) {
	name := DiskName
	live := Volume(spec)
	if live != nil {
		name = live.Name
	}
	isSeed := func(n string) bool { return live != nil && n == name }
	var disks []kubevirtv1.Disk
	var volumes []kubevirtv1.Volume
	if s.Kind != "" {
		volumes = append(volumes, kubevirtv1.Volume{Name: name, VolumeSource: s.source()})
		disks = append(disks, s.device(name, spec, live))
	}
	device.Place(spec, disks, volumes, isSeed)
}

// device keeps the live disk as long as the kind of data stays the same.
func (s Seed) device(name string, spec *kubevirtv1.VirtualMachineInstanceSpec, live *kubevirtv1.Volume) kubevirtv1.Disk {
	if live != nil && Read(live).Kind == s.Kind {
		for _, d := range spec.Domain.Devices.Disks {
			if d.Name == name {
				return d
			}
		}
	}
	if s.Kind == TypeConfigDrive {
		return kubevirtv1.Disk{Name: name, DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{Bus: kubevirtv1.DiskBusSATA}}}
	}
	return kubevirtv1.Disk{Name: name, DiskDevice: kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{Bus: kubevirtv1.DiskBusVirtio}}}
}

func (s Seed) source() kubevirtv1.VolumeSource {
	if s.Kind == TypeConfigDrive {
		return kubevirtv1.VolumeSource{CloudInitConfigDrive: &kubevirtv1.CloudInitConfigDriveSource{
			UserData: s.UserData, UserDataBase64: s.UserDataBase64, UserDataSecretRef: secretReference(s.UserDataSecret),
			NetworkData: s.NetworkData, NetworkDataBase64: s.NetworkDataBase64, NetworkDataSecretRef: secretReference(s.NetworkDataSecret),
		}}
	}
	return kubevirtv1.VolumeSource{CloudInitNoCloud: &kubevirtv1.CloudInitNoCloudSource{
		UserData: s.UserData, UserDataBase64: s.UserDataBase64, UserDataSecretRef: secretReference(s.UserDataSecret),
		NetworkData: s.NetworkData, NetworkDataBase64: s.NetworkDataBase64, NetworkDataSecretRef: secretReference(s.NetworkDataSecret),
	}}
}

func secretReference(name string) *corev1.LocalObjectReference {
	if name == "" {
		return nil
	}
	return &corev1.LocalObjectReference{Name: name}
}

func secretName(reference *corev1.LocalObjectReference) string {
	if reference == nil {
		return ""
	}
	return reference.Name
}

// Volume finds the volume with cloud-init data, nil if there is none.
func Volume(spec *kubevirtv1.VirtualMachineInstanceSpec) *kubevirtv1.Volume {
	for i := range spec.Volumes {
		if Read(&spec.Volumes[i]).Kind != "" {
			return &spec.Volumes[i]
		}
	}
	return nil
}

// Read is the cloud-init data of a volume; of kind "" if it holds none.
func Read(volume *kubevirtv1.Volume) Seed {
	switch {
	case volume.CloudInitNoCloud != nil:
		source := volume.CloudInitNoCloud
		return Seed{
			TypeNoCloud,
			source.UserData, source.UserDataBase64, secretName(source.UserDataSecretRef),
			source.NetworkData, source.NetworkDataBase64, secretName(source.NetworkDataSecretRef),
		}
	case volume.CloudInitConfigDrive != nil:
		source := volume.CloudInitConfigDrive
		return Seed{
			TypeConfigDrive,
			source.UserData, source.UserDataBase64, secretName(source.UserDataSecretRef),
			source.NetworkData, source.NetworkDataBase64, secretName(source.NetworkDataSecretRef),
		}
	}
	return Seed{}
}
