// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass

import (
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/listplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/encryption"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 2 * time.Minute}

func classSchema() schema.Schema {
	attributes := tfbase.ClusterScoped("storage class")
	maps.Copy(attributes, arguments())
	attributes["state"] = schema.StringAttribute{Computed: true, MarkdownDescription: "`Ready`, or `Terminating` while the class is being deleted."}
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "A storage class: how and where the data of volumes and images are stored. For encryption its `parameters` name a secret, " +
			"which is checked when the class is planned.",
		Attributes: attributes,
		Blocks: map[string]schema.Block{
			"allowed_topologies": topologiesBlock(),
			"timeouts":           tfbase.TimeoutsBlock(limits),
		},
	}
}

func arguments() map[string]schema.Attribute {
	replace := []planmodifier.String{stringplanmodifier.RequiresReplace()}
	return map[string]schema.Attribute{
		"volume_provisioner": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(encryption.Provisioner),
			MarkdownDescription: "What makes the volumes.",
			PlanModifiers:       replace,
			Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
		}, "Default: `"+encryption.Provisioner+"` (Longhorn). A change replaces the storage class."),
		"reclaim_policy": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(corev1.PersistentVolumeReclaimDelete)),
			MarkdownDescription: "What becomes of the data when a volume is deleted: `Delete`, `Retain` or `Recycle`.",
			PlanModifiers:       replace,
			Validators: []validator.String{stringvalidator.OneOf(
				string(corev1.PersistentVolumeReclaimDelete), string(corev1.PersistentVolumeReclaimRetain), string(corev1.PersistentVolumeReclaimRecycle))},
		}, "Default: `Delete`. A change replaces the storage class."),
		"volume_binding_mode": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(string(storagev1.VolumeBindingImmediate)),
			MarkdownDescription: "When a volume is made: `Immediate`, or `WaitForFirstConsumer` (when a virtual machine first uses it).",
			PlanModifiers:       replace,
			Validators: []validator.String{stringvalidator.OneOf(
				string(storagev1.VolumeBindingImmediate), string(storagev1.VolumeBindingWaitForFirstConsumer))},
		}, "Default: `Immediate`. A change replaces the storage class."),
		"allow_volume_expansion": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(true),
			MarkdownDescription: "Whether volumes of the class can grow.",
		}, "Default: `true`."),
		"is_default": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Whether this is the class of volumes and images that name none.",
		}, "Default: `false`. Harvester allows one default class: the one before "+
			"(`harvester-longhorn` in a new cluster) must give it up first, for example by `is_default = false` in its own resource, also in the same apply."),
		"parameters": tfbase.Advised(schema.MapAttribute{
			Required: true, ElementType: types.StringType,
			MarkdownDescription: "Parameters of the provisioner; for Longhorn see its documentation. `migratable = \"true\"` is needed for live migration. For encryption: " +
				"`encrypted = \"true\"`, and one secret named by `csi.storage.k8s.io/<use>-secret-name` and `csi.storage.k8s.io/<use>-secret-namespace`, " +
				"where `<use>` is each of `provisioner`, `node-stage` and `node-publish`.",
			PlanModifiers: []planmodifier.Map{mapplanmodifier.RequiresReplace()},
		}, "A change replaces the storage class."),
	}
}

func topologiesBlock() schema.Block {
	return tfbase.AdvisedBlock(schema.ListNestedBlock{
		MarkdownDescription: "The nodes that volumes can be made on; all of them without this block.",
		PlanModifiers:       []planmodifier.List{listplanmodifier.RequiresReplace()},
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Blocks: map[string]schema.Block{
			"match_label_expressions": schema.ListNestedBlock{
				MarkdownDescription: "A demand on the labels of a node. All of them must be met.",
				NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
					"key": schema.StringAttribute{Optional: true, MarkdownDescription: "The label."},
					"values": schema.SetAttribute{
						Optional: true, ElementType: types.StringType,
						MarkdownDescription: "The values of which the label must have one.",
					},
				}},
			},
		}},
	}, "A change replaces the storage class.")
}
