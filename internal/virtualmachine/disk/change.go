// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

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

// Replaces lists the attributes that only another volume can satisfy. It takes a
// settled disk, so what is unknown here is unknown in the configuration, and
// counts as changed.
func (d Disk) Replaces(old Disk, namespace string) []string {
	if !d.Owns() || !old.Owns() {
		return nil
	}
	if !d.sameImage(old, namespace) {
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

// DiffersFrom says in words what an existing volume has otherwise than this
// Disk wants; "" if it fits.
func (d Disk) DiffersFrom(volume *corev1.PersistentVolumeClaim, namespace string) string {
	template := Template{PersistentVolumeClaim: *volume}
	class := ""
	if volume.Spec.StorageClassName != nil {
		class = *volume.Spec.StorageClassName
	}
	var differences []string
	if wanted := arg.Qualified(d.Image, namespace); template.image(namespace) != wanted {
		differences = append(differences, fmt.Sprintf("it was made from %s, not from %s", imageText(template.image(namespace)), imageText(wanted)))
	}
	if class != d.StorageClassName.ValueString() {
		differences = append(differences, fmt.Sprintf("its storage class is %q", class))
	}
	if volume.DeletionTimestamp != nil {
		differences = append(differences, "it is being deleted")
	}
	return strings.Join(differences, ", ")
}

func imageText(id string) string {
	if id == "" {
		return "no image"
	}
	return fmt.Sprintf("the image %q", id)
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
