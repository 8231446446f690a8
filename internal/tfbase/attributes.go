// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// DefaultNamespace is where objects go if the configuration names no namespace.
const DefaultNamespace = "default"

// Namespaced returns the attributes every namespaced kind has, as the official
// provider names them. What describes the kind ("image") in the descriptions.
func Namespaced(what string) map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id": Advised(schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "The id, `namespace/name`.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		}, "It stays unknown until the "+what+" is made, so what refers to it waits."),
		"name": Advised(schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "Name of the " + what + ", unique in its namespace: lower case letters, digits, `-` and `.`.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
			Validators:          []validator.String{Name()},
		}, "A change replaces the "+what+"."),
		"namespace": Advised(schema.StringAttribute{
			Optional:            true,
			Computed:            true,
			Default:             stringdefault.StaticString(DefaultNamespace),
			MarkdownDescription: "Namespace of the " + what + ".",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
			Validators:          []validator.String{Name()},
		}, "Default: `default`. A change replaces the "+what+"."),
		"description": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "Any text that describes the " + what + "; Harvester's dashboard shows it.",
		},
		"tags": schema.MapAttribute{
			Optional:            true,
			ElementType:         types.StringType,
			MarkdownDescription: "Tags as Harvester's dashboard shows them: labels under `tag.harvesterhci.io/`.",
			Validators:          []validator.Map{mapvalidator.KeysAre(TagKey()), mapvalidator.ValueStringsAre(LabelValue())},
		},
		"labels": schema.MapAttribute{
			Optional:            true,
			ElementType:         types.StringType,
			MarkdownDescription: "Kubernetes labels. Labels that others put on the " + what + " are left alone, those of Harvester (`harvesterhci.io/…`) among them.",
			Validators:          []validator.Map{mapvalidator.KeysAre(LabelKey()), mapvalidator.ValueStringsAre(LabelValue())},
		},
		"state": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "State of the " + what + ".",
		},
		"message": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "What the server says about the state; empty when all is well.",
		},
	}
}
