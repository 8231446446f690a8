// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

func diskBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "A disk. Its contents come from `image`, `existing_volume_name` or `container_image_name`; without any of them it is an empty disk, " +
			"or a CD drive without a medium. Disks are told apart by name: inserting or reordering them moves no data. The volume of a disk that is removed from the configuration " +
			"is detached and stays in the cluster.",
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
			Validators:          []validator.String{deviceName()},
		},
		"type": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(typeDisk),
			MarkdownDescription: "`disk` or `cd-rom`. Default: `disk`.",
			Validators:          []validator.String{stringvalidator.OneOf(typeDisk, typeCDROM)},
		},
		"bus": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "`virtio`, `sata` or `scsi`. If unset: `sata` for a CD drive, `scsi` with `hot_plug`, else `virtio`; a disk that exists keeps its bus.",
			Validators:          []validator.String{stringvalidator.OneOf(busVirtio, busSATA, busSCSI, "")},
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
				"The image must be ready. Another image replaces the machine.",
			Validators: []validator.String{emptyOr(reference())},
		},
		"existing_volume_name": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Volume (PersistentVolumeClaim) in the machine's namespace to attach instead of making one. It is never deleted with the machine.",
			Validators:          []validator.String{emptyOr(tfbase.Name())},
		},
		"container_image_name": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Container image with a disk in it, for example `quay.io/containerdisks/ubuntu:24.04`. What the guest writes is lost when it stops.",
		},
		"size": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Size of the volume, as in `20Gi`. If unset: `10Gi`, or as much as the image needs if that is more. It can grow in place, not shrink.",
			Validators:          []validator.String{emptyOr(tfbase.Quantity())},
		},
		"auto_delete": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Delete the volume, with all its data, together with the machine. Default: `false`: it stays in the cluster.",
		},
		"storage_class_name": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Storage class of the volume. The default class if unset; with `image`, the image's own, and no other is possible. A change replaces the machine.",
			Validators:          []validator.String{tfbase.Name()},
		},
		"volume_mode": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "`Block` or `Filesystem`. Default: `Block`. A change replaces the machine.",
			Validators:          []validator.String{stringvalidator.OneOf("Block", "Filesystem")},
		},
		"access_mode": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "`ReadWriteMany`, `ReadWriteOnce` or `ReadOnlyMany`. Default: `ReadWriteMany`, which live migration needs. A change replaces the machine.",
			Validators:          []validator.String{stringvalidator.OneOf("ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany")},
		},
		"volume_name": schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Name of the volume. If unset, one is made up from the names of machine and disk. Another name is another volume: the old one is detached and stays.",
			Validators:          []validator.String{tfbase.Name()},
		},
	}
}

func networkInterfaceBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "A network interface. Interfaces are told apart by name.",
		Validators:          []validator.List{listvalidator.IsRequired()},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Name of the interface, unique in the machine.",
				Validators:          []validator.String{deviceName()},
			},
			"type": schema.StringAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: "`bridge` or `masquerade`. If unset: `masquerade` on the management network, else `bridge`.",
				Validators:          []validator.String{stringvalidator.OneOf(typeBridge, typeMasquerade, "")},
			},
			"model": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString("virtio"),
				MarkdownDescription: "`virtio`, `e1000`, `e1000e`, `ne2k_pci`, `pcnet` or `rtl8139`. Default: `virtio`. `ne2k_pco`, a misspelling in the official provider, is taken as `ne2k_pci`.",
				Validators:          []validator.String{stringvalidator.OneOf("virtio", "e1000", "e1000e", "ne2k_pci", modelMisspelt, "pcnet", "rtl8139")},
			},
			"mac_address": schema.StringAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: "MAC address. If unset, the cluster gives one, and the interface keeps it.",
				Validators:          []validator.String{emptyOr(macAddress())},
			},
			"ip_address": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Address the interface has, IPv4 if there is one; link-local ones do not count. Null while there is none.",
			},
			"interface_name": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Name of the interface in the guest, if the guest agent tells.",
			},
			"wait_for_lease": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Wait until the interface has an address. On any but the management network this needs the QEMU guest agent in the guest. Default: `false`.",
			},
			"network_name": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Network to attach to: `harvester_network.<name>.id`, that is `namespace/name`. The management network if unset.",
			},
			"boot_order": schema.Int64Attribute{
				Optional:            true,
				MarkdownDescription: "Place in the boot order, from 1, unique among disks and network interfaces.",
				Validators:          []validator.Int64{int64validator.AtLeast(0)},
			},
		}},
	}
}

func cloudInitBlock() schema.ListNestedBlock {
	plain := func(description string, sensitive bool) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Sensitive: sensitive, MarkdownDescription: description}
	}
	const hidden = " It mostly holds secrets, so plans do not show it."
	return schema.ListNestedBlock{
		MarkdownDescription: "Data that cloud-init reads in the guest at boot. Data of more than 2048 bytes does not fit into a machine; it is kept in a Secret that goes with the machine.",
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"type": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(typeNoCloud),
				MarkdownDescription: "`noCloud` or `configDrive`. Default: `noCloud`.",
				Validators:          []validator.String{stringvalidator.OneOf(typeNoCloud, typeConfigDrive)},
			},
			"user_data":                plain("User data, mostly beginning with `#cloud-config`. Only one of the three forms of user data can be set."+hidden, true),
			"user_data_base64":         plain("User data in base64."+hidden, true),
			"user_data_secret_name":    plain("Secret in the machine's namespace that holds the user data under the key `userdata`.", false),
			"network_data":             plain("Network data. Only one of the three forms of network data can be set.", false),
			"network_data_base64":      plain("Network data in base64.", false),
			"network_data_secret_name": plain("Secret in the machine's namespace that holds the network data under the key `networkdata`.", false),
		}},
	}
}

func inputBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "An input device. A tablet keeps the pointer of guest and browser in step.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Name of the device.",
			},
			"type": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString("tablet"),
				MarkdownDescription: "`tablet`, which is the default.",
				Validators:          []validator.String{stringvalidator.OneOf("tablet")},
			},
			"bus": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString("usb"),
				MarkdownDescription: "`usb` or `virtio`. Default: `usb`.",
				Validators:          []validator.String{stringvalidator.OneOf("usb", "virtio")},
			},
		}},
	}
}

func tpmBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "A virtual TPM.",
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Any name; it has no effect.",
			},
		}},
	}
}
