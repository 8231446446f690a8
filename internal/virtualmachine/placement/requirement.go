// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package placement

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Requirement is one thing that a label, or a field of a node, must say.
type Requirement struct {
	Key      types.String `tfsdk:"key"`
	Operator types.String `tfsdk:"operator"`
	Values   types.List   `tfsdk:"values"`
}

var (
	labelOperators = []string{"In", "NotIn", "Exists", "DoesNotExist"}
	nodeOperators  = append(append([]string{}, labelOperators...), "Gt", "Lt")
	fieldOperators = []string{"In", "NotIn"}
)

func requirementBlock(description string, operators []string) schema.ListNestedBlock {
	meaning := "`In` or `NotIn` (the value is one of `values`, or is none of them)"
	if len(operators) > len(fieldOperators) {
		meaning += ", `Exists` or `DoesNotExist` (whatever the value, without `values`)"
	}
	if len(operators) > len(labelOperators) {
		meaning += ", `Gt` or `Lt` (it is a greater, or a lesser, number than the one in `values`)"
	}
	return schema.ListNestedBlock{
		MarkdownDescription: description,
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"key":      schema.StringAttribute{Required: true, MarkdownDescription: "Key of the label, or the field.", Validators: []validator.String{labelKey()}},
			"operator": schema.StringAttribute{Required: true, MarkdownDescription: meaning + ".", Validators: []validator.String{stringvalidator.OneOf(operators...)}},
			"values":   schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Values to compare with."},
		}},
	}
}

func (r Requirement) node() corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: r.Key.ValueString(), Operator: corev1.NodeSelectorOperator(r.Operator.ValueString()), Values: texts(r.Values)}
}

func (r Requirement) label() metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: r.Key.ValueString(), Operator: metav1.LabelSelectorOperator(r.Operator.ValueString()), Values: texts(r.Values)}
}

func nodeRequirement(live corev1.NodeSelectorRequirement) Requirement {
	return Requirement{Key: types.StringValue(live.Key), Operator: types.StringValue(string(live.Operator)), Values: listOf(live.Values)}
}

func labelRequirement(live metav1.LabelSelectorRequirement) Requirement {
	return Requirement{Key: types.StringValue(live.Key), Operator: types.StringValue(string(live.Operator)), Values: listOf(live.Values)}
}

// texts are the elements of a list that is known.
func texts(list types.List) (values []string) {
	for _, element := range list.Elements() {
		if text, ok := element.(types.String); ok {
			values = append(values, text.ValueString())
		}
	}
	return values
}

// listOf is a list, null if there is nothing in it.
func listOf(values []string) types.List {
	if len(values) == 0 {
		return types.ListNull(types.StringType)
	}
	return types.ListValueMust(types.StringType, each(values, func(text string) attr.Value { return types.StringValue(text) }))
}
