// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package vlanconfig

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// decoded is a VlanConfig of this JSON.
func decoded(t *testing.T, text string, statuses ...api.VlanStatus) *config {
	t.Helper()
	c := &config{Statuses: statuses}
	if err := json.Unmarshal([]byte(text), &c.VlanConfig); err != nil {
		t.Fatal(err)
	}
	return c
}

func status(node, ready, message string) api.VlanStatus {
	s := api.VlanStatus{Status: api.VlanStatusStatus{Node: node, VlanConfig: "a"}}
	s.Status.Conditions = []api.Condition{{Type: api.ConditionNetworkReady, Status: ready, Message: message}}
	return s
}

func filled(t *testing.T, m *model, c *config) *model {
	t.Helper()
	if diags := tfbase.Fill[model, config](t.Context(), m, c); diags.HasError() {
		t.Fatal(diags)
	}
	return m
}

// U6: matched_nodes is sorted. U7: what a dashboard leaves out reads as what the server does.
func TestFromAPI(t *testing.T) {
	t.Parallel()
	c := decoded(t, `{"metadata":{"name":"a","annotations":{"network.harvesterhci.io/matched-nodes":"[\"n2\",\"n1\"]"}},
		"spec":{"clusterNetwork":"c","uplink":{"nics":["eno2","eno1"]}}}`)
	m := filled(t, &model{}, c)
	if got := m.MatchedNodes.String(); got != `["n1","n2"]` {
		t.Errorf("matched nodes %s", got)
	}
	block, _ := m.uplink(t.Context())
	if got := block.NICs.String() + block.BondMode.String() + block.BondMiimon.String() + block.MTU.String(); got != `["eno2","eno1"]"active-backup"-10` {
		t.Errorf("got %s", got)
	}
	if !m.NodeSelector.IsNull() {
		t.Errorf("node_selector %s", m.NodeSelector)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	const two = `{"metadata":{"name":"a","annotations":{"network.harvesterhci.io/matched-nodes":"[\"n0\",\"n1\"]"}}}`
	for name, test := range map[string]struct {
		config         *config
		state, message string
	}{
		"no node":   {decoded(t, `{}`), statePending, "No node matches node_selector, so nothing is set up."},
		"begun":     {decoded(t, two), statePending, "Not all nodes have begun to set it up."},
		"one ready": {decoded(t, two, status("n0", "True", "")), stateDegraded, "Not all nodes have begun to set it up."},
		"one fails": {decoded(t, two, status("n0", "True", ""), status("n1", "False", "no card")), stateDegraded, "n1: no card"},
		"both fail": {decoded(t, two, status("n0", "False", "no card"), status("n1", "False", "no card.")), stateFailed, "n0: no card; n1: no card"},
		"both":      {decoded(t, two, status("n0", "True", ""), status("n1", "True", "")), stateReady, ""},
	} {
		if state, message := verdict(test.config); state != test.state || message != test.message {
			t.Errorf("%s: got %q, %q", name, state, message)
		}
	}
}

func modelWith(t *testing.T, selector map[string]string, nics []string, mode string, miimon, mtu int64) *model {
	t.Helper()
	names, _ := types.ListValueFrom(t.Context(), types.StringType, nics)
	link, diags := types.ListValueFrom(t.Context(), uplinkType, []uplink{{names, types.StringValue(mode), types.Int64Value(miimon), types.Int64Value(mtu)}})
	if diags.HasError() {
		t.Fatal(diags)
	}
	m := &model{ClusterNetworkName: types.StringValue("c"), Uplink: link, NodeSelector: types.MapNull(types.StringType)}
	if selector != nil {
		m.NodeSelector = tfbase.StringMap(selector)
	}
	m.Tags, m.Labels = types.MapNull(types.StringType), types.MapNull(types.StringType)
	return m
}

// Only what differs is sent. U2: 0 is sent. U3, C1: labels of the selector are removed one by one.
func TestChanges(t *testing.T) {
	t.Parallel()
	before := modelWith(t, map[string]string{"a": "1", "b": "2"}, []string{"eno1"}, "active-backup", -1, 0)
	for name, test := range map[string]struct {
		plan *model
		want string
	}{
		"nothing":  {modelWith(t, map[string]string{"a": "1", "b": "2"}, []string{"eno1"}, "active-backup", -1, 1500), `null`},
		"miimon 0": {modelWith(t, map[string]string{"a": "1", "b": "2"}, []string{"eno1"}, "active-backup", 0, 0), `{"spec":{"uplink":{"bondOptions":{"miimon":0}}}}`},
		"selector": {modelWith(t, map[string]string{"b": "3"}, []string{"eno1"}, "active-backup", -1, 0), `{"spec":{"nodeSelector":{"a":null,"b":"3"}}}`},
		"none":     {modelWith(t, nil, []string{"eno1"}, "active-backup", -1, 0), `{"spec":{"nodeSelector":{"a":null,"b":null}}}`},
		"all": {
			modelWith(t, map[string]string{"a": "1", "b": "2"}, []string{"eno1", "eno2"}, "802.3ad", 50, 9000),
			`{"spec":{"uplink":{"bondOptions":{"miimon":50,"mode":"802.3ad"},"linkAttributes":{"mtu":9000},"nics":["eno1","eno2"]}}}`,
		},
	} {
		patch, diags := tfbase.Changes[model, config](t.Context(), test.plan, before)
		if got, _ := json.Marshal(patch); string(got) != test.want || diags.HasError() {
			t.Errorf("%s: got %s, %v", name, got, diags)
		}
	}
}

// U2: 0 is in the object that is created.
func TestToAPI(t *testing.T) {
	t.Parallel()
	c, diags := modelWith(t, nil, []string{"eno1"}, "active-backup", 0, 0).ToAPI(t.Context())
	if got, _ := json.Marshal(c.Spec); diags.HasError() || string(got) != `{"clusterNetwork":"c","uplink":{"nics":["eno1"],"bondOptions":{"mode":"active-backup","miimon":0},"linkAttributes":{"mtu":0}}}` {
		t.Errorf("got %s, %v", got, diags)
	}
}

// The names are those of the agent (pkg/utils/name.go in the source).
func TestStatusName(t *testing.T) {
	t.Parallel()
	for node, want := range map[string]string{
		"n0": "c-n0-", "a-very-long-name-of-a-node.in-a-very-long-domain.example.com": "c-a-very-long-name-of-a-node.in-a-very-long-domain.exa-",
	} {
		got := api.VlanStatusName("c", node)
		if !strings.HasPrefix(got, want) || len(got) != len(want)+8 {
			t.Errorf("got %s", got)
		}
	}
}

func TestSetUp(t *testing.T) {
	t.Parallel()
	object := func(config, ready, message string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"labels": map[string]any{api.LabelVlanConfig: config}},
			"status":   map[string]any{"node": "n0", "conditions": []any{map[string]any{"type": "ready", "status": ready, "message": message}}},
		}}
	}
	condition := setUp("a", "n0")
	for name, test := range map[string]struct {
		object  *unstructured.Unstructured
		done    bool
		message string
		failed  bool
	}{
		"none":            {nil, false, "n0 has not begun to set it up", false},
		"of another":      {object("b", "True", ""), false, "n0 has not begun to set it up", false},
		"ready":           {object("a", "True", ""), true, "", false},
		"not ready":       {object("a", "False", "busy"), false, "n0: busy", false},
		"without a card":  {object("a", "False", "get link x failed, error: Link not found"), false, "", true},
		"without a card2": {object("a", "False", "get link x failed, error: Link x not found"), false, "", true},
	} {
		progress, err := condition(test.object)
		if progress.Done != test.done || progress.Message != test.message || (err != nil) != test.failed {
			t.Errorf("%s: got %+v, %v", name, progress, err)
		}
	}
}

func TestMatching(t *testing.T) {
	t.Parallel()
	node := func(name string, labels map[string]string) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	nodes := []corev1.Node{node("n2", map[string]string{"a": "1"}), node("n1", map[string]string{"a": "1", "b": "2"}), node("w", map[string]string{"a": "1", api.LabelWitness: "true"})}
	for want, selector := range map[string]map[string]string{"n1 n2": {}, "n1": {"b": "2"}, "": {"a": "2"}} {
		if got := strings.Join(matchingOf(nodes, selector), " "); got != want {
			t.Errorf("%v: got %q", selector, got)
		}
	}
}

func TestCheckCards(t *testing.T) {
	t.Parallel()
	links := map[string][]api.LinkStatus{
		"n0": {{Name: "eno1", State: "up"}, {Name: "eno2", State: "up"}, {Name: "eno5", State: "down"}, {Name: "eno9", State: "up", MasterIndex: 7}},
		"n1": {{Name: "eno1", State: "up"}, {Name: "eno5", State: "down"}, {Name: "eno9", State: "up", MasterIndex: 7}},
	}
	for name, test := range map[string]struct {
		nodes, nics, had []string
		want             string
		severity         diag.Severity
	}{
		"fine":           {nodes: []string{"n0", "n1"}, nics: []string{"eno1"}},
		"nowhere":        {[]string{"n0", "n1"}, []string{"eno7"}, nil, "No such network card", diag.SeverityError},
		"on some":        {[]string{"n0", "n1"}, []string{"eno2"}, nil, "Network card missing on some nodes", diag.SeverityWarning},
		"on the chosen":  {nodes: []string{"n0"}, nics: []string{"eno2"}},
		"without a link": {[]string{"n0"}, []string{"eno5"}, nil, "Network card without a link", diag.SeverityWarning},
		"in use":         {[]string{"n0"}, []string{"eno9"}, nil, "Network card in use", diag.SeverityWarning},
		"in use by it":   {nodes: []string{"n0"}, nics: []string{"eno9"}, had: []string{"eno9"}},
		"not watched":    {nodes: []string{"n7"}, nics: []string{"eno7"}},
	} {
		diags := checkCards(links, test.nodes, test.nics, test.had)
		switch {
		case test.want == "" && len(diags) == 0:
		case test.want == "" || len(diags) != 1 || diags[0].Summary() != test.want || diags[0].Severity() != test.severity:
			t.Errorf("%s: got %v", name, diags)
		}
	}
	if diags := checkCards(links, []string{"n0", "n1"}, []string{"eno7"}, nil); !strings.Contains(diags[0].Detail(), "Free on all of them: eno1, eno5.") {
		t.Errorf("got %s", diags[0].Detail())
	}
}

// A state as the official provider writes it: U1, the server's -1 is in it.
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	state := `{"id":"a","name":"a","description":"","labels":{"network.harvesterhci.io/clusternetwork":"c"},"tags":{},"state":"","message":null,"timeouts":null,
"cluster_network_name":"c","node_selector":{},"matched_nodes":["n1","n0"],"uplink":[{"nics":["eno1"],"bond_mode":"active-backup","bond_miimon":-1,"mtu":0}]}`
	var resp resource.UpgradeStateResponse
	Kind.NewResource().(resource.ResourceWithUpgradeState).UpgradeState(t.Context())[0].StateUpgrader(t.Context(),
		resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(state)}}, &resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	s := configSchema()
	raw, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	var m model
	if diags := (tfsdk.State{Schema: s, Raw: raw}).Get(t.Context(), &m); diags.HasError() {
		t.Fatal(diags)
	}
	c := decoded(t, `{"metadata":{"name":"a","labels":{"network.harvesterhci.io/clusternetwork":"c"},"annotations":{"network.harvesterhci.io/matched-nodes":"[\"n0\"]"}},
		"spec":{"clusterNetwork":"c","uplink":{"nics":["eno1"],"bondOptions":{"mode":"active-backup","miimon":-1},"linkAttributes":{"mtu":0,"txQLen":-1}}}}`)
	before := m
	filled(t, &m, c)
	if !m.Labels.IsNull() || !m.NodeSelector.IsNull() || !m.Uplink.Equal(before.Uplink) || m.Description.ValueString() != "" {
		t.Errorf("got %+v", m)
	}
}
