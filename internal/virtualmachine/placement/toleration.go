// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package placement

import (
	"cmp"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// Toleration is one block toleration.
type Toleration struct {
	Key      types.String `tfsdk:"key"`
	Operator types.String `tfsdk:"operator"`
	Value    types.String `tfsdk:"value"`
	Effect   types.String `tfsdk:"effect"`
	Seconds  types.Int64  `tfsdk:"toleration_seconds"`
}

// TolerationBlock is the schema of the block toleration.
func TolerationBlock() schema.ListNestedBlock {
	return tfbase.AdvisedBlock(schema.ListNestedBlock{
		MarkdownDescription: "A taint of nodes that the machine tolerates.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"key": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Key of the taint. All taints if unset, with the operator `Exists`.",
				Validators:          []validator.String{arg.EmptyOr(labelKey())},
			},
			"operator": tfbase.Advised(schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(string(corev1.TolerationOpEqual)),
				MarkdownDescription: "`Equal` (the taint has this `value`) or `Exists` (whatever its value).",
				Validators:          []validator.String{stringvalidator.OneOf(string(corev1.TolerationOpEqual), string(corev1.TolerationOpExists))},
			}, "Default: `Equal`."),
			"value": schema.StringAttribute{Optional: true, MarkdownDescription: "Value of the taint."},
			"effect": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Effect of the taint: `NoSchedule`, `PreferNoSchedule` or `NoExecute`; all if unset.",
				Validators: []validator.String{stringvalidator.OneOf("", string(corev1.TaintEffectNoSchedule),
					string(corev1.TaintEffectPreferNoSchedule), string(corev1.TaintEffectNoExecute))},
			},
			"toleration_seconds": schema.Int64Attribute{
				Optional:            true,
				MarkdownDescription: "How long the machine may stay on a node that gets the taint, in seconds. Only with the effect `NoExecute`; for ever if unset.",
			},
		}},
	}, leftAlone)
}

func (t Toleration) api() corev1.Toleration {
	return corev1.Toleration{
		Key: t.Key.ValueString(), Operator: corev1.TolerationOperator(cmp.Or(t.Operator.ValueString(), string(corev1.TolerationOpEqual))),
		Value: t.Value.ValueString(), Effect: corev1.TaintEffect(t.Effect.ValueString()), TolerationSeconds: t.Seconds.ValueInt64Pointer(),
	}
}

// normal are tolerations with the operator that no operator stands for.
func normal(live []corev1.Toleration) []corev1.Toleration {
	return each(live, func(t corev1.Toleration) corev1.Toleration {
		t.Operator = cmp.Or(t.Operator, corev1.TolerationOpEqual)
		return t
	})
}

func readTolerations(prior []Toleration, live []corev1.Toleration) []Toleration {
	if equality.Semantic.DeepEqual(each(prior, Toleration.api), normal(live)) {
		return prior
	}
	return each(normal(live), func(t corev1.Toleration) Toleration {
		return Toleration{
			Key: arg.TextOrNull(t.Key), Operator: types.StringValue(string(t.Operator)), Value: arg.TextOrNull(t.Value),
			Effect: arg.TextOrNull(string(t.Effect)), Seconds: types.Int64PointerValue(t.TolerationSeconds),
		}
	})
}
