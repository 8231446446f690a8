// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"cmp"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
)

// Advised adds, to what an attribute's MarkdownDescription says the thing is, advice on configuring it: its
// default, what a change does. A data source, which configures nothing, shows the fact alone. The framework's
// other field, Description, holds the fact: Terraform shows only the Markdown.
func Advised(attribute schema.Attribute, advice string) schema.Attribute {
	advise := func(description, markdown *string) { *description, *markdown = *markdown, *markdown+" "+advice }
	switch a := attribute.(type) {
	case schema.StringAttribute:
		advise(&a.Description, &a.MarkdownDescription)
		return a
	case schema.BoolAttribute:
		advise(&a.Description, &a.MarkdownDescription)
		return a
	case schema.Int64Attribute:
		advise(&a.Description, &a.MarkdownDescription)
		return a
	case schema.MapAttribute:
		advise(&a.Description, &a.MarkdownDescription)
		return a
	case schema.ListAttribute:
		advise(&a.Description, &a.MarkdownDescription)
		return a
	case schema.SetAttribute:
		advise(&a.Description, &a.MarkdownDescription)
		return a
	}
	panic("tfbase: Advised does not know this type of attribute") // when the provider starts, so a test sees it
}

// AdvisedBlock is Advised for a block.
func AdvisedBlock(block schema.ListNestedBlock, advice string) schema.ListNestedBlock {
	block.Description, block.MarkdownDescription = block.MarkdownDescription, block.MarkdownDescription+" "+advice
	return block
}

// fact is what a description says of the thing itself.
func fact(described interface {
	GetDescription() string
	GetMarkdownDescription() string
},
) string {
	return cmp.Or(described.GetDescription(), described.GetMarkdownDescription())
}
