// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// ClusterScoped returns the attributes every kind without a namespace has, as the
// official provider names them. What describes the kind ("storage class") in the descriptions.
func ClusterScoped(what string) map[string]schema.Attribute {
	attributes := Namespaced(what)
	delete(attributes, "namespace")
	attributes["id"] = Advised(schema.StringAttribute{
		Computed:            true,
		MarkdownDescription: "The id: the name.",
		PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
	}, "It stays unknown until the "+what+" is made, so what refers to it waits.")
	attributes["name"] = NameOf("Name of the "+what+", unique in the cluster: lower case letters, digits, `-` and `.`.", "A change replaces the "+what+".")
	return attributes
}

// NameOf is the name of an object, which no change in place can give it.
func NameOf(what, advice string) schema.Attribute {
	return Advised(schema.StringAttribute{
		Required:            true,
		MarkdownDescription: what,
		PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
		Validators:          []validator.String{Name()},
	}, advice)
}
