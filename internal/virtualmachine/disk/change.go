// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

type fieldPair struct {
	name         string
	planned, old *types.String
}

// volumeFields pairs what describes the volume with the same of another disk.
func (d *Disk) volumeFields(old *Disk) []fieldPair {
	return append(d.fixedFields(old),
		fieldPair{"size", &d.Size, &old.Size},
		fieldPair{"volume_name", &d.VolumeName, &old.VolumeName},
	)
}

// fixedFields are those that a volume never changes.
func (d *Disk) fixedFields(old *Disk) []fieldPair {
	return []fieldPair{
		{"storage_class_name", &d.StorageClassName, &old.StorageClassName},
		{"volume_mode", &d.VolumeMode, &old.VolumeMode},
		{"access_mode", &d.AccessMode, &old.AccessMode},
	}
}

// drive says that the disk is a CD drive in the plan and before: its medium can change, and the
// machine stays.
func (d Disk) drive(old Disk) bool {
	return d.Type.ValueString() == TypeCDROM && old.Type.ValueString() == TypeCDROM
}

// Replaces lists the attributes that only another machine can satisfy, with another volume. It takes a
// settled disk, so what is unknown here is unknown in the configuration, and
// counts as changed.
func (d Disk) Replaces(old Disk, namespace string) []string {
	switch {
	case !d.Owns() || !old.Owns() || d.drive(old):
		return nil
	case !d.sameImage(old, namespace):
		return []string{"image"}
	}
	var changed []string
	for _, pair := range d.fixedFields(&old) {
		if arg.Set(*pair.old) && (pair.planned.IsUnknown() || arg.Set(*pair.planned) && !pair.planned.Equal(*pair.old)) {
			changed = append(changed, pair.name)
		}
	}
	return changed
}

// Swaps says that a CD drive wants another medium, in a volume of another name.
func (d Disk) Swaps(old Disk, namespace string) bool {
	return d.Owns() && old.Owns() && d.drive(old) && !d.goesOn(old, namespace)
}

// goesOn says that a disk whose volume is the machine's own goes on with the volume it has. What is
// left open is no reason for another one.
func (d Disk) goesOn(old Disk, namespace string) bool {
	if !old.Owns() || !d.sameImage(old, namespace) {
		return false
	}
	differs := func(pair fieldPair) bool {
		return arg.Set(*pair.old) && arg.Set(*pair.planned) && !pair.planned.Equal(*pair.old)
	}
	return !d.drive(old) || !slices.ContainsFunc(d.fixedFields(&old), differs)
}

func (d Disk) sameImage(old Disk, namespace string) bool {
	return !d.Image.IsUnknown() && arg.Qualified(d.Image, namespace) == arg.Qualified(old.Image, namespace)
}

// Shrinks says that the disk is planned smaller than it is.
func (d Disk) Shrinks(old Disk) bool {
	return d.Owns() && old.Owns() && d.VolumeName.Equal(old.VolumeName) &&
		arg.Set(d.Size) && arg.Set(old.Size) && arg.Bytes(d.Size.ValueString()) < arg.Bytes(old.Size.ValueString())
}

// NeedsVolume says that the disk wants a volume that the machine does not have yet.
func (d Disk) NeedsVolume(old *Disk) bool {
	return d.Owns() && (old == nil || !old.Owns() || !d.VolumeName.Equal(old.VolumeName))
}

// Attaches says that the disk wants a volume of others that it did not have before.
func (d Disk) Attaches(old *Disk) bool {
	return d.source() == sourceExisting && (old == nil || !old.ExistingVolumeName.Equal(d.ExistingVolumeName))
}

// UsesNewImage says that the image of the disk was not used by the disk before.
func (d Disk) UsesNewImage(old *Disk, namespace string) bool {
	return d.source() == sourceImage && arg.Known(d.Image) &&
		(d.NeedsVolume(old) || !d.sameImage(*old, namespace))
}
