// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package placement is about the nodes that a machine may run on: the blocks node_affinity, pod_affinity,
// pod_anti_affinity and toleration. A block that is not there leaves alone what the machine has.
package placement

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// LabelCreator is on the machines that Harvester's dashboard, its node driver and this provider made.
const LabelCreator = "harvesterhci.io/creator"

// Placement is what a configuration or a state says of where the machine may run.
type Placement struct {
	Node        *NodeAffinity
	Pod, Anti   *PodAffinity
	Tolerations []Toleration
}

// Lists are the blocks of a placement as Terraform has them.
type Lists struct{ Node, Pod, Anti, Tolerations *types.List }

// Take takes the blocks apart. A block that holds something unknown counts as absent.
func Take(ctx context.Context, lists Lists, diags *diag.Diagnostics) Placement {
	return Placement{
		Node: first(decoded[NodeAffinity](ctx, *lists.Node, diags)),
		Pod:  first(decoded[PodAffinity](ctx, *lists.Pod, diags)), Anti: first(decoded[PodAffinity](ctx, *lists.Anti, diags)),
		Tolerations: decoded[Toleration](ctx, *lists.Tolerations, diags),
	}
}

// Pack puts a placement back into its blocks. A list block is never null.
func (p Placement) Pack(ctx context.Context, lists Lists, diags *diag.Diagnostics) {
	*lists.Node = encoded(ctx, NodeAffinityBlock(), single(p.Node), diags)
	*lists.Pod = encoded(ctx, PodAffinityBlock(), single(p.Pod), diags)
	*lists.Anti = encoded(ctx, PodAntiAffinityBlock(), single(p.Anti), diags)
	*lists.Tolerations = encoded(ctx, TolerationBlock(), append([]Toleration{}, p.Tolerations...), diags)
}

func decoded[T any](ctx context.Context, list types.List, diags *diag.Diagnostics) (values []T) {
	if list.IsNull() {
		return nil
	}
	if value, err := list.ToTerraformValue(ctx); err == nil && value.IsFullyKnown() {
		diags.Append(list.ElementsAs(ctx, &values, false)...)
	}
	return values
}

func encoded[T any](ctx context.Context, block schema.ListNestedBlock, values []T, diags *diag.Diagnostics) types.List {
	list, more := types.ListValueFrom(ctx, block.NestedObject.Type(), values)
	diags.Append(more...)
	return list
}

func first[T any](values []T) *T {
	if len(values) == 0 {
		return nil
	}
	return &values[0]
}

func single[T any](value *T) []T {
	if value == nil {
		return []T{}
	}
	return []T{*value}
}

// each converts one by one. Of nothing it makes nil.
func each[A, B any](values []A, convert func(A) B) (result []B) {
	for _, value := range values {
		result = append(result, convert(value))
	}
	return result
}

// Spread lets machines keep away from one another if there are nodes enough, as the dashboard and the official
// provider do.
func Spread() *corev1.PodAntiAffinity {
	return &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				TopologyKey: corev1.LabelHostname,
				LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: LabelCreator, Operator: metav1.LabelSelectorOpExists},
				}},
			},
		}},
	}
}

// Onto writes the placement onto a machine. What the machine had before by these blocks and has not any more is taken
// back; what never was in a block stays as it is.
func (p Placement) Onto(spec *kubevirtv1.VirtualMachineInstanceSpec, before Placement) {
	affinity := corev1.Affinity{}
	if spec.Affinity != nil {
		affinity = *spec.Affinity.DeepCopy()
	}
	if p.Node != nil || before.Node != nil {
		affinity.NodeAffinity = p.Node.onto(affinity.NodeAffinity)
	}
	switch {
	case p.Pod != nil && !equality.Semantic.DeepEqual(affinity.PodAffinity, p.Pod.attract()):
		affinity.PodAffinity = p.Pod.attract()
	case p.Pod == nil && before.Pod != nil:
		affinity.PodAffinity = nil
	}
	switch {
	case p.Anti != nil && !equality.Semantic.DeepEqual(affinity.PodAntiAffinity, p.Anti.repel()):
		affinity.PodAntiAffinity = p.Anti.repel()
	case p.Anti == nil && before.Anti != nil:
		affinity.PodAntiAffinity = Spread()
	}
	if spec.Affinity != nil || affinity != (corev1.Affinity{}) {
		spec.Affinity = &affinity
	}
	wanted := each(p.Tolerations, Toleration.api)
	managed := len(p.Tolerations) > 0 || len(before.Tolerations) > 0
	if managed && !equality.Semantic.DeepEqual(normal(spec.Tolerations), wanted) {
		spec.Tolerations = wanted
	}
}

// Read takes over what the machine has, for the blocks that are there. On import these are all that somebody asked for:
// neither what Harvester adds nor what every machine gets. What means the same stays as it was said.
func (p Placement) Read(spec *kubevirtv1.VirtualMachineInstanceSpec, imported bool) Placement {
	affinity := corev1.Affinity{}
	if spec.Affinity != nil {
		affinity = *spec.Affinity
	}
	result := Placement{}
	if p.Node != nil || imported {
		result.Node = p.Node.read(own(affinity.NodeAffinity))
	}
	if p.Pod != nil || imported {
		live := affinity.PodAffinity
		if live == nil {
			live = &corev1.PodAffinity{}
		}
		result.Pod = p.Pod.read(live)
	}
	if p.Anti != nil || imported && !equality.Semantic.DeepEqual(affinity.PodAntiAffinity, Spread()) {
		live := affinity.PodAntiAffinity
		if live == nil {
			live = &corev1.PodAntiAffinity{}
		}
		same := corev1.PodAffinity(*live) // both have the same fields
		result.Anti = p.Anti.read(&same)
	}
	if len(p.Tolerations) > 0 || imported {
		result.Tolerations = readTolerations(p.Tolerations, spec.Tolerations)
	}
	return result
}

// Theirs says that Harvester puts a requirement of this label into the required terms of a machine, from its networks and
// its CPU pinning, and takes out any other of the kind (pkg/webhook/resources/virtualmachine/mutator.go, patchAffinity).
// The label of pinning is KubeVirt's, which changed it in 1.8.
func Theirs(label string) bool {
	return strings.HasPrefix(label, "network.harvesterhci.io") || label == kubevirtv1.DeprecatedCPUManager || label == kubevirtv1.CPUManager
}

// own is the node affinity without what Harvester added to it; never nil.
func own(live *corev1.NodeAffinity) *corev1.NodeAffinity {
	if live == nil {
		return &corev1.NodeAffinity{}
	}
	result := live.DeepCopy()
	required := result.RequiredDuringSchedulingIgnoredDuringExecution
	if required == nil {
		return result
	}
	var terms []corev1.NodeSelectorTerm
	for _, term := range required.NodeSelectorTerms {
		term.MatchExpressions = slices.DeleteFunc(term.MatchExpressions, func(r corev1.NodeSelectorRequirement) bool { return Theirs(r.Key) })
		if len(term.MatchExpressions)+len(term.MatchFields) > 0 {
			terms = append(terms, term)
		}
	}
	if required.NodeSelectorTerms = terms; len(terms) == 0 {
		result.RequiredDuringSchedulingIgnoredDuringExecution = nil
	}
	return result
}
