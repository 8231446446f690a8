// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package placement

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// PodAffinity is the block pod_affinity, and the block pod_anti_affinity.
type PodAffinity struct {
	Required  []PodTerm      `tfsdk:"required"`
	Preferred []PodPreferred `tfsdk:"preferred"`
}

// PodPreferred is a block preferred in pod_affinity.
type PodPreferred struct {
	Weight types.Int64 `tfsdk:"weight"`
	Term   []PodTerm   `tfsdk:"pod_affinity_term"`
}

// PodTerm is about the nodes that are one place with a node on which such pods run.
type PodTerm struct {
	LabelSelector     []Selector   `tfsdk:"label_selector"`
	Namespaces        types.List   `tfsdk:"namespaces"`
	NamespaceSelector []Selector   `tfsdk:"namespace_selector"`
	TopologyKey       types.String `tfsdk:"topology_key"`
}

// Selector fits what has all of these labels.
type Selector struct {
	MatchLabels      types.Map     `tfsdk:"match_labels"`
	MatchExpressions []Requirement `tfsdk:"match_expressions"`
}

// PodAffinityBlock is the schema of the block pod_affinity.
func PodAffinityBlock() schema.ListNestedBlock {
	return tfbase.AdvisedBlock(podBlock("Near which other machines the machine runs. A machine is the pod that runs it, and has the labels and tags of the machine."), leftAlone)
}

// PodAntiAffinityBlock is the schema of the block pod_anti_affinity.
func PodAntiAffinityBlock() schema.ListNestedBlock {
	return tfbase.AdvisedBlock(podBlock("Away from which other machines the machine runs. That machines spread over the nodes, as every machine is told to, is not shown."),
		"With the block, only what it says counts. "+leftAlone)
}

func podBlock(description string) schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: description,
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Blocks: map[string]schema.Block{
			"required": schema.ListNestedBlock{
				MarkdownDescription: "Without a node that fits the machine does not start.",
				NestedObject:        podTermObject(),
			},
			"preferred": schema.ListNestedBlock{
				MarkdownDescription: "Of the nodes that fit, those with the most weight are taken first.",
				NestedObject: schema.NestedBlockObject{
					Attributes: map[string]schema.Attribute{"weight": weight()},
					Blocks: map[string]schema.Block{
						"pod_affinity_term": schema.ListNestedBlock{
							MarkdownDescription: "What a node must meet to get the weight.",
							Validators:          []validator.List{listvalidator.IsRequired(), listvalidator.SizeAtMost(1)},
							NestedObject:        podTermObject(),
						},
					},
				},
			},
		}},
	}
}

func podTermObject() schema.NestedBlockObject {
	return schema.NestedBlockObject{
		Attributes: map[string]schema.Attribute{
			"namespaces": schema.ListAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Namespaces of the other machines. The machine's own if neither this nor `namespace_selector` is set.",
			},
			"topology_key": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Label of nodes that says what one place is: nodes with the same value are. `kubernetes.io/hostname` makes each node a place, `topology.kubernetes.io/zone` each zone.",
				Validators:          []validator.String{labelKey()},
			},
		},
		Blocks: map[string]schema.Block{
			"label_selector":     selectorBlock("Labels of the other machines. An empty block means all machines; without one there are none."),
			"namespace_selector": selectorBlock("Labels of the namespaces of the other machines. An empty block means all namespaces."),
		},
	}
}

func selectorBlock(description string) schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: description,
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{
			Attributes: map[string]schema.Attribute{
				"match_labels": schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: "Labels with their values."},
			},
			Blocks: map[string]schema.Block{"match_expressions": requirementBlock("What the labels must say.", labelOperators)},
		},
	}
}

func labelKey() validator.String {
	return tfbase.Rule("Invalid label", "must be the key of a label, as in example.com/zone", validation.IsQualifiedName)
}

func (a *PodAffinity) attract() *corev1.PodAffinity {
	if a == nil {
		return &corev1.PodAffinity{}
	}
	return &corev1.PodAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: each(a.Required, PodTerm.api),
		PreferredDuringSchedulingIgnoredDuringExecution: each(a.Preferred, func(p PodPreferred) corev1.WeightedPodAffinityTerm {
			weighted := corev1.WeightedPodAffinityTerm{Weight: int32(p.Weight.ValueInt64())}
			if term := first(p.Term); term != nil {
				weighted.PodAffinityTerm = term.api()
			}
			return weighted
		}),
	}
}

func (a *PodAffinity) repel() *corev1.PodAntiAffinity {
	same := corev1.PodAntiAffinity(*a.attract()) // both have the same fields
	return &same
}

func (t PodTerm) api() corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{
		LabelSelector: selector(t.LabelSelector), NamespaceSelector: selector(t.NamespaceSelector),
		Namespaces: texts(t.Namespaces), TopologyKey: t.TopologyKey.ValueString(),
	}
}

func selector(blocks []Selector) *metav1.LabelSelector {
	block := first(blocks)
	if block == nil {
		return nil
	}
	result := &metav1.LabelSelector{MatchExpressions: each(block.MatchExpressions, Requirement.label)}
	for key, value := range block.MatchLabels.Elements() {
		if text, ok := value.(types.String); ok {
			if result.MatchLabels == nil {
				result.MatchLabels = map[string]string{}
			}
			result.MatchLabels[key] = text.ValueString()
		}
	}
	return result
}

// read is the affinity as the machine has it, nil if it has none; in the words of before if they still say it.
func (a *PodAffinity) read(live *corev1.PodAffinity) *PodAffinity {
	switch {
	case a != nil && equality.Semantic.DeepEqual(a.attract(), live):
		return a
	case equality.Semantic.DeepEqual(live, &corev1.PodAffinity{}):
		return nil
	}
	result := &PodAffinity{Required: []PodTerm{}, Preferred: []PodPreferred{}}
	for _, term := range live.RequiredDuringSchedulingIgnoredDuringExecution {
		result.Required = append(result.Required, podTerm(term))
	}
	for _, p := range live.PreferredDuringSchedulingIgnoredDuringExecution {
		result.Preferred = append(result.Preferred, PodPreferred{Weight: types.Int64Value(int64(p.Weight)), Term: []PodTerm{podTerm(p.PodAffinityTerm)}})
	}
	return result
}

func podTerm(live corev1.PodAffinityTerm) PodTerm {
	return PodTerm{
		LabelSelector: readSelector(live.LabelSelector), NamespaceSelector: readSelector(live.NamespaceSelector),
		Namespaces: listOf(live.Namespaces), TopologyKey: types.StringValue(live.TopologyKey),
	}
}

func readSelector(live *metav1.LabelSelector) []Selector {
	if live == nil {
		return []Selector{}
	}
	result := Selector{MatchLabels: types.MapNull(types.StringType), MatchExpressions: append([]Requirement{}, each(live.MatchExpressions, labelRequirement)...)}
	if len(live.MatchLabels) > 0 {
		result.MatchLabels = tfbase.StringMap(live.MatchLabels)
	}
	return []Selector{result}
}
