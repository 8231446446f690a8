// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"encoding/base64"

	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// readDisks lists the disks this resource manages. Cloud-init data have their own
// block; volumes of other kinds (Secrets, ConfigMaps, LUNs, …) are nobody's business here.
func readDisks(prior []disk, vm *kubevirtv1.VirtualMachine) []disk {
	spec := &vm.Spec.Template.Spec
	templates := parseTemplates(vm)
	var disks []disk
	for _, device := range spec.Domain.Devices.Disks {
		volume := volumeNamed(spec.Volumes, device.Name)
		if !manageable(device, volume) {
			continue
		}
		d := disk{AutoDelete: types.BoolValue(false)}
		if old := named(prior, device.Name); old != nil {
			d = *old
		}
		d.readDevice(device)
		d.readSource(volume, templates, vm.Namespace)
		disks = append(disks, d)
	}
	return disks
}

func volumeNamed(volumes []kubevirtv1.Volume, name string) *kubevirtv1.Volume {
	for i := range volumes {
		if volumes[i].Name == name {
			return &volumes[i]
		}
	}
	return nil
}

func manageable(device kubevirtv1.Disk, volume *kubevirtv1.Volume) bool {
	if device.LUN != nil {
		return false
	}
	if volume == nil {
		return device.CDRom != nil // a drive without a medium
	}
	return claim(volume) != "" || volume.ContainerDisk != nil
}

func (d *disk) readDevice(device kubevirtv1.Disk) {
	kind, bus := typeDisk, kubevirtv1.DiskBus("")
	switch {
	case device.CDRom != nil:
		kind, bus = typeCDROM, device.CDRom.Bus
	case device.Disk != nil:
		bus = device.Disk.Bus
	}
	d.Name = types.StringValue(device.Name)
	d.Type = types.StringValue(kind)
	d.Bus = keepOpen(d.Bus, string(bus))
	d.CacheMode = tfbase.Keep(d.CacheMode, string(device.Cache))
	d.BootOrder = keepOrder(d.BootOrder, device.BootOrder)
}

func (d *disk) readSource(volume *kubevirtv1.Volume, templates volumeTemplates, namespace string) {
	hotPlug := false
	switch {
	case volume == nil:
		d.forgetVolume()
	case volume.ContainerDisk != nil:
		d.forgetVolume()
		d.ContainerImageName = types.StringValue(volume.ContainerDisk.Image)
	case volume.PersistentVolumeClaim != nil:
		hotPlug = volume.PersistentVolumeClaim.Hotpluggable
		d.readClaim(claim(volume), templates, namespace)
	default:
		hotPlug = volume.DataVolume.Hotpluggable
		d.readClaim(claim(volume), templates, namespace)
	}
	d.HotPlug = types.BoolValue(hotPlug)
	for _, value := range []*types.String{&d.Size, &d.StorageClassName, &d.VolumeMode, &d.AccessMode, &d.VolumeName} {
		*value = settled(*value)
	}
}

// forgetVolume leaves what the configuration may have said in vain, such as the
// size of a CD drive without a medium.
func (d *disk) forgetVolume() {
	owned := d.owns()
	d.Image, d.ExistingVolumeName, d.ContainerImageName = cleared(d.Image), cleared(d.ExistingVolumeName), cleared(d.ContainerImageName)
	if owned {
		d.VolumeName = types.StringNull()
	}
}

// cleared is a value that says nothing: null, or "" if that is how it was said.
func cleared(value types.String) types.String {
	if known(value) && value.ValueString() == "" {
		return value
	}
	return types.StringNull()
}

// readClaim: a volume with a template is the machine's own. One without belongs to
// others, unless the state knows better: a restore can lose templates.
func (d *disk) readClaim(name string, templates volumeTemplates, namespace string) {
	d.ContainerImageName = cleared(d.ContainerImageName)
	template := templates.of(name)
	switch {
	case d.ExistingVolumeName.ValueString() == name:
	case template != nil:
		d.ExistingVolumeName = cleared(d.ExistingVolumeName)
		d.readTemplate(template, namespace)
	case d.VolumeName.ValueString() != name:
		*d = disk{
			Name: d.Name, Type: d.Type, Bus: d.Bus, CacheMode: d.CacheMode, BootOrder: d.BootOrder,
			ExistingVolumeName: types.StringValue(name), AutoDelete: types.BoolValue(false),
		}
	}
	d.VolumeName = types.StringValue(name)
}

func (d *disk) readTemplate(template *volumeTemplate, namespace string) {
	// A template that says nothing about an image is no proof that there was
	// none: restores and migrations make such templates.
	if image := template.image(namespace); image != "" && image != qualified(d.Image, namespace) {
		d.Image = types.StringValue(image)
	}
	d.AutoDelete = types.BoolValue(template.Annotations[annotationAutoDelete] == "true")
	d.Size = keepSize(d.Size, template.Spec.Resources.Requests)
	if class := template.Spec.StorageClassName; class != nil {
		d.StorageClassName = textOrNull(*class)
	}
	if mode := template.Spec.VolumeMode; mode != nil {
		d.VolumeMode = textOrNull(string(*mode))
	}
	if modes := template.Spec.AccessModes; len(modes) > 0 {
		d.AccessMode = textOrNull(string(modes[0]))
	}
}

func keepSize(prior types.String, requests corev1.ResourceList) types.String {
	if known(prior) && prior.ValueString() == "" {
		return prior
	}
	return keepQuantity(prior, requests.Storage().String())
}

// readCloudInit keeps what the configuration says as long as the machine has
// that, with or without user and keys added to it.
func readCloudInit(prior *cloudInit, vm *kubevirtv1.VirtualMachine, secret *corev1.Secret) *cloudInit {
	volume := seedVolume(&vm.Spec.Template.Spec)
	if volume == nil {
		return nil
	}
	live := readSeed(volume)
	block := cloudInit{}
	if prior != nil {
		block = *prior
	}
	block.Type = types.StringValue(live.kind)
	if ownSecret(vm.Name, live.userDataSecret) {
		if secret == nil {
			return &block // it cannot be read, so nothing is known to differ
		}
		live.inlineUser(string(secret.Data[keyUserData]), set(block.UserDataBase64))
	}
	if ownSecret(vm.Name, live.networkDataSecret) {
		if secret == nil {
			return &block
		}
		live.inlineNetwork(string(secret.Data[keyNetworkData]), set(block.NetworkDataBase64))
	}
	if !addedTo(block.UserData.ValueString(), live.userData) {
		block.UserData = types.StringValue(live.userData)
	}
	block.UserData = settled(block.UserData)
	block.UserDataBase64 = tfbase.Keep(block.UserDataBase64, live.userDataBase64)
	block.UserDataSecretName = tfbase.Keep(block.UserDataSecretName, live.userDataSecret)
	block.NetworkData = tfbase.Keep(block.NetworkData, live.networkData)
	block.NetworkDataBase64 = tfbase.Keep(block.NetworkDataBase64, live.networkDataBase64)
	block.NetworkDataSecretName = tfbase.Keep(block.NetworkDataSecretName, live.networkDataSecret)
	return &block
}

// inlineUser puts data that were too long for the machine back to where the
// configuration has them.
func (s *seed) inlineUser(text string, encoded bool) {
	s.userDataSecret = ""
	if encoded {
		s.userDataBase64 = base64.StdEncoding.EncodeToString([]byte(text))
		return
	}
	s.userData = text
}

func (s *seed) inlineNetwork(text string, encoded bool) {
	s.networkDataSecret = ""
	if encoded {
		s.networkDataBase64 = base64.StdEncoding.EncodeToString([]byte(text))
		return
	}
	s.networkData = text
}
