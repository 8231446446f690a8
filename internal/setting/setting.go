// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package setting is the resource and data source harvester_setting: the value of one of Harvester's settings.
package setting

import (
	"context"
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_setting"

const kindSetting = "Setting"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, api.Setting, *api.Setting]{
	TypeName: Type,
	One:      "a setting", Short: "setting",
	Resource: api.Settings, APIKind: kindSetting,
	Schema: settingSchema(), Limits: limits,
	Omit:      []string{"value_wo_version", "on_destroy"},
	Validate:  validate,
	Plan:      plan,
	Check:     check,
	WriteOnly: (*model).takeWriteOnly,
	Stirs:     (*model).stirs,
	Look:      look,
	Offers:    offers,
	ListNote: "So are settings without a value of their own, and those that Harvester itself or its installer sets. Values are sensitive, " +
		"so a generated configuration lacks them: fill them in before an apply.",
	Listed: func(object *unstructured.Unstructured) (*api.Setting, error) {
		setting, err := kube.Decode[api.Setting](object)
		return nameless(setting), err
	},
	Create:     create,
	Change:     change,
	Delete:     remove,
	PlanDelete: planDelete,
	Await:      await,
}

// offers: a setting with the default is as good as none.
func offers(_ context.Context, _ *session.Session, object *unstructured.Unstructured) (bool, error) {
	setting, err := kube.Decode[api.Setting](object)
	if err != nil {
		return false, err
	}
	return setting.Value != "" && !of(setting.Name).system, nil
}

// limits leave time for the networks, for which Harvester restarts parts of itself on all nodes.
var limits = tfbase.Limits{Create: 10 * time.Minute, Read: 2 * time.Minute, Update: 10 * time.Minute, Delete: 10 * time.Minute}

func settingSchema() schema.Schema {
	attributes := tfbase.ClusterScoped("setting")
	maps.Copy(attributes, arguments())
	attributes["id"] = schema.StringAttribute{
		Computed: true, MarkdownDescription: "The id: the name.",
		PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
	}
	attributes["name"] = tfbase.NameOf("Name of the setting, as in `ntp-servers`.", "It must be one of those that this Harvester has. A change takes the one back and sets the other.")
	attributes["state"] = schema.StringAttribute{
		Computed: true,
		MarkdownDescription: "`Configured` when Harvester has applied the value, or reads it only when it needs it; `Default` without a value; " +
			"`Pending` while it is being applied; `Failed` if it could not be.",
	}
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "The value of one of Harvester's settings. Settings are there from the start and stay: apply sets the value and waits until Harvester has applied it, " +
			"destroy takes it back. What Harvester would refuse is refused in the plan, by asking it. " +
			"A setting can be in one configuration only: of two, each takes the other's value for a change to undo.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

func arguments() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"value": tfbase.Advised(schema.StringAttribute{
			Optional: true, Sensitive: true,
			MarkdownDescription: "The value. For settings that hold JSON its meaning counts, not its spelling.",
		}, "Without it Harvester uses the default. It is sensitive because some settings hold credentials (`backup-target`, `containerd-registry`, `ssl-certificates`, "+
			"`http-proxy`, `cluster-registration-url`); Harvester does not give back those of `backup-target` and `containerd-registry`, and that they are missing there is no difference."),
		"value_wo": schema.StringAttribute{
			Optional: true, Sensitive: true, WriteOnly: true,
			MarkdownDescription: "The same as `value`, but never in a plan or a state. Instead of `value`; needs `value_wo_version`, and Terraform 1.11 or newer. " +
				"A value that others set in its place is replaced by the next apply.",
		},
		"value_wo_version": schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "A number that says which `value_wo` this is: another number sends it again.",
		},
		"on_destroy": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "What destroy does: `reset` to Harvester's default, `restore` the value from before the resource was made, or `keep` the value. Default: `reset`. " +
				"A value that others have set since stays in any case.",
			Validators: []validator.String{stringvalidator.OneOf(destroyResets, destroyRestores, destroyKeeps)},
		},
		"default": schema.StringAttribute{
			Computed: true, MarkdownDescription: "What Harvester uses without a value.",
			PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		},
		"effective_value": schema.StringAttribute{
			Computed: true, Sensitive: true, MarkdownDescription: "What Harvester uses: the value, or else the default. Null if the value is write-only.",
		},
	}
}
