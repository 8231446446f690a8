// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// material is what an image is made from, besides its arguments.
type material struct {
	// content is to be sent; nil if nothing is.
	content *transfer.Content
	// source is the image that a clone is made from.
	source *api.VirtualMachineImage
}

// ready checks everything that can be checked before the first write, and
// returns what the image is made from.
func (r *lifecycle) ready(ctx context.Context, plan *model) (from material, diags diag.Diagnostics) {
	plan.FileSHA512 = types.StringNull()
	if use, needed := r.sourceUse(plan); needed {
		if from.source, diags = plancheck.Apply(ctx, r.Session, use); !diags.HasError() {
			diags = r.applyEncryption(ctx, plan, from.source)
		}
		return from, diags
	}
	if use, needed := r.exportUse(ctx, plan, r.volume, r.images.Get); needed {
		_, diags = plancheck.Apply(ctx, r.Session, use)
		return from, diags
	}
	if !plan.uploads() {
		return from, nil
	}
	if from.content, diags = r.readyToSend(ctx, plan, leftNothing); from.content != nil {
		plan.FileSHA512 = types.StringValue(from.content.SHA512)
	}
	return from, diags
}

// readyToSend checks the way to the upload API and reads the file.
func (r *lifecycle) readyToSend(ctx context.Context, plan *model, left string) (*transfer.Content, diag.Diagnostics) {
	if err := r.Session.Client.ProbeHarvesterAPI(ctx); err != nil {
		return nil, diag.Diagnostics{diagnose.API("upload", plan.title(), left, err)}
	}
	return plan.content(ctx, left)
}
