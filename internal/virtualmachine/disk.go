// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
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

func (d disk) source() source {
	given := func(value types.String) bool { return value.IsUnknown() || set(value) }
	switch {
	case given(d.ExistingVolumeName):
		return sourceExisting
	case given(d.ContainerImageName):
		return sourceContainer
	case given(d.Image):
		return sourceImage
	case d.Type.ValueString() == typeCDROM:
		return sourceNothing
	}
	return sourceBlank
}

// owns says that the disk's volume is made for this machine.
func (d disk) owns() bool {
	source := d.source()
	return source == sourceBlank || source == sourceImage
}

// settle fills in what the configuration leaves open and is known at plan: from
// the disk of the same name in the state, or by the defaults. What only apply can
// know stays unknown.
func (d *disk) settle(old *disk, namespace string) {
	if d.HotPlug.IsUnknown() {
		d.HotPlug = types.BoolValue(old != nil && old.HotPlug.ValueBool())
	}
	if d.Bus.IsUnknown() {
		d.Bus = d.busFor(old)
	}
	switch {
	case d.undecided():
	case !d.owns():
		d.settleForeign()
	case old != nil && old.owns() && d.sameImage(*old, namespace):
		for _, pair := range d.volumeFields(old) {
			if pair.planned.IsUnknown() && known(*pair.old) {
				*pair.planned = *pair.old
			}
		}
	default:
		d.settleNew()
	}
}

// undecided says that an unknown value may still change where the bytes come from.
func (d disk) undecided() bool {
	return d.ExistingVolumeName.IsUnknown() || d.ContainerImageName.IsUnknown() ||
		d.Image.IsUnknown() && d.Type.ValueString() != typeDisk
}

func (d *disk) busFor(old *disk) types.String {
	switch {
	case d.Type.IsUnknown():
		return d.Bus
	case old != nil && set(old.Bus) && old.Type.Equal(d.Type) && old.HotPlug.Equal(d.HotPlug):
		return old.Bus
	case d.Type.ValueString() == typeCDROM:
		return types.StringValue(busSATA)
	case d.HotPlug.ValueBool():
		return types.StringValue(busSCSI)
	}
	return types.StringValue(busVirtio)
}

// settleForeign: a volume of others is known by its name alone, and the other
// sources have none.
func (d *disk) settleForeign() {
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

func (d *disk) settleNew() {
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

type fieldPair struct {
	name         string
	planned, old *types.String
}

// volumeFields pairs what describes the volume with the same of another disk.
func (d *disk) volumeFields(old *disk) []fieldPair {
	return append(d.fixedFields(old),
		fieldPair{"size", &d.Size, &old.Size},
		fieldPair{"volume_name", &d.VolumeName, &old.VolumeName},
	)
}

// fixedFields are those that a volume never changes.
func (d *disk) fixedFields(old *disk) []fieldPair {
	return []fieldPair{
		{"storage_class_name", &d.StorageClassName, &old.StorageClassName},
		{"volume_mode", &d.VolumeMode, &old.VolumeMode},
		{"access_mode", &d.AccessMode, &old.AccessMode},
	}
}

// replaces lists the attributes that only another volume can satisfy. It takes a
// settled disk, so what is unknown here is unknown in the configuration, and
// counts as changed.
func (d disk) replaces(old disk, namespace string) []string {
	if !d.owns() || !old.owns() {
		return nil
	}
	if !d.sameImage(old, namespace) {
		return []string{"image"}
	}
	var changed []string
	for _, pair := range d.fixedFields(&old) {
		if set(*pair.old) && (pair.planned.IsUnknown() || set(*pair.planned) && !pair.planned.Equal(*pair.old)) {
			changed = append(changed, pair.name)
		}
	}
	return changed
}

func (d disk) sameImage(old disk, namespace string) bool {
	return !d.Image.IsUnknown() && qualified(d.Image, namespace) == qualified(old.Image, namespace)
}

// shrinks says that the disk is planned smaller than it is.
func (d disk) shrinks(old disk) bool {
	return d.owns() && old.owns() && d.VolumeName.Equal(old.VolumeName) &&
		set(d.Size) && set(old.Size) && bytesOf(d.Size.ValueString()) < bytesOf(old.Size.ValueString())
}

// needsVolume says that the disk wants a volume that the machine does not have yet.
func (d disk) needsVolume(old *disk) bool {
	return d.owns() && (old == nil || !old.owns() || !d.VolumeName.Equal(old.VolumeName))
}

// usesNewImage says that the image of the disk was not used by the disk before.
func (d disk) usesNewImage(old *disk, namespace string) bool {
	return d.source() == sourceImage && known(d.Image) &&
		(d.needsVolume(old) || !d.sameImage(*old, namespace))
}

// complete gives a new volume all that is still open about it.
func (d *disk) complete(vmName string, image *api.VirtualMachineImage, defaultClass string) {
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
		if !set(*open.value) {
			*open.value = types.StringValue(open.text)
		}
	}
}

// sizeFor is the default size of a disk made from an image: what it needs in
// whole GiB, but at least the usual default.
func sizeFor(image *api.VirtualMachineImage) string {
	const gib = 1 << 30
	needed := (image.Status.VirtualSize + gib - 1) / gib * gib
	if needed <= bytesOf(defaultSize) {
		return defaultSize
	}
	return resource.NewQuantity(needed, resource.BinarySI).String()
}

// qualified is an image reference as namespace/name; "" if there is none.
func qualified(reference types.String, namespace string) string {
	if !set(reference) {
		return ""
	}
	namespace, name, err := tfbase.ParseReference(reference.ValueString(), namespace)
	if err != nil {
		return reference.ValueString() // validation refuses it
	}
	return tfbase.ID(namespace, name)
}

// bytesOf is the value of a quantity; 0 if it is none, which validation refuses.
func bytesOf(quantity string) int64 {
	parsed, err := resource.ParseQuantity(quantity)
	if err != nil {
		return 0
	}
	return parsed.Value()
}
