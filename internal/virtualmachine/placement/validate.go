// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package placement

import (
	"fmt"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Validate finds what Kubernetes would refuse, or Harvester would not keep.
func (p Placement) Validate() (diags diag.Diagnostics) {
	if p.Node != nil {
		diags.Append(p.Node.validate(path.Root("node_affinity").AtListIndex(0))...)
	}
	for name, affinity := range map[string]*PodAffinity{"pod_affinity": p.Pod, "pod_anti_affinity": p.Anti} {
		if affinity != nil {
			diags.Append(affinity.validate(path.Root(name).AtListIndex(0))...)
		}
	}
	for i, t := range p.Tolerations {
		diags.Append(t.validate(path.Root("toleration").AtListIndex(i))...)
	}
	return diags
}

func (a *NodeAffinity) validate(at path.Path) (diags diag.Diagnostics) {
	if required := first(a.Required); required != nil {
		for i, term := range required.Terms {
			diags.Append(term.validateRequired(at.AtName("required").AtListIndex(0).AtName("node_selector_term").AtListIndex(i))...)
		}
	}
	for i, preferred := range a.Preferred {
		if term := first(preferred.Preference); term != nil {
			diags.Append(term.validate(at.AtName("preferred").AtListIndex(i).AtName("preference").AtListIndex(0))...)
		}
	}
	return diags
}

// validateRequired is also about what Harvester does to the required terms (mutator.go, makeAffinityFromVMTemplate).
func (t NodeTerm) validateRequired(at path.Path) (diags diag.Diagnostics) {
	if len(t.MatchExpressions) == 0 {
		diags.AddAttributeError(at, "Term without match_expressions",
			"Harvester drops a required term that has no match_expressions, and the machine would run on any node. "+
				"To name a node, match the label kubernetes.io/hostname in match_expressions.")
	}
	for i, r := range t.MatchExpressions {
		if Theirs(r.Key.ValueString()) {
			diags.AddAttributeError(at.AtName("match_expressions").AtListIndex(i).AtName("key"), "Label reserved by Harvester",
				fmt.Sprintf("Harvester sets the requirements on %q itself, from the machine's networks and its CPU pinning, and drops others. Remove this block.", r.Key.ValueString()))
		}
	}
	return append(diags, t.validate(at)...)
}

func (t NodeTerm) validate(at path.Path) (diags diag.Diagnostics) {
	for i, r := range t.MatchExpressions {
		diags.Append(r.validate(at.AtName("match_expressions").AtListIndex(i))...)
	}
	for i, r := range t.MatchFields {
		block := at.AtName("match_fields").AtListIndex(i)
		if r.Key.ValueString() != metav1.ObjectNameField {
			diags.AddAttributeError(block.AtName("key"), "Unknown field",
				fmt.Sprintf("Nodes cannot be told apart by %q here. The only field is metadata.name; labels belong into match_expressions.", r.Key.ValueString()))
		}
		if len(r.Values.Elements()) != 1 {
			diags.AddAttributeError(block.AtName("values"), "One value needed", "The field metadata.name is compared with one value. For several nodes write several terms.")
		}
	}
	return diags
}

func (a *PodAffinity) validate(at path.Path) (diags diag.Diagnostics) {
	for i, term := range a.Required {
		diags.Append(term.validate(at.AtName("required").AtListIndex(i))...)
	}
	for i, preferred := range a.Preferred {
		if term := first(preferred.Term); term != nil {
			diags.Append(term.validate(at.AtName("preferred").AtListIndex(i).AtName("pod_affinity_term").AtListIndex(0))...)
		}
	}
	return diags
}

func (t PodTerm) validate(at path.Path) (diags diag.Diagnostics) {
	for name, blocks := range map[string][]Selector{"label_selector": t.LabelSelector, "namespace_selector": t.NamespaceSelector} {
		if selector := first(blocks); selector != nil {
			for i, r := range selector.MatchExpressions {
				diags.Append(r.validate(at.AtName(name).AtListIndex(0).AtName("match_expressions").AtListIndex(i))...)
			}
		}
	}
	return diags
}

func (r Requirement) validate(at path.Path) (diags diag.Diagnostics) {
	values, operator := texts(r.Values), r.Operator.ValueString()
	refuse := func(summary, detail string) { diags.AddAttributeError(at.AtName("values"), summary, detail) }
	switch corev1.NodeSelectorOperator(operator) {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(values) == 0 {
			refuse("Values needed", fmt.Sprintf("%s compares with values, and there are none. Set values, or use Exists or DoesNotExist.", operator))
		}
	case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
		if len(values) > 0 {
			refuse("Values not used", fmt.Sprintf("%s does not look at the value. Remove values, or use In or NotIn.", operator))
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(values) != 1 {
			refuse("One number needed", fmt.Sprintf("%s compares with one number, and there are %d values.", operator, len(values)))
		} else if _, err := strconv.ParseInt(values[0], 10, 64); err != nil {
			refuse("One number needed", fmt.Sprintf("%s compares with a whole number, and %q is none.", operator, values[0]))
		}
	}
	return diags
}

func (t Toleration) validate(at path.Path) (diags diag.Diagnostics) {
	exists := t.Operator.ValueString() == string(corev1.TolerationOpExists)
	if t.Key.ValueString() == "" && !exists {
		diags.AddAttributeError(at, "Toleration of no taint", `Without a key the toleration is for all taints, which needs operator = "Exists". Set the key or the operator.`)
	}
	if t.Value.ValueString() != "" && exists {
		diags.AddAttributeError(at.AtName("value"), "Value not used", "The operator Exists does not look at the value. Remove the value, or use Equal.")
	}
	if !t.Seconds.IsNull() && t.Effect.ValueString() != string(corev1.TaintEffectNoExecute) {
		diags.AddAttributeError(at.AtName("toleration_seconds"), "Time limit not used",
			`Only a taint with the effect NoExecute drives machines away, after that time. Set effect = "NoExecute", or remove toleration_seconds.`)
	}
	return diags
}
