// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	corev1 "k8s.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// limits leave time to copy the contents of an image. A volume that shows no sign of
// life ends the wait sooner; see stall.
var limits = tfbase.Limits{Create: 30 * time.Minute, Read: 2 * time.Minute, Update: 10 * time.Minute, Delete: 5 * time.Minute}

// defaultSize is the official provider's.
const defaultSize = "1Gi"

func volumeSchema() schema.Schema {
	attributes := tfbase.Namespaced("volume")
	maps.Copy(attributes, arguments())
	maps.Copy(attributes, observations())
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "A volume: a virtual disk that virtual machines can attach (a Kubernetes PersistentVolumeClaim). It is empty, or starts with the contents of an image, " +
			"which must be ready. Apply waits until the volume can be used. It can grow in place, but not shrink.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

func arguments() map[string]schema.Attribute {
	replace := []planmodifier.String{stringplanmodifier.RequiresReplace()}
	return map[string]schema.Attribute{
		"size": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(defaultSize),
			MarkdownDescription: "Size of the volume, as in `20Gi`; with `image` at least the image's `virtual_size`.",
			PlanModifiers:       []planmodifier.String{sameQuantity{}},
			Validators:          []validator.String{tfbase.Quantity()},
		}, "Default: `"+defaultSize+"`. A larger size lets the volume grow in place; a smaller one is refused."),
		"image": tfbase.Advised(schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "Image the volume starts from: `harvester_image.<name>.id`, that is `namespace/name`, or the `name` of an image in the volume's namespace. " +
				"The image must be ready. Without it the volume is empty.",
			PlanModifiers: append([]planmodifier.String{sameImage{}}, replace...),
			Validators:    []validator.String{emptyOr(reference())},
		}, "A change replaces the volume."),
		"storage_class_name": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "Storage class of the volume.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplace()},
			Validators:          []validator.String{tfbase.Name()},
		}, "Default: the cluster's default class; with `image`, the image's own class, and no other is possible. A change replaces the volume."),
		"volume_mode": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(corev1.PersistentVolumeBlock)),
			MarkdownDescription: "`Block` or `Filesystem`.",
			PlanModifiers:       replace,
			Validators: []validator.String{stringvalidator.OneOf(
				string(corev1.PersistentVolumeBlock), string(corev1.PersistentVolumeFilesystem))},
		}, "Default: `Block`. A change replaces the volume."),
		"access_mode": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(corev1.ReadWriteMany)),
			MarkdownDescription: "`ReadWriteMany`, `ReadWriteOnce` or `ReadOnlyMany`.",
			PlanModifiers:       replace,
			Validators: []validator.String{stringvalidator.OneOf(
				string(corev1.ReadWriteMany), string(corev1.ReadWriteOnce), string(corev1.ReadOnlyMany))},
		}, "Default: `ReadWriteMany`, which live migration needs. A change replaces the volume."),
		"force_detach": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Whether deleting the volume takes it off the virtual machine that has it, whoever manages that machine. A volume that was attached with `hot_plug` is unplugged; " +
				"any other is deleted when the machine stops.",
		}, "Default: `false`: a volume in use is deleted only if the same plan takes it off the machine. "+
			"As the block is gone from the configuration when the volume is deleted, the argument counts as it was last applied."),
	}
}

func observations() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"state": schema.StringAttribute{
			Computed: true,
			MarkdownDescription: "`Ready` when a virtual machine can attach the volume, `In-use` while one has it (running or not). " +
				"Else `Pending`, `Failed` or `Terminating`.",
		},
		"phase": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "What Kubernetes says of the volume: `Pending`, `Bound` or `Lost`.",
		},
		"attached_vm": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "The virtual machine that has the volume, as `namespace/name`; several are separated by commas. Empty if none has it.",
		},
	}
}
