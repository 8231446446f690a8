// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package schedulebackup

import (
	"context"
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/robfig/cron"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 2 * time.Minute}

// Limits of Harvester's definition of the kind; maxFailure must be less than retain besides.
const (
	leastFailures, leastRetained, mostRetained = 2, 3, 250
	defaultRetained                            = 5
)

func scheduleSchema() schema.Schema {
	attributes := tfbase.Namespaced("backup schedule")
	maps.Copy(attributes, arguments())
	maps.Copy(attributes, map[string]schema.Attribute{
		"id": tfbase.Advised(schema.StringAttribute{
			Computed: true, MarkdownDescription: "The id, `namespace/vm/name`.",
			PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		}, "It stays unknown until the backup schedule is made, so what refers to it waits."),
		"namespace": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(tfbase.DefaultNamespace),
			MarkdownDescription: "Namespace of the virtual machine, where its name does not say one. The schedule is in the namespace of its machine.",
			PlanModifiers:       replacesMachine(), Validators: []validator.String{tfbase.Name()},
		}, "Default: `default`. Another machine replaces the backup schedule."),
		"state": schema.StringAttribute{
			Computed: true, MarkdownDescription: "`Active`; `Suspended`, by `enabled` or by Harvester itself; `Failing` if the last backups failed; `Terminating` while it is being deleted.",
		},
		"backups": schema.ListAttribute{
			Computed: true, ElementType: backupType,
			MarkdownDescription: "The backups that the schedule has made and kept, the oldest first: `name`, `ready`, and the `error` if it failed.",
		},
	})
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "Backups or snapshots of a virtual machine at certain times. A machine has one schedule at most. Backups need the setting `backup-target`; " +
			"snapshots stay in the cluster. What Harvester would refuse is refused in the plan, by asking it.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

func arguments() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"vm_name": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, MarkdownDescription: "The virtual machine: its name, or `namespace/name` as in its `id`.",
			PlanModifiers: append([]planmodifier.String{stringplanmodifier.UseStateForUnknown()}, replacesMachine()...),
			Validators:    []validator.String{reference()},
		}, "Another machine replaces the backup schedule."),
		"volume_name": tfbase.Advised(schema.StringAttribute{
			Optional: true, MarkdownDescription: "The virtual machine that has this volume: the volume's name, or `namespace/name`.",
			DeprecationMessage: "A schedule is for a whole virtual machine. Name it in vm_name.",
			PlanModifiers:      replacesMachine(), Validators: []validator.String{reference()},
		}, "Instead of `vm_name`. Another volume replaces the backup schedule."),
		"schedule": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "When, in UTC, as five fields of cron: `0 3 * * *` is every day at 3:00. Two runs are at least an hour apart, and ten minutes from those of other schedules that run as often.",
			Validators:          []validator.String{cronSyntax()},
		},
		"retain": tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true, Default: int64default.StaticInt64(defaultRetained),
			MarkdownDescription: "How many backups are kept, 3 to 250.",
			Validators:          []validator.Int64{int64validator.Between(leastRetained, mostRetained)},
		}, "Default: `5`."),
		"max_failure": tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true,
			MarkdownDescription: "After how many failures in a row Harvester suspends the schedule: at least 2, and less than `retain`.",
			Validators:          []validator.Int64{int64validator.Between(leastFailures, mostRetained-1)},
		}, "Default: one less than `retain`."),
		"enabled": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(true),
			MarkdownDescription: "Whether backups are made. Harvester itself suspends a schedule that fails too often, which shows as a change to be undone.",
		}, "Default: `true`."),
		"type": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "`backup`, which goes to the backup target, or `snapshot`, which stays in the cluster.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplace()},
			Validators:          []validator.String{stringvalidator.OneOf(api.TypeBackup, api.TypeSnapshot)},
		}, "Default: `backup`. A change replaces the backup schedule."),
		"skip_cron_check": schema.BoolAttribute{
			Optional: true, MarkdownDescription: "Let the schedule run more often than every hour, and close to others.",
		},
	}
}

// replacesMachine replaces a schedule that would be of another machine, however that is said.
func replacesMachine() []planmodifier.String {
	const description = "Another machine replaces the backup schedule."
	return []planmodifier.String{stringplanmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.StringRequest, resp *stringplanmodifier.RequiresReplaceIfFuncResponse) {
		var plan, state model
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		resp.RequiresReplace = !resp.Diagnostics.HasError() && (&plan).replaces(&state)
	}, description, description)}
}

func reference() validator.String {
	return tfbase.Rule("Invalid reference", "must be a name or namespace/name", func(value string) []string {
		if _, _, err := tfbase.ParseReference(value, tfbase.DefaultNamespace); err != nil {
			return []string{"it must be a name, or namespace/name"}
		}
		return nil
	})
}

func cronSyntax() validator.String {
	return tfbase.Rule("Invalid schedule", "must be five fields of cron", func(value string) []string {
		if _, err := cron.ParseStandard(value); err != nil {
			return []string{`it must have five fields (minute, hour, day of the month, month, day of the week), as in "0 3 * * *", or be @daily and the like`}
		}
		if never(value, time.Now()) {
			return []string{"there is no such time"}
		}
		return nil
	})
}
