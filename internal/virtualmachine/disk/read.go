// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// Read lists the disks this resource manages. Cloud-init data have their own
// block; volumes of other kinds (Secrets, ConfigMaps, LUNs, …) are nobody's business here.
func Read(prior []Disk, vm *kubevirtv1.VirtualMachine) []Disk {
	spec := &vm.Spec.Template.Spec
	templates := ParseTemplates(vm)
	var disks []Disk
	for _, device := range spec.Domain.Devices.Disks {
		volume := VolumeNamed(spec.Volumes, device.Name)
		if !manageable(device, volume) {
			continue
		}
		d := Disk{AutoDelete: types.BoolValue(false)}
		if old := Named(prior, device.Name); old != nil {
			d = *old
		}
		d.readDevice(device)
		d.readSource(volume, templates, vm.Namespace)
		disks = append(disks, d)
	}
	return disks
}

// VolumeNamed returns the volume of that name, nil if there is none.
func VolumeNamed(volumes []kubevirtv1.Volume, name string) *kubevirtv1.Volume {
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
	return Claim(volume) != "" || volume.ContainerDisk != nil
}

func (d *Disk) readDevice(device kubevirtv1.Disk) {
	kind, bus := TypeDisk, kubevirtv1.DiskBus("")
	switch {
	case device.CDRom != nil:
		kind, bus = TypeCDROM, device.CDRom.Bus
	case device.Disk != nil:
		bus = device.Disk.Bus
	}
	d.Name = types.StringValue(device.Name)
	d.Type = types.StringValue(kind)
	d.Bus = arg.KeepOpen(d.Bus, string(bus))
	d.CacheMode = tfbase.Keep(d.CacheMode, string(device.Cache))
	d.BootOrder = arg.KeepOrder(d.BootOrder, device.BootOrder)
}

func (d *Disk) readSource(volume *kubevirtv1.Volume, templates Templates, namespace string) {
	hotPlug := d.HotPlug.ValueBool() // says nothing of a drive without a medium, or of a container image
	switch {
	case volume == nil:
		d.forgetVolume()
	case volume.ContainerDisk != nil:
		d.forgetVolume()
		d.ContainerImageName = types.StringValue(volume.ContainerDisk.Image)
	case volume.PersistentVolumeClaim != nil:
		hotPlug = volume.PersistentVolumeClaim.Hotpluggable
		d.readClaim(Claim(volume), templates, namespace)
	default:
		hotPlug = volume.DataVolume.Hotpluggable
		d.readClaim(Claim(volume), templates, namespace)
	}
	d.HotPlug = types.BoolValue(hotPlug)
	for _, value := range []*types.String{&d.Size, &d.StorageClassName, &d.VolumeMode, &d.AccessMode, &d.VolumeName} {
		*value = arg.Settled(*value)
	}
}

// forgetVolume leaves what the configuration may have said in vain, such as the
// size of a CD drive without a medium.
func (d *Disk) forgetVolume() {
	owned := d.Owns()
	d.Image, d.ExistingVolumeName, d.ContainerImageName = arg.Cleared(d.Image), arg.Cleared(d.ExistingVolumeName), arg.Cleared(d.ContainerImageName)
	if owned {
		d.VolumeName = types.StringNull()
	}
}

// readClaim: a volume with a template is the machine's own. One without belongs to
// others, unless the state knows better: a restore can lose templates.
func (d *Disk) readClaim(name string, templates Templates, namespace string) {
	d.ContainerImageName = arg.Cleared(d.ContainerImageName)
	template := templates.Of(name)
	switch {
	case d.ExistingVolumeName.ValueString() == name:
	case template != nil:
		d.ExistingVolumeName = arg.Cleared(d.ExistingVolumeName)
		d.readTemplate(template, namespace)
	case d.VolumeName.ValueString() != name:
		*d = Disk{
			Name: d.Name, Type: d.Type, Bus: d.Bus, CacheMode: d.CacheMode, BootOrder: d.BootOrder,
			ExistingVolumeName: types.StringValue(name), AutoDelete: types.BoolValue(false),
		}
	}
	d.VolumeName = types.StringValue(name)
}

func (d *Disk) readTemplate(template *Template, namespace string) {
	// A template that says nothing about an image is no proof that there was
	// none: restores and migrations make such templates.
	if image := template.image(namespace); image != "" && image != arg.Qualified(d.Image, namespace) {
		d.Image = types.StringValue(image)
	}
	d.AutoDelete = types.BoolValue(template.Annotations[AnnotationAutoDelete] == "true")
	d.Size = keepSize(d.Size, template.Spec.Resources.Requests)
	if class := template.Spec.StorageClassName; class != nil {
		d.StorageClassName = arg.TextOrNull(*class)
	}
	if mode := template.Spec.VolumeMode; mode != nil {
		d.VolumeMode = arg.TextOrNull(string(*mode))
	}
	if modes := template.Spec.AccessModes; len(modes) > 0 {
		d.AccessMode = arg.TextOrNull(string(modes[0]))
	}
}

func keepSize(prior types.String, requests corev1.ResourceList) types.String {
	if arg.Known(prior) && prior.ValueString() == "" {
		return prior
	}
	return arg.KeepQuantity(prior, requests.Storage().String())
}
