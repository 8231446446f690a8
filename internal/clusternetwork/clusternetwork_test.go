// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package clusternetwork

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

func networkWith(name, condition string, uplinks ...api.VlanStatus) *clusterNetwork {
	n := &clusterNetwork{Uplinks: uplinks}
	n.Name = name
	if condition != "" {
		n.Status.Conditions = []api.Condition{{Type: api.ConditionNetworkReady, Status: condition}}
	}
	return n
}

func uplink(config, node, ready, message string) api.VlanStatus {
	status := api.VlanStatus{Status: api.VlanStatusStatus{VlanConfig: config, Node: node}}
	status.Status.Conditions = []api.Condition{{Type: api.ConditionNetworkReady, Status: ready, Message: message}}
	return status
}

// The condition is believed only together with the uplinks: the controller leaves it True when the last two go at once.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		network        *clusterNetwork
		state, message string
	}{
		"new":                     {networkWith("a", ""), stateActive, "None of its VlanConfigs is set up on a node."},
		"set up":                  {networkWith("a", "True", uplink("c", "n0", "True", "")), stateReady, ""},
		"set up on one of two":    {networkWith("a", "True", uplink("c", "n0", "True", ""), uplink("c", "n1", "False", "no card")), stateReady, "n1: no card"},
		"True without any uplink": {networkWith("a", "True"), stateActive, "None of its VlanConfigs is set up on a node."},
		"True, no uplink ready":   {networkWith("a", "True", uplink("c", "n0", "False", "no card")), stateActive, "n0: no card"},
		"uplink, not noticed yet": {networkWith("a", "", uplink("c", "n0", "True", "")), stateActive, "The cluster network is not ready."},
		"management":              {networkWith("mgmt", "True"), stateReady, ""},
		"management not ready":    {networkWith("mgmt", "False"), stateActive, "The cluster network is not ready."},
	} {
		if state, message := verdict(test.network); state != test.state || message != test.message {
			t.Errorf("%s: got %q, %q", name, state, message)
		}
	}
}

func TestFromAPI(t *testing.T) {
	t.Parallel()
	n := networkWith("a", "True", uplink("z", "n1", "True", ""), uplink("b", "n0", "True", ""), uplink("b", "n2", "False", ""))
	n.Annotations = map[string]string{api.AnnotationUplinkMTU: "9000", api.AnnotationVlanIDs: "20,3,100"}
	var m model
	if diags := tfbase.Fill[model, clusterNetwork](t.Context(), &m, n); diags.HasError() {
		t.Fatal(diags)
	}
	if got := m.VlanIDs.String() + m.VlanConfigs.String() + m.Nodes.String() + m.MTU.String(); got != `[3,20,100]["b","z"]["n0","n1"]9000` {
		t.Errorf("got %s", got)
	}
}

// 0, 1500 and none are the same MTU; what is configured keeps its spelling.
func TestMTU(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prior      types.Int64
		annotation string
		want       int64
	}{
		"none, nothing known":    {types.Int64Null(), "", 1500},
		"none, planned":          {types.Int64Unknown(), "", 1500},
		"0 configured":           {types.Int64Value(0), "1500", 0},
		"1500 configured":        {types.Int64Value(1500), "0", 1500},
		"changed":                {types.Int64Value(0), "9000", 9000},
		"changed back":           {types.Int64Value(9000), "", 1500},
		"as it was":              {types.Int64Value(9000), "9000", 9000},
		"not a number":           {types.Int64Value(1500), "many", 1500},
		"default, nothing known": {types.Int64Null(), "0", 1500},
	} {
		m := model{MTU: test.prior}
		n := networkWith("mgmt", "True")
		n.Annotations = map[string]string{api.AnnotationUplinkMTU: test.annotation}
		if diags := m.FromAPI(t.Context(), n, false); diags.HasError() || m.MTU.ValueInt64() != test.want {
			t.Errorf("%s: got %s, %v", name, m.MTU, diags)
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	mtu := func(name string, mtu int64) *model {
		m := &model{MTU: types.Int64Value(mtu)}
		m.Name = types.StringValue(name)
		return m
	}
	if patch, _ := mtu("a", 9000).Changes(t.Context(), mtu("a", 1500)); len(patch) > 0 {
		t.Errorf("the MTU of another than mgmt is sent: %v", patch)
	}
	patch, _ := mtu("mgmt", 9000).Changes(t.Context(), mtu("mgmt", 1500))
	annotations := patch["metadata"].(map[string]any)["annotations"].(map[string]any)
	if annotations[api.AnnotationUplinkMTU] != "9000" {
		t.Errorf("got %v", patch)
	}
}

func TestCheckMTU(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		name types.String
		mtu  types.Int64
		fine bool
	}{
		"none":           {types.StringValue("a"), types.Int64Null(), true},
		"of mgmt":        {types.StringValue("mgmt"), types.Int64Value(9000), true},
		"of another":     {types.StringValue("a"), types.Int64Value(9000), false},
		"name not known": {types.StringUnknown(), types.Int64Value(9000), true},
	} {
		m := &model{MTU: test.mtu}
		m.Name = test.name
		if diags := m.checkMTU(); diags.HasError() == test.fine {
			t.Errorf("%s: %v", name, diags)
		}
	}
}

func TestLength(t *testing.T) {
	t.Parallel()
	for name, fine := range map[string]bool{"mgmt": true, "twelve-chars": true, "thirteenchars": false} {
		var resp validator.StringResponse
		Length().ValidateString(t.Context(), validator.StringRequest{ConfigValue: types.StringValue(name)}, &resp)
		if resp.Diagnostics.HasError() == fine {
			t.Errorf("%s: %v", name, resp.Diagnostics)
		}
	}
}

// A state as the official provider writes it. C3: it holds the controllers' labels.
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	state := `{"id":"a","name":"a","description":"","labels":{"network.harvesterhci.io/x":"y","mine":"kept"},"tags":{},"state":"Ready","message":null,"timeouts":null}`
	var resp resource.UpgradeStateResponse
	Kind.NewResource().(resource.ResourceWithUpgradeState).UpgradeState(t.Context())[0].StateUpgrader(t.Context(),
		resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(state)}}, &resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	s := networkSchema()
	raw, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	var m model
	if diags := (tfsdk.State{Schema: s, Raw: raw}).Get(t.Context(), &m); diags.HasError() {
		t.Fatal(diags)
	}
	if !m.Description.IsNull() || !m.Tags.IsNull() || m.Labels.String() != `{"mine":"kept"}` || m.State.ValueString() != stateReady {
		t.Errorf("got %+v", m)
	}
}

// The description of an import carries no label of the controllers (C3).
func TestImportLeavesControllersLabels(t *testing.T) {
	t.Parallel()
	n := networkWith("a", "True")
	n.ObjectMeta = metav1.ObjectMeta{Name: "a", Labels: map[string]string{"network.harvesterhci.io/x": "y", "mine": "kept", "tag.harvesterhci.io/t": "1"}}
	var m model
	if diags := tfbase.Fill[model, clusterNetwork](t.Context(), &m, n); diags.HasError() {
		t.Fatal(diags)
	}
	if m.Labels.String() != `{"mine":"kept"}` || m.Tags.String() != `{"t":"1"}` {
		t.Errorf("got %s, %s", m.Labels, m.Tags)
	}
}
