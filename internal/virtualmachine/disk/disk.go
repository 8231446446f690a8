// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// source says where the bytes of a disk come from.
type source int

const (
	sourceNothing   source = iota // a CD drive without a medium
	sourceBlank                   // a new volume
	sourceImage                   // a new volume with the contents of an image
	sourceExisting                // a volume that others made
	sourceContainer               // a container image
)

func (d Disk) source() source {
	given := func(value types.String) bool { return value.IsUnknown() || arg.Set(value) }
	switch {
	case given(d.ExistingVolumeName):
		return sourceExisting
	case given(d.ContainerImageName):
		return sourceContainer
	case given(d.Image):
		return sourceImage
	case d.Type.ValueString() == TypeCDROM:
		return sourceNothing
	}
	return sourceBlank
}

// Owns says that the disk's volume is made for this machine.
func (d Disk) Owns() bool {
	source := d.source()
	return source == sourceBlank || source == sourceImage
}

// FromImage says that the disk's volume starts with the contents of an image.
func (d Disk) FromImage() bool { return d.source() == sourceImage }

// Settle fills in what the configuration leaves open and is known at plan: from
// the disk of the same name in the state, or by the defaults. What only apply can
// know stays unknown.
func (d *Disk) Settle(old *Disk, namespace string) {
	if d.HotPlug.IsUnknown() {
		d.HotPlug = types.BoolValue(old != nil && old.HotPlug.ValueBool())
	}
	if d.Bus.IsUnknown() {
		d.Bus = d.busFor(old)
	}
	switch {
	case d.undecided():
	case !d.Owns():
		d.settleForeign()
	case old != nil && d.goesOn(*old, namespace):
		for _, pair := range d.volumeFields(old) {
			if pair.planned.IsUnknown() && arg.Known(*pair.old) {
				*pair.planned = *pair.old
			}
		}
	default:
		d.settleNew()
	}
}

// undecided says that an unknown value may still change where the bytes come from.
func (d Disk) undecided() bool {
	return d.ExistingVolumeName.IsUnknown() || d.ContainerImageName.IsUnknown() ||
		d.Image.IsUnknown() && d.Type.ValueString() != TypeDisk
}

func (d *Disk) busFor(old *Disk) types.String {
	switch {
	case d.Type.IsUnknown():
		return d.Bus
	case old != nil && !old.Bus.IsUnknown() && old.Type.Equal(d.Type) && old.HotPlug.Equal(d.HotPlug):
		return old.Bus // null if those who made it left it to KubeVirt
	case d.Type.ValueString() == TypeCDROM:
		return types.StringValue(BusSATA)
	case d.HotPlug.ValueBool():
		return types.StringValue(BusSCSI)
	}
	return types.StringValue(BusVirtio)
}

// settleForeign: a volume of others is known by its name alone, and the other
// sources have none.
func (d *Disk) settleForeign() {
	if d.VolumeName.IsUnknown() {
		d.VolumeName = types.StringNull()
		if d.source() == sourceExisting {
			d.VolumeName = d.ExistingVolumeName
		}
	}
	for _, value := range []*types.String{&d.Size, &d.StorageClassName, &d.VolumeMode, &d.AccessMode} {
		if value.IsUnknown() {
			*value = types.StringNull()
		}
	}
}

func (d *Disk) settleNew() {
	if d.VolumeMode.IsUnknown() {
		d.VolumeMode = types.StringValue(defaultVolumeMode)
	}
	if d.AccessMode.IsUnknown() {
		d.AccessMode = types.StringValue(defaultAccessMode)
	}
	if d.Size.IsUnknown() && d.source() == sourceBlank {
		d.Size = types.StringValue(defaultSize)
	}
}

// Complete gives a new volume all that is still open about it.
func (d *Disk) Complete(vmName string, image *api.VirtualMachineImage, defaultClass string) {
	class, size := defaultClass, defaultSize
	if image != nil {
		class, size = image.Status.StorageClassName, sizeFor(image)
	}
	for _, open := range []struct {
		value *types.String
		text  string
	}{
		{&d.VolumeName, vmName + "-" + d.Name.ValueString() + "-" + rand.String(5)},
		{&d.StorageClassName, class},
		{&d.VolumeMode, defaultVolumeMode},
		{&d.AccessMode, defaultAccessMode},
		{&d.Size, size},
	} {
		if !arg.Set(*open.value) {
			*open.value = types.StringValue(open.text)
		}
	}
}

// sizeFor is the default size of a disk made from an image: what it needs in
// whole GiB, but at least the usual default.
func sizeFor(image *api.VirtualMachineImage) string {
	const gib = 1 << 30
	needed := (image.Status.VirtualSize + gib - 1) / gib * gib
	if needed <= arg.Bytes(defaultSize) {
		return defaultSize
	}
	return resource.NewQuantity(needed, resource.BinarySI).String()
}
