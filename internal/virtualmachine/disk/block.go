// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package disk is the disk block of a virtual machine: where the bytes of a disk
// come from, how it is attached, and what of it a change can keep.
package disk

import (
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// Values of arguments.
const (
	TypeDisk  = "disk"
	TypeCDROM = "cd-rom"

	BusVirtio = "virtio"
	BusSATA   = "sata"
	BusSCSI   = "scsi"
	BusUSB    = "usb"
)

// AnnotationAutoDelete marks, in a volume template, a volume to be deleted with the machine.
// The official provider reads and writes it too.
const AnnotationAutoDelete = "terraform-provider-harvester-auto-delete"

// Block is the schema of the block.
func Block() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "A disk. Its contents come from `image`, `existing_volume_name` or `container_image_name`; without any of them it is an empty disk, " +
			"or a CD drive without a medium. Disks are told apart by name: inserting or reordering them moves no data. The volume of a disk that is removed from the configuration " +
			"is detached and stays in the cluster. The medium of a CD drive changes, or is ejected, in place.",
		Validators:   []validator.List{listvalidator.IsRequired()},
		NestedObject: schema.NestedBlockObject{Attributes: diskAttributes()},
	}
}

func diskAttributes() map[string]schema.Attribute {
	all := diskDeviceAttributes()
	maps.Copy(all, diskVolumeAttributes())
	return all
}

// diskDeviceAttributes are about what the guest sees.
func diskDeviceAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"name": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "Name of the disk, unique in the machine. Another name is another disk, with a new volume.",
			Validators:          []validator.String{arg.DeviceName()},
		},
		"type": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(TypeDisk),
			MarkdownDescription: "`disk` or `cd-rom`.",
			Validators:          []validator.String{stringvalidator.OneOf(TypeDisk, TypeCDROM)},
		}, "Default: `disk`."),
		"bus": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "`virtio`, `sata`, `scsi` or `usb`. If unset: `sata` for a CD drive, `scsi` with `hot_plug`, else `virtio`; a disk that exists keeps its bus.",
			Validators:          []validator.String{stringvalidator.OneOf(BusVirtio, BusSATA, BusSCSI, BusUSB, "")},
		},
		"cache_mode": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "`none`, `writeback` or `writethrough`. The cluster decides if unset.",
			Validators:          []validator.String{stringvalidator.OneOf("none", "writeback", "writethrough", "")},
		},
		"boot_order": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "Place in the boot order, from 1, unique among disks and network interfaces. Not booted from if unset (or 0) while others have one.",
			Validators:          []validator.Int64{int64validator.AtLeast(0)},
		},
		"hot_plug": schema.BoolAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Attach the volume in a way that lets it be detached from the running machine. If unset: `false`, or as it is on a disk that exists.",
		},
	}
}

// diskVolumeAttributes are about where the bytes are.
func diskVolumeAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"image": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Image the disk starts from: `harvester_image.<name>.id`, that is `namespace/name`, or the `name` of an image in the machine's namespace. " +
				"The image must be ready. Another image replaces the machine; in a CD drive it only changes the medium.",
			Validators: []validator.String{arg.EmptyOr(arg.Reference())},
		},
		"existing_volume_name": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Volume (PersistentVolumeClaim) in the machine's namespace to attach instead of making one. It is never changed, and never deleted with the machine.",
			Validators:          []validator.String{arg.EmptyOr(tfbase.Name())},
		},
		"container_image_name": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Container image with a disk in it, for example `quay.io/containerdisks/ubuntu:24.04`. What the guest writes is lost when it stops.",
		},
		"size": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Size of the volume, as in `20Gi`. If unset: `10Gi`, or as much as the image needs if that is more. It can grow in place, not shrink.",
			Validators:          []validator.String{arg.EmptyOr(tfbase.Quantity())},
		},
		"auto_delete": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Delete the volume, with all its data, together with the machine, and that of a CD drive when its medium is ejected or changed. " +
				"Only volumes that were made for the machine are deleted: not one that is older, that a `harvester_volume` made, or that another machine has too.",
		}, "Default: `false`: it stays in the cluster."),
		"storage_class_name": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Storage class of the volume. The default class if unset; with `image`, the image's own, and no other is possible.",
			Validators:          []validator.String{tfbase.Name()},
		}, "A change replaces the machine."),
		"volume_mode": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "`Block` or `Filesystem`.",
			Validators:          []validator.String{stringvalidator.OneOf("Block", "Filesystem")},
		}, "Default: `Block`. A change replaces the machine."),
		"access_mode": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "`ReadWriteMany`, `ReadWriteOnce` or `ReadOnlyMany`.",
			Validators:          []validator.String{stringvalidator.OneOf("ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany")},
		}, "Default: `ReadWriteMany`, which live migration needs. A change replaces the machine."),
		"volume_name": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Name of the volume. If unset, one is made up from the names of machine and disk. Another name is another volume: the old one is detached and stays. " +
				"There must be no volume of that name yet; one that is there is attached with `existing_volume_name`.",
			Validators: []validator.String{tfbase.Name()},
		},
	}
}

// Disk is one block.
type Disk struct {
	Name               types.String `tfsdk:"name"`
	Type               types.String `tfsdk:"type"`
	Bus                types.String `tfsdk:"bus"`
	CacheMode          types.String `tfsdk:"cache_mode"`
	BootOrder          types.Int64  `tfsdk:"boot_order"`
	HotPlug            types.Bool   `tfsdk:"hot_plug"`
	Image              types.String `tfsdk:"image"`
	ExistingVolumeName types.String `tfsdk:"existing_volume_name"`
	ContainerImageName types.String `tfsdk:"container_image_name"`
	Size               types.String `tfsdk:"size"`
	AutoDelete         types.Bool   `tfsdk:"auto_delete"`
	StorageClassName   types.String `tfsdk:"storage_class_name"`
	VolumeMode         types.String `tfsdk:"volume_mode"`
	AccessMode         types.String `tfsdk:"access_mode"`
	VolumeName         types.String `tfsdk:"volume_name"`
}

// Named returns the disk of that name, nil if there is none.
func Named(disks []Disk, name string) *Disk {
	for i := range disks {
		if disks[i].Name.ValueString() == name {
			return &disks[i]
		}
	}
	return nil
}

// Defaults of volumes.
const (
	defaultSize       = "10Gi"
	defaultVolumeMode = "Block"
	defaultAccessMode = "ReadWriteMany"
)

// Validate finds contradictions in the disk, which is at that path.
func (d Disk) Validate(at path.Path) diag.Diagnostics {
	var diags diag.Diagnostics
	first := ""
	for _, source := range []struct {
		attribute string
		value     types.String
	}{{"image", d.Image}, {"existing_volume_name", d.ExistingVolumeName}, {"container_image_name", d.ContainerImageName}} {
		switch {
		case !arg.Set(source.value):
		case first != "":
			diags.AddAttributeError(at.AtName(source.attribute), "Contradicting arguments",
				fmt.Sprintf("A disk has its contents from one place, but both %s and %s are set. Remove one of them.", first, source.attribute))
		default:
			first = source.attribute
		}
	}
	if d.AutoDelete.ValueBool() && arg.Set(d.ExistingVolumeName) {
		diags.AddAttributeError(at.AtName("auto_delete"), "Volume of others",
			"A volume attached by existing_volume_name is not this machine's own and is never deleted with it. Remove auto_delete.")
	}
	if arg.Set(d.VolumeName) && arg.Set(d.ExistingVolumeName) && !d.VolumeName.Equal(d.ExistingVolumeName) {
		diags.AddAttributeError(at.AtName("volume_name"), "Contradicting arguments",
			"volume_name names a volume to be made, existing_volume_name one to be attached. Remove one of them.")
	}
	return append(diags, d.validateBus(at)...)
}

// validateBus finds buses that the device cannot have.
func (d Disk) validateBus(at path.Path) diag.Diagnostics {
	bus, drive := d.Bus.ValueString(), d.Type.ValueString() == TypeCDROM
	switch {
	case drive && bus == BusVirtio:
		// KubeVirt: pkg/storage/admitters/disks.go, validateBusSupport.
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at.AtName("bus"), "Bus not possible for a CD drive",
			"There is no CD drive on the virtio bus. Set bus to sata (the default), scsi or usb.")}
	case !drive && !d.Type.IsUnknown() && bus == BusSATA && d.HotPlug.ValueBool():
		// KubeVirt: pkg/storage/admitters/storagehotplug.go, ValidateHotplugDiskConfiguration. A CD drive on it takes a medium.
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at.AtName("bus"), "Bus not possible with hot-plug",
			"A disk on the sata bus cannot be attached to a machine that runs. Set bus to scsi (the default with hot_plug) or virtio, or remove hot_plug.")}
	}
	return nil
}
