// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Timeouts is the timeouts block of a resource. terraform-plugin-framework-timeouts
// does not know the key default, which configurations for the official provider use.
type Timeouts struct {
	Create  types.String `tfsdk:"create"`
	Read    types.String `tfsdk:"read"`
	Update  types.String `tfsdk:"update"`
	Delete  types.String `tfsdk:"delete"`
	Default types.String `tfsdk:"default"`
}

// Limits are the durations that apply where the configuration sets none.
type Limits struct{ Create, Read, Update, Delete time.Duration }

// TimeoutsBlock returns the schema of the timeouts block.
func TimeoutsBlock(limits Limits) schema.Block {
	attribute := func(operation string, limit time.Duration) schema.StringAttribute {
		return schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "How long " + operation + " may take, as in `30s`, `10m` or `2h`. Default: `" + short(limit) + "`.",
			Validators:          []validator.String{Duration()},
		}
	}
	return schema.SingleNestedBlock{
		MarkdownDescription: "Limits for whole operations.",
		Attributes: map[string]schema.Attribute{
			"create": attribute("creating", limits.Create),
			"read":   attribute("reading", limits.Read),
			"update": attribute("changing", limits.Update),
			"delete": attribute("deleting", limits.Delete),
			"default": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Limit for the operations that are not named here.",
				Validators:          []validator.String{Duration()},
			},
		},
	}
}

func short(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// Duration accepts positive durations such as 10m.
func Duration() validator.String {
	return Rule("Invalid duration", "must be a duration such as 10m", func(value string) []string {
		if d, err := time.ParseDuration(value); err != nil || d <= 0 {
			return []string{"expected a positive duration such as 30s, 10m or 1h30m"}
		}
		return nil
	})
}

// Creating limits ctx to the duration for creating. The other methods do the
// same for their operation. What is spent on waiting for a turn does not count; see session.Slots.
func (t *Timeouts) Creating(ctx context.Context, limits Limits) (context.Context, context.CancelFunc) {
	return wait.WithLimit(ctx, t.pick(func(t Timeouts) types.String { return t.Create }, limits.Create))
}

// Reading limits ctx to the duration for reading.
func (t *Timeouts) Reading(ctx context.Context, limits Limits) (context.Context, context.CancelFunc) {
	return wait.WithLimit(ctx, t.pick(func(t Timeouts) types.String { return t.Read }, limits.Read))
}

// Updating limits ctx to the duration for updating.
func (t *Timeouts) Updating(ctx context.Context, limits Limits) (context.Context, context.CancelFunc) {
	return wait.WithLimit(ctx, t.pick(func(t Timeouts) types.String { return t.Update }, limits.Update))
}

// Deleting limits ctx to the duration for deleting.
func (t *Timeouts) Deleting(ctx context.Context, limits Limits) (context.Context, context.CancelFunc) {
	return wait.WithLimit(ctx, t.pick(func(t Timeouts) types.String { return t.Delete }, limits.Delete))
}

func (t *Timeouts) pick(own func(Timeouts) types.String, limit time.Duration) time.Duration {
	if t == nil {
		return limit
	}
	for _, value := range []types.String{own(*t), t.Default} {
		// Validation has refused what does not parse.
		if d, err := time.ParseDuration(value.ValueString()); err == nil {
			return d
		}
	}
	return limit
}
