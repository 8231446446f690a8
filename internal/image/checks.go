// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/plancheck"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// material is what an image is made from, besides its arguments.
type material struct {
	// content is to be sent; nil if nothing is.
	content *transfer.Content
	// sign is what the file is recognized by before all of it was read.
	sign transfer.Sign
	// source is the image that a clone is made from.
	source *api.VirtualMachineImage
}

// checking is one reading of what would refuse an operation on an image: with the plan, by recent look-ups, and again
// by fresh ones right before the first write.
type checking struct {
	*lifecycle
	plan *model
	// applying says that the first write comes next. Before that, what is missing may be made by this run.
	applying bool
	// left is what a refusal leaves behind.
	left string
}

// creation is the list of what would refuse to make the image. It returns what the image is made from, as far as
// that is known.
func (c *checking) creation(ctx context.Context) (from material, diags diag.Diagnostics) {
	diags = c.asking(ctx, func(ctx context.Context) (diags diag.Diagnostics) {
		for _, check := range []func(context.Context, *material) diag.Diagnostics{c.way, c.source, c.volume, c.class} {
			if diags.Append(check(ctx, &from)...); diags.HasError() {
				return diags
			}
		}
		if len(diags) == 0 { // Harvester would only say again what is found already
			diags.Append(c.rehearsal(ctx)...)
		}
		return diags
	})
	if !diags.HasError() {
		diags.Append(c.content(ctx, &from)...)
	}
	return from, diags
}

// sending is the list of what would refuse to send the data of an image that exists.
func (c *checking) sending(ctx context.Context) (from material, diags diag.Diagnostics) {
	diags = c.asking(ctx, func(ctx context.Context) diag.Diagnostics { return c.way(ctx, &from) })
	if !diags.HasError() {
		diags.Append(c.content(ctx, &from)...)
	}
	return from, diags
}

// asking runs the checks that ask the cluster. Those of a plan have a limit; to read the file takes as long as it takes.
func (c *checking) asking(ctx context.Context, checks func(context.Context) diag.Diagnostics) diag.Diagnostics {
	if c.applying {
		return checks(ctx)
	}
	return c.Session.Within(ctx, checks)
}

// way: uploads take Harvester's own API.
func (c *checking) way(ctx context.Context, _ *material) diag.Diagnostics {
	if !c.plan.uploads() || c.Session == nil {
		return nil
	}
	if err := c.Session.Client.ProbeHarvesterAPI(ctx); err != nil {
		return diag.Diagnostics{diagnose.API("upload", c.plan.title(), c.left, err)}
	}
	return nil
}

// source: the image that a clone is made from.
func (c *checking) source(ctx context.Context, from *material) (diags diag.Diagnostics) {
	use, needed := c.sourceUse(c.plan)
	switch {
	case !needed:
		return nil
	case c.applying:
		from.source, diags = plancheck.Apply(ctx, c.Session, use)
		return diags
	}
	if diags = plancheck.Plan(ctx, c.Session, use); !diags.HasError() && c.Session != nil {
		from.source = c.plannedSource(ctx, c.plan)
	}
	return diags
}

// volume: the image behind the volume that is exported.
func (c *checking) volume(ctx context.Context, _ *material) (diags diag.Diagnostics) {
	namespace, name := c.plan.PVCNamespace.ValueString(), c.plan.PVCName.ValueString()
	if c.Session == nil || c.plan.SourceType.ValueString() != api.SourceExport || namespace == "" || name == "" {
		return nil
	}
	use, needed := plancheck.VolumesOf(c.Session, c.applying).Use(ctx, namespace, name, imagestate.Export, path.Root("pvc_name"))
	switch {
	case !needed:
		return nil
	case c.applying:
		_, diags = plancheck.Apply(ctx, c.Session, use)
		return diags
	}
	return plancheck.Plan(ctx, c.Session, use)
}

// class: what a storage class and its secret need to encrypt.
func (c *checking) class(ctx context.Context, from *material) diag.Diagnostics {
	if c.applying {
		return c.applyEncryption(ctx, c.plan, from.source)
	}
	return c.planEncryption(ctx, c.plan, from.source)
}

// rehearsal: Harvester's own webhooks. At apply the creation itself asks them.
func (c *checking) rehearsal(ctx context.Context) diag.Diagnostics {
	if c.applying || !c.looks() {
		return nil
	}
	return c.rehearse(ctx, c.plan)
}

// content: the file. A plan reads all of it only if nothing less tells whether it is right.
func (c *checking) content(ctx context.Context, from *material) (diags diag.Diagnostics) {
	switch {
	case !c.plan.uploads():
		return nil
	case c.applying:
		from.content, from.sign, diags = c.plan.content(ctx, c.left)
		return diags
	case !tfbase.Known(c.plan.FilePath, c.plan.Decompress):
		return nil
	}
	file, err := c.plan.file()
	switch {
	case transfer.Missing(err) && !c.plan.FilePath.IsNull():
		return diag.Diagnostics{c.plan.awaited(err)}
	case err == nil && c.plan.mustRead(ctx, file):
		_, _, diags = c.plan.content(ctx, c.left)
	default:
		_, diags = c.plan.inspect(ctx, c.left)
	}
	return diags.Errors() // apply warns of the rest
}

// mustRead says that a plan has to read all of the file to tell whether it can be sent. A packed one that states its length is
// read once, while it is sent. Before an image is destroyed for another, the plan has read the file for its content, unless
// that is ignored.
func (m *model) mustRead(ctx context.Context, file transfer.File) bool {
	switch {
	case m.Checksum.ValueString() != "":
		return true
	case !packed(file, m.treatment()):
		return false
	case m.Verify.ValueString() == verifyStrict, m.FileChanges.ValueString() == changesIgnore:
		return true
	}
	unread, err := file.Unread(ctx, m.treatment())
	return err != nil || unread == nil
}

// packed says that only unpacking the file shows whether it is whole.
func packed(file transfer.File, treatment transfer.Treatment) bool {
	format, err := file.Packing()
	return treatment.Decompress && err == nil && format != transfer.Raw
}

// ready checks everything that can be checked before the first write, and
// returns what the image is made from.
func (r *lifecycle) ready(ctx context.Context, plan *model) (from material, diags diag.Diagnostics) {
	plan.FileSHA512 = types.StringNull()
	from, diags = (&checking{lifecycle: r, plan: plan, applying: true, left: leftNothing}).creation(ctx)
	if from.content != nil && from.content.SHA512 != "" {
		plan.FileSHA512 = types.StringValue(from.content.SHA512)
	}
	return from, diags
}

// readyToSend checks the way to the upload API and reads the file.
func (r *lifecycle) readyToSend(ctx context.Context, plan *model, left string) (*transfer.Content, diag.Diagnostics) {
	from, diags := (&checking{lifecycle: r, plan: plan, applying: true, left: left}).sending(ctx)
	return from.content, diags
}

// planning is a reading of the lists with a plan. What it refuses also stands in the way of terraform destroy.
func (r *lifecycle) planning(plan *model) *checking {
	c := &checking{lifecycle: r, plan: plan}
	if r.Session != nil {
		c.left = plancheck.Way(r.Session.PlanChecks)
	}
	return c
}

// looks says that plans are checked against the cluster.
func (r *lifecycle) looks() bool {
	return r.Session != nil && r.Session.PlanChecks != session.ChecksOff
}

// soften is how the plan tells what it finds, by plan_checks.
func (r *lifecycle) soften(found ...diag.Diagnostic) diag.Diagnostics {
	if r.Session == nil {
		return found
	}
	return r.Session.PlanChecks.Soften(found...)
}
