// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package placement

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// NodeAffinity is the block node_affinity.
type NodeAffinity struct {
	Required  []NodeRequired  `tfsdk:"required"`
	Preferred []NodePreferred `tfsdk:"preferred"`
}

// NodeRequired is the block required in node_affinity: one of its terms must fit.
type NodeRequired struct {
	Terms []NodeTerm `tfsdk:"node_selector_term"`
}

// NodePreferred is a block preferred in node_affinity.
type NodePreferred struct {
	Weight     types.Int64 `tfsdk:"weight"`
	Preference []NodeTerm  `tfsdk:"preference"`
}

// NodeTerm fits a node that meets all of its requirements.
type NodeTerm struct {
	MatchExpressions []Requirement `tfsdk:"match_expressions"`
	MatchFields      []Requirement `tfsdk:"match_fields"`
}

// NodeAffinityBlock is the schema of the block node_affinity.
func NodeAffinityBlock() schema.ListNestedBlock {
	term := schema.NestedBlockObject{Blocks: map[string]schema.Block{
		"match_expressions": requirementBlock("What the labels of the node must say.", nodeOperators),
		"match_fields":      requirementBlock("What the fields of the node must say; there is one, `metadata.name`.", fieldOperators),
	}}
	return tfbase.AdvisedBlock(schema.ListNestedBlock{
		MarkdownDescription: "Which nodes the machine may run on, or runs on rather than on others. Requirements that Harvester adds for networks and CPU pinning are not shown.",
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Blocks: map[string]schema.Block{
			"required": schema.ListNestedBlock{
				MarkdownDescription: "Without a node that fits the machine does not start.",
				Validators:          []validator.List{listvalidator.SizeAtMost(1)},
				NestedObject: schema.NestedBlockObject{Blocks: map[string]schema.Block{
					"node_selector_term": schema.ListNestedBlock{
						MarkdownDescription: "A node fits if it meets all requirements of one of the terms.",
						Validators:          []validator.List{listvalidator.IsRequired()},
						NestedObject:        term,
					},
				}},
			},
			"preferred": schema.ListNestedBlock{
				MarkdownDescription: "Of the nodes that fit, those with the most weight are taken first.",
				NestedObject: schema.NestedBlockObject{
					Attributes: map[string]schema.Attribute{"weight": weight()},
					Blocks: map[string]schema.Block{
						"preference": schema.ListNestedBlock{
							MarkdownDescription: "What a node must meet to get the weight.",
							Validators:          []validator.List{listvalidator.IsRequired(), listvalidator.SizeAtMost(1)},
							NestedObject:        term,
						},
					},
				},
			},
		}},
	}, leftAlone)
}

// leftAlone is what all these blocks share.
const leftAlone = "Without the block, what the machine has stays; removing the block takes it back. A running machine stays where it is until it next starts or migrates."

func weight() schema.Int64Attribute {
	return schema.Int64Attribute{
		Required: true, MarkdownDescription: "Weight, from 1 to 100.",
		Validators: []validator.Int64{int64validator.Between(1, 100)},
	}
}

func (a *NodeAffinity) api() *corev1.NodeAffinity {
	result := &corev1.NodeAffinity{}
	if a == nil {
		return result
	}
	if required := first(a.Required); required != nil {
		result.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: each(required.Terms, NodeTerm.api)}
	}
	result.PreferredDuringSchedulingIgnoredDuringExecution = each(a.Preferred, func(p NodePreferred) corev1.PreferredSchedulingTerm {
		term := corev1.PreferredSchedulingTerm{Weight: int32(p.Weight.ValueInt64())}
		if preference := first(p.Preference); preference != nil {
			term.Preference = preference.api()
		}
		return term
	})
	return result
}

func (t NodeTerm) api() corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: each(t.MatchExpressions, Requirement.node), MatchFields: each(t.MatchFields, Requirement.node)}
}

// onto is the node affinity of a machine that has another. Harvester puts its requirements back into what is sent.
func (a *NodeAffinity) onto(live *corev1.NodeAffinity) *corev1.NodeAffinity {
	wanted := a.api()
	switch {
	case equality.Semantic.DeepEqual(own(live), wanted):
		return live
	case equality.Semantic.DeepEqual(wanted, &corev1.NodeAffinity{}):
		return nil
	}
	return wanted
}

// read is the node affinity as the machine has it, nil if it has none; in the words of before if they still say it.
func (a *NodeAffinity) read(live *corev1.NodeAffinity) *NodeAffinity {
	switch {
	case a != nil && equality.Semantic.DeepEqual(a.api(), live):
		return a
	case equality.Semantic.DeepEqual(live, &corev1.NodeAffinity{}):
		return nil
	}
	result := &NodeAffinity{Required: []NodeRequired{}, Preferred: []NodePreferred{}}
	if required := live.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		result.Required = append(result.Required, NodeRequired{Terms: each(required.NodeSelectorTerms, nodeTerm)})
	}
	for _, p := range live.PreferredDuringSchedulingIgnoredDuringExecution {
		result.Preferred = append(result.Preferred, NodePreferred{Weight: types.Int64Value(int64(p.Weight)), Preference: []NodeTerm{nodeTerm(p.Preference)}})
	}
	return result
}

func nodeTerm(live corev1.NodeSelectorTerm) NodeTerm {
	return NodeTerm{
		MatchExpressions: append([]Requirement{}, each(live.MatchExpressions, nodeRequirement)...),
		MatchFields:      append([]Requirement{}, each(live.MatchFields, nodeRequirement)...),
	}
}
