// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package placement

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

func text(s string) types.String { return types.StringValue(s) }

func requirement(key, operator string, values ...string) Requirement {
	return Requirement{Key: text(key), Operator: text(operator), Values: listOf(values)}
}

func required(terms ...NodeTerm) *NodeAffinity {
	return &NodeAffinity{Required: []NodeRequired{{Terms: terms}}, Preferred: []NodePreferred{}}
}

func matching(requirements ...Requirement) NodeTerm {
	return NodeTerm{MatchExpressions: requirements, MatchFields: []Requirement{}}
}

// full has every argument.
func full() Placement {
	machines := Selector{MatchLabels: types.MapValueMust(types.StringType, map[string]attr.Value{"app": text("db")}), MatchExpressions: []Requirement{requirement("tier", "NotIn", "test")}}
	term := PodTerm{
		LabelSelector: []Selector{machines}, Namespaces: listOf([]string{"default", "web"}),
		NamespaceSelector: []Selector{{MatchLabels: types.MapNull(types.StringType), MatchExpressions: []Requirement{}}}, TopologyKey: text("kubernetes.io/hostname"),
	}
	affinity := func() *PodAffinity {
		return &PodAffinity{Required: []PodTerm{term}, Preferred: []PodPreferred{{Weight: types.Int64Value(7), Term: []PodTerm{term}}}}
	}
	node := required(matching(requirement("zone", "In", "a", "b"), requirement("gpu", "Exists")), matching(requirement("cpus", "Gt", "8")))
	node.Preferred = []NodePreferred{{Weight: types.Int64Value(50), Preference: []NodeTerm{{MatchExpressions: []Requirement{}, MatchFields: []Requirement{requirement("metadata.name", "In", "node-1")}}}}}
	return Placement{Node: node, Pod: affinity(), Anti: affinity(), Tolerations: []Toleration{
		{Key: text("dedicated"), Operator: text("Equal"), Value: text("gpu"), Effect: text("NoSchedule"), Seconds: types.Int64Null()},
		{Key: types.StringNull(), Operator: text("Exists"), Value: types.StringNull(), Effect: text("NoExecute"), Seconds: types.Int64Value(0)},
	}}
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// packed is a placement as its blocks hold it, which tells null from empty.
func packed(t *testing.T, p Placement) string {
	t.Helper()
	var node, pod, anti, tolerations types.List
	var diags diag.Diagnostics
	lists := Lists{&node, &pod, &anti, &tolerations}
	p.Pack(context.Background(), lists, &diags)
	back := Take(context.Background(), lists, &diags)
	var again [4]types.List
	back.Pack(context.Background(), Lists{&again[0], &again[1], &again[2], &again[3]}, &diags)
	if diags.HasError() || !again[0].Equal(node) || !again[1].Equal(pod) || !again[2].Equal(anti) || !again[3].Equal(tolerations) {
		t.Fatalf("%v: taken apart and put together again it is %s", diags, again)
	}
	return strings.Join([]string{node.String(), pod.String(), anti.String(), tolerations.String()}, "\n")
}

// harvester adds what the webhook of Harvester adds for a network and for CPU pinning.
func harvester(spec *kubevirtv1.VirtualMachineInstanceSpec) {
	added := []corev1.NodeSelectorRequirement{
		{Key: "network.harvesterhci.io/mgmt", Operator: corev1.NodeSelectorOpIn, Values: []string{"true"}}, {Key: "cpumanager", Operator: corev1.NodeSelectorOpIn, Values: []string{"true"}},
	}
	if spec.Affinity.NodeAffinity == nil {
		spec.Affinity.NodeAffinity = &corev1.NodeAffinity{}
	}
	node := spec.Affinity.NodeAffinity
	if node.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		node.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{}}}
	}
	for i := range node.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
		term := &node.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[i]
		term.MatchExpressions = append(term.MatchExpressions, added...)
	}
}

func blank() *kubevirtv1.VirtualMachineInstanceSpec {
	return &kubevirtv1.VirtualMachineInstanceSpec{Affinity: &corev1.Affinity{PodAntiAffinity: Spread()}}
}

// Everything goes there and back, by an update as by an import, and Harvester's part stays Harvester's.
func TestThereAndBack(t *testing.T) {
	p, spec := full(), blank()
	p.Onto(spec, Placement{})
	harvester(spec)
	for name, back := range map[string]Placement{"refresh": p.Read(spec, false), "import": Placement{}.Read(spec, true)} {
		if got, want := packed(t, back), packed(t, p); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
	before := asJSON(t, spec)
	if p.Onto(spec, p); asJSON(t, spec) != before {
		t.Errorf("an update changes\n%s\nto\n%s", before, asJSON(t, spec))
	}
	if none := (Placement{}).Read(spec, false); packed(t, none) != packed(t, Placement{}) {
		t.Errorf("without a block it reads %s", packed(t, none))
	}
	if (Placement{}).Onto(spec, Placement{}); asJSON(t, spec) != before {
		t.Error("without a block an update changes what the machine has")
	}
}

// What a block brought goes with it, and Harvester's defaults take its place.
func TestRemoved(t *testing.T) {
	p, spec := full(), blank()
	p.Onto(spec, Placement{})
	harvester(spec)
	Placement{}.Onto(spec, p)
	if got, want := asJSON(t, spec), asJSON(t, blank()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Harvester's own affinity, and that of every machine, are nobody's on import.
func TestImportOfNothing(t *testing.T) {
	spec := blank()
	harvester(spec)
	if got := (Placement{}).Read(spec, true); packed(t, got) != packed(t, Placement{}) {
		t.Errorf("adopted %s", packed(t, got))
	}
	if got := (Placement{}).Read(&kubevirtv1.VirtualMachineInstanceSpec{}, true); packed(t, got) != packed(t, Placement{}) {
		t.Errorf("adopted %s of a machine that says nothing", packed(t, got))
	}
}

// Changed by others, it shows.
func TestDrift(t *testing.T) {
	for name, change := range map[string]func(*kubevirtv1.VirtualMachineInstanceSpec){
		"another zone": func(s *kubevirtv1.VirtualMachineInstanceSpec) {
			s.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchExpressions[0].Values[0] = "c"
		},
		"another weight": func(s *kubevirtv1.VirtualMachineInstanceSpec) {
			s.Affinity.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].Weight = 8
		},
		"away": func(s *kubevirtv1.VirtualMachineInstanceSpec) { s.Affinity = nil },
		"one more taint": func(s *kubevirtv1.VirtualMachineInstanceSpec) {
			s.Tolerations = append(s.Tolerations, corev1.Toleration{Key: "x"})
		},
		"no taint": func(s *kubevirtv1.VirtualMachineInstanceSpec) { s.Tolerations = nil },
		"no selector": func(s *kubevirtv1.VirtualMachineInstanceSpec) {
			s.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].LabelSelector = nil
		},
		"other namespaces": func(s *kubevirtv1.VirtualMachineInstanceSpec) {
			s.Affinity.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].NamespaceSelector = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, spec := full(), blank()
			p.Onto(spec, Placement{})
			right := asJSON(t, spec)
			harvester(spec)
			change(spec)
			drifted := p.Read(spec, false)
			if packed(t, drifted) == packed(t, p) {
				t.Error("it does not show")
			}
			p.Onto(spec, drifted)
			if own := own(spec.Affinity.NodeAffinity); asJSON(t, own) != asJSON(t, p.Node.api()) {
				t.Errorf("put right: %s", asJSON(t, own))
			}
			spec.Affinity.NodeAffinity = p.Node.api()
			if asJSON(t, spec) != right {
				t.Errorf("put right it is\n%s\nwant\n%s", asJSON(t, spec), right)
			}
		})
	}
}

func TestEmptyBlocks(t *testing.T) {
	p := Placement{Node: &NodeAffinity{Required: []NodeRequired{}, Preferred: []NodePreferred{}}, Anti: &PodAffinity{Required: []PodTerm{}, Preferred: []PodPreferred{}}}
	spec := blank()
	p.Onto(spec, Placement{})
	if spec.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution != nil {
		t.Error("an empty block leaves the spread")
	}
	if got := p.Read(spec, false); packed(t, got) != packed(t, p) {
		t.Errorf("got %s", packed(t, got))
	}
}

func TestValidate(t *testing.T) {
	pods := func(r Requirement) Placement {
		return Placement{Anti: &PodAffinity{Required: []PodTerm{{LabelSelector: []Selector{{MatchExpressions: []Requirement{r}}}, TopologyKey: text("zone")}}}}
	}
	const terms = "node_affinity[0].required[0].node_selector_term[0]"
	for name, test := range map[string]struct {
		p    Placement
		want string
	}{
		"everything":       {full(), ""},
		"empty term":       {Placement{Node: required(matching())}, terms},
		"fields alone":     {Placement{Node: required(NodeTerm{MatchFields: []Requirement{requirement("metadata.name", "In", "n")}})}, terms},
		"Harvester's":      {Placement{Node: required(matching(requirement("network.harvesterhci.io/mgmt", "In", "true")))}, terms + ".match_expressions[0].key"},
		"CPU manager":      {Placement{Node: required(matching(requirement("cpumanager", "In", "true")))}, terms + ".match_expressions[0].key"},
		"no values":        {Placement{Node: required(matching(requirement("zone", "In")))}, terms + ".match_expressions[0].values"},
		"no number":        {Placement{Node: required(matching(requirement("cpus", "Gt", "many")))}, terms + ".match_expressions[0].values"},
		"two numbers":      {Placement{Node: required(matching(requirement("cpus", "Lt", "1", "2")))}, terms + ".match_expressions[0].values"},
		"unused values":    {pods(requirement("app", "Exists", "a")), "pod_anti_affinity[0].required[0].label_selector[0].match_expressions[0].values"},
		"unknown field":    {Placement{Node: &NodeAffinity{Preferred: []NodePreferred{{Preference: []NodeTerm{{MatchFields: []Requirement{requirement("zone", "In", "a")}}}}}}}, "node_affinity[0].preferred[0].preference[0].match_fields[0].key"},
		"all, but Equal":   {Placement{Tolerations: []Toleration{{Operator: text("Equal")}}}, "toleration[0]"},
		"value and Exists": {Placement{Tolerations: []Toleration{{Key: text("a"), Operator: text("Exists"), Value: text("b")}}}, "toleration[0].value"},
		"unused seconds":   {Placement{Tolerations: []Toleration{{Key: text("a"), Operator: text("Exists"), Seconds: types.Int64Value(1)}}}, "toleration[0].toleration_seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, problem := range test.p.Validate() {
				if at, ok := problem.(diag.DiagnosticWithPath); ok {
					got = at.Path().String()
				}
			}
			if got != test.want {
				t.Errorf("blames %q, want %q", got, test.want)
			}
		})
	}
}
