// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"encoding/json"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

const vlan7 = `{"cniVersion":"0.3.1","name":"a","type":"bridge","bridge":"c-br","promiscMode":true,"vlan":7,"ipam":{}}`

// live is a network that the API has, with the route and pairs of labels.
func live(config, route string, labels ...string) *api.Network {
	n := &api.Network{Spec: api.NetworkSpec{Config: config}}
	n.Namespace, n.Name, n.Labels = "default", "a", map[string]string{}
	if route != "" {
		n.Annotations = map[string]string{api.AnnotationRoute: route}
	}
	for i := 0; i < len(labels); i += 2 {
		n.Labels[labels[i]] = labels[i+1]
	}
	return n
}

func filled(t *testing.T, m *model, network *api.Network) *model {
	t.Helper()
	if diags := tfbase.Fill[model, api.Network](t.Context(), m, network); diags.HasError() {
		t.Fatal(diags)
	}
	return m
}

// N3: the VLAN is read though the labels are not there yet. N4: that of a trunk or an overlay is not 0. N6: a network
// without a route reads as auto.
func TestFromAPI(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		network              *api.Network
		vlan                 types.Int64
		cluster, kind, route string
		mtu                  int64
	}{
		"VLAN":        {live(vlan7, ""), types.Int64Value(7), "c", "L2VlanNetwork", "auto", 1500},
		"with an MTU": {live(`{"type":"bridge","bridge":"c-br","vlan":7,"mtu":9000}`, `{"mode":"manual"}`), types.Int64Value(7), "c", "L2VlanNetwork", "manual", 9000},
		"untagged":    {live(`{"type":"bridge","bridge":"c-br","vlan":0}`, ""), types.Int64Value(0), "c", "UntaggedNetwork", "auto", 1500},
		"no vlan":     {live(`{"type":"bridge","bridge":"c-br"}`, ""), types.Int64Value(0), "c", "UntaggedNetwork", "auto", 1500},
		"trunk":       {live(`{"type":"bridge","bridge":"c-br","vlanTrunk":[{"minID":1,"maxID":5}]}`, ""), types.Int64Null(), "c", "L2VlanTrunkNetwork", "auto", 1500},
		"trunk and 0": {live(`{"type":"bridge","bridge":"c-br","vlan":0,"vlanTrunk":[{"id":1}]}`, ""), types.Int64Null(), "c", "L2VlanTrunkNetwork", "auto", 1500},
		"overlay": {
			live(`{"type":"kube-ovn","provider":"a.default.ovn"}`, "", api.LabelClusterNetwork, "mgmt"), types.Int64Null(), "mgmt", "OverlayNetwork", "auto", 1500,
		},
		"nonsense": {live(`nonsense`, "nonsense"), types.Int64Value(0), "", "UntaggedNetwork", "auto", 1500},
	} {
		m := filled(t, &model{}, test.network)
		if !m.VlanID.Equal(test.vlan) || m.ClusterNetworkName.ValueString() != test.cluster || m.Type.ValueString() != test.kind ||
			m.RouteMode.ValueString() != test.route || m.MTU.ValueInt64() != test.mtu || m.Config.ValueString() != test.network.Spec.Config {
			t.Errorf("%s: got %s, %s, %s, %s, %s, %s", name, m.VlanID, m.ClusterNetworkName, m.Type, m.RouteMode, m.MTU, m.Config)
		}
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		network        *api.Network
		state, message string
	}{
		"new":          {live(vlan7, ""), stateActive, `The cluster network "c" is not ready.`},
		"not ready":    {live(vlan7, "", api.LabelNetworkReady, "false"), stateActive, `The cluster network "c" is not ready.`},
		"ready":        {live(vlan7, "", api.LabelNetworkReady, "true"), stateReady, ""},
		"reachable":    {live(vlan7, `{"gateway":"1.1.1.1","connectivity":"true"}`, api.LabelNetworkReady, "true"), stateReady, ""},
		"unreached":    {live(vlan7, `{"gateway":"1.1.1.1","connectivity":"false"}`, api.LabelNetworkReady, "true"), stateActive, "The gateway 1.1.1.1 does not answer."},
		"no DHCP":      {live(vlan7, `{"connectivity":"DHCP failed"}`, api.LabelNetworkReady, "true"), stateActive, "No DHCP server answered in the VLAN, so its addresses are not known."},
		"ping failed":  {live(vlan7, `{"gateway":"1.1.1.1","connectivity":"ping failed"}`, api.LabelNetworkReady, "true"), stateActive, "The gateway 1.1.1.1 could not be asked: ping failed."},
		"another VLAN": {live(vlan7, `{"connectivity":"false","outdated":true}`, api.LabelNetworkReady, "true"), stateReady, ""},
	} {
		m := filled(t, &model{}, test.network)
		if m.State.ValueString() != test.state || m.Message.ValueString() != test.message {
			t.Errorf("%s: got %s, %s", name, m.State, m.Message)
		}
	}
}

// planned is a plan for the network, with changes.
func planned(change func(*model)) *model {
	m := &model{
		VlanID: types.Int64Value(7), ClusterNetworkName: types.StringValue("c"), Config: types.StringUnknown(), RouteMode: types.StringValue("auto"),
		RouteCIDR: types.StringUnknown(), RouteGateway: types.StringUnknown(),
	}
	m.Namespace, m.Name = types.StringValue("default"), types.StringValue("a")
	m.Tags, m.Labels = types.MapNull(types.StringType), types.MapNull(types.StringType)
	if change != nil {
		change(m)
	}
	return m
}

func manual(gateway string) func(*model) {
	return func(m *model) {
		m.RouteMode, m.RouteCIDR, m.RouteGateway = types.StringValue("manual"), types.StringValue("10.1.0.0/24"), types.StringValue(gateway)
	}
}

// What an update sends. N1: the server's MTU stays. N2: what was discovered is never sent. N5: foreign keys stay. C1: a
// DHCP server can be taken back.
func TestChanges(t *testing.T) {
	t.Parallel()
	discovered := `{"mode":"auto","cidr":"10.0.0.0/24","gateway":"10.0.0.1","connectivity":"true"}`
	big := `{"type":"bridge","bridge":"c-br","vlan":7,"mtu":9000,"mine":{"x":1}}`
	for name, test := range map[string]struct {
		network *api.Network
		plan    *model
		want    string
	}{
		"nothing (N2)":         {live(vlan7, discovered), planned(nil), `{}`},
		"nothing, no route":    {live(vlan7, ""), planned(nil), `{}`},
		"VLAN (N1, N5)":        {live(big, discovered), planned(func(m *model) { m.VlanID = types.Int64Value(8) }), `{"spec":{"config":"{\"bridge\":\"c-br\",\"mine\":{\"x\":1},\"mtu\":9000,\"type\":\"bridge\",\"vlan\":8}"}}`},
		"description (N1)":     {live(big, discovered), planned(func(m *model) { m.Description = types.StringValue("x") }), `{"metadata":{"annotations":{"field.cattle.io/description":"x"}}}`},
		"to manual":            {live(vlan7, discovered), planned(manual("10.1.0.1")), `{"metadata":{"annotations":{"network.harvesterhci.io/route":"{\"mode\":\"manual\",\"cidr\":\"10.1.0.0/24\",\"gateway\":\"10.1.0.1\"}"}}}`},
		"manual as it is (N5)": {live(vlan7, `{"mode":"manual","cidr":"10.1.0.0/24","gateway":"10.1.0.1","connectivity":"false"}`), planned(manual("10.1.0.1")), `{}`},
		"another gateway":      {live(vlan7, `{"mode":"manual","cidr":"10.1.0.0/24","gateway":"10.1.0.1","connectivity":"false"}`), planned(manual("10.1.0.2")), `{"metadata":{"annotations":{"network.harvesterhci.io/route":"{\"mode\":\"manual\",\"cidr\":\"10.1.0.0/24\",\"gateway\":\"10.1.0.2\"}"}}}`},
		"back to auto":         {live(vlan7, `{"mode":"manual","cidr":"10.1.0.0/24","gateway":"10.1.0.1"}`), planned(nil), `{"metadata":{"annotations":{"network.harvesterhci.io/route":"{\"mode\":\"auto\"}"}}}`},
		"no DHCP server (C1)":  {live(vlan7, `{"mode":"auto","serverIPAddr":"10.0.0.9"}`), planned(nil), `{"metadata":{"annotations":{"network.harvesterhci.io/route":"{\"mode\":\"auto\"}"}}}`},
		"trunk stays (N4)":     {live(`{"type":"bridge","bridge":"c-br","vlanTrunk":[{"id":1}]}`, ""), planned(func(m *model) { m.VlanID = types.Int64Value(0) }), `{}`},
		"config, same": {live(big, ""), planned(func(m *model) {
			m.Config = types.StringValue(`{"mine": {"x":1}, "vlan":7, "bridge":"c-br", "type":"bridge"}`)
		}), `{}`},
		"config, other MTU": {live(big, ""), planned(func(m *model) {
			m.Config = types.StringValue(`{"mine":{"x":1},"vlan":7,"bridge":"c-br","type":"bridge","mtu":1400}`)
		}), `{}`},
		"VLAN where none was": {live(`{"type":"bridge","bridge":"c-br","vlan":0}`, ""), planned(nil), `{"metadata":{"annotations":{"network.harvesterhci.io/route":"{\"mode\":\"auto\"}"}},"spec":{"config":"{\"bridge\":\"c-br\",\"type\":\"bridge\",\"vlan\":7}"}}`},
		"config, key removed": {live(big, ""), planned(func(m *model) { m.Config = types.StringValue(`{"type":"bridge","bridge":"c-br","vlan":7}`) }), `{"spec":{"config":"{\"bridge\":\"c-br\",\"mtu\":9000,\"type\":\"bridge\",\"vlan\":7}"}}`},
	} {
		state := filled(t, &model{}, test.network)
		patch, diags := test.plan.against(t.Context(), state, test.network)
		if got, _ := json.Marshal(patch); string(got) != test.want || diags.HasError() {
			t.Errorf("%s:\n got %s, %v\nwant %s", name, got, diags, test.want)
		}
	}
}

func TestToAPI(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plan                  *model
		config, route, labels string
	}{
		"VLAN":     {planned(nil), `{"bridge":"c-br","cniVersion":"0.3.1","ipam":{},"name":"a","promiscMode":true,"type":"bridge","vlan":7}`, `{"mode":"auto"}`, "c"},
		"untagged": {planned(func(m *model) { m.VlanID = types.Int64Value(0) }), `{"bridge":"c-br","cniVersion":"0.3.1","ipam":{},"name":"a","promiscMode":true,"type":"bridge","vlan":0}`, "", "c"},
		"manual":   {planned(manual("10.1.0.1")), `{"bridge":"c-br","cniVersion":"0.3.1","ipam":{},"name":"a","promiscMode":true,"type":"bridge","vlan":7}`, `{"mode":"manual","cidr":"10.1.0.0/24","gateway":"10.1.0.1"}`, "c"},
		"config": {planned(func(m *model) {
			m.Config = types.StringValue(`{"type": "bridge", "bridge": "d-br", "vlanTrunk": [{"id": 1}]}`)
		}), `{"type": "bridge", "bridge": "d-br", "vlanTrunk": [{"id": 1}]}`, "", "d"},
	} {
		network, diags := test.plan.ToAPI(t.Context())
		if diags.HasError() || network.Spec.Config != test.config || network.Annotations[api.AnnotationRoute] != test.route || network.Labels[api.LabelClusterNetwork] != test.labels {
			t.Errorf("%s: got %+v, %v", name, network, diags)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config *model
		want   string // the summary of the only finding
	}{
		"VLAN": {planned(func(m *model) {
			m.Config, m.RouteCIDR, m.RouteGateway = types.StringNull(), types.StringNull(), types.StringNull()
		}), ""},
		"no VLAN":           {&model{ClusterNetworkName: types.StringValue("c")}, "Missing argument"},
		"no network":        {&model{VlanID: types.Int64Value(0)}, "Missing argument"},
		"config alone":      {&model{Config: types.StringValue(vlan7)}, ""},
		"other VLAN":        {&model{Config: types.StringValue(vlan7), VlanID: types.Int64Value(8)}, "Contradiction"},
		"other network":     {&model{Config: types.StringValue(vlan7), ClusterNetworkName: types.StringValue("d")}, "Contradiction"},
		"the same":          {&model{Config: types.StringValue(vlan7), VlanID: types.Int64Value(7), ClusterNetworkName: types.StringValue("c")}, ""},
		"trunk and 0":       {&model{Config: types.StringValue(`{"type":"bridge","bridge":"c-br","vlanTrunk":[{"id":1}]}`), VlanID: types.Int64Value(0)}, ""},
		"trunk with VLAN":   {&model{Config: types.StringValue(`{"type":"bridge","bridge":"c-br","vlan":3,"vlanTrunk":[{"id":1}]}`)}, "Invalid VLAN"},
		"VLAN out of range": {&model{Config: types.StringValue(`{"type":"bridge","bridge":"c-br","vlan":4095}`)}, "Invalid VLAN"},
		"MTU":               {&model{Config: types.StringValue(`{"type":"bridge","bridge":"c-br","vlan":3,"mtu":9000}`)}, "MTU without effect"},
		"no bridge":         {&model{Config: types.StringValue(`{"type":"bridge","vlan":7}`)}, "Invalid bridge"},
		"long bridge":       {&model{Config: types.StringValue(`{"type":"bridge","bridge":"thirteenchars-br"}`)}, "Invalid bridge"},
		"overlay":           {&model{Config: types.StringValue(`{"type":"kube-ovn","provider":"a.default.ovn"}`)}, ""},
		"auto with CIDR":    {&model{Config: types.StringValue(vlan7), RouteCIDR: types.StringValue("10.0.0.0/8")}, "Contradiction"},
		"manual, no CIDR":   {&model{Config: types.StringValue(vlan7), RouteMode: types.StringValue("manual"), RouteGateway: types.StringValue("10.0.0.1")}, "Missing argument"},
		"gateway elsewhere": {&model{Config: types.StringValue(vlan7), RouteMode: types.StringValue("manual"), RouteCIDR: types.StringValue("10.0.0.5/24"), RouteGateway: types.StringValue("10.0.1.1")}, "Gateway outside of the subnet"},
		"bits of the host":  {&model{Config: types.StringValue(vlan7), RouteMode: types.StringValue("manual"), RouteCIDR: types.StringValue("10.0.0.5/24"), RouteGateway: types.StringValue("10.0.0.1")}, ""},
		"manual with DHCP": {&model{
			Config: types.StringValue(vlan7), RouteMode: types.StringValue("manual"), RouteCIDR: types.StringValue("10.0.0.0/24"), RouteGateway: types.StringValue("10.0.0.1"),
			RouteDHCPServerIP: types.StringValue("10.0.0.2"),
		}, "Contradiction"},
	} {
		diags := validate(t.Context(), test.config)
		switch {
		case test.want == "" && len(diags) == 0:
		case test.want == "" || len(diags) != 1 || diags[0].Summary() != test.want:
			t.Errorf("%s: got %v", name, diags)
		}
	}
}

func TestValidators(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule validator.String
		fine map[string]bool
	}{
		"CIDR":    {subnet(), map[string]bool{"10.0.0.0/8": true, "10.0.0.7/24": true, "10.0.0.0": false, "0.0.0.0/0": false, "x": false, "fd00::/64": true}},
		"address": {address(), map[string]bool{"10.0.0.1": true, "10.0.0": false, "10.0.0.1/24": false, "fd00::1": true}},
		"JSON":    {jsonObject(), map[string]bool{vlan7: true, "{": false, "[]": false, "null": false, "{} {}": false, "": true}},
	} {
		for text, fine := range test.fine {
			var resp validator.StringResponse
			test.rule.ValidateString(t.Context(), validator.StringRequest{ConfigValue: types.StringValue(text)}, &resp)
			if resp.Diagnostics.HasError() == fine {
				t.Errorf("%s: %q: %v", name, text, resp.Diagnostics)
			}
		}
	}
}

func TestUsable(t *testing.T) {
	t.Parallel()
	object := func(route string, labels map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"labels": labels, "annotations": map[string]any{api.AnnotationRoute: route}}, "spec": map[string]any{"config": vlan7},
		}}
	}
	ready := map[string]any{api.LabelNetworkType: "L2VlanNetwork", api.LabelNetworkReady: "true"}
	for name, test := range map[string]struct {
		object *unstructured.Unstructured
		routed bool
		done   bool
		failed bool
	}{
		"gone":                     {nil, false, false, true},
		"new":                      {object("", nil), false, false, false},
		"not ready":                {object("", map[string]any{api.LabelNetworkType: "x", api.LabelNetworkReady: "false"}), false, false, false},
		"ready":                    {object("", ready), false, true, false},
		"route unknown":            {object(`{"mode":"auto"}`, ready), true, false, false},
		"route outdated":           {object(`{"mode":"auto","connectivity":"true","outdated":true}`, ready), true, false, false},
		"route":                    {object(`{"mode":"auto","connectivity":"true"}`, ready), true, true, false},
		"no route":                 {object(`{"mode":"auto","connectivity":"DHCP failed"}`, ready), true, false, true},
		"no route, none asked for": {object(`{"mode":"auto","connectivity":"DHCP failed"}`, ready), false, true, false},
	} {
		progress, err := usable(test.routed, "c")(test.object)
		if progress.Done != test.done || (err != nil) != test.failed {
			t.Errorf("%s: got %+v, %v", name, progress, err)
		}
	}
}

// A state as the official provider writes it: N6, no mode; C3, the controllers' labels; the discovered route.
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	attributes := map[string]any{
		"id": "default/a", "name": "a", "namespace": "default", "description": "", "tags": map[string]any{}, "state": "", "message": nil, "timeouts": nil,
		"labels":  map[string]any{api.LabelNetworkType: "L2VlanNetwork", api.LabelNetworkReady: "true", api.LabelClusterNetwork: "c"},
		"vlan_id": 7, "cluster_network_name": "c", "config": vlan7, "route_mode": "", "route_dhcp_server_ip": "", "route_cidr": "", "route_gateway": "", "route_connectivity": "",
	}
	text, _ := json.Marshal(attributes)
	var resp resource.UpgradeStateResponse
	Kind.NewResource().(resource.ResourceWithUpgradeState).UpgradeState(t.Context())[0].StateUpgrader(t.Context(),
		resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: text}}, &resp)
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
	filled(t, &m, live(vlan7, "", api.LabelNetworkType, "L2VlanNetwork", api.LabelNetworkReady, "true", api.LabelClusterNetwork, "c"))
	if !m.Labels.IsNull() || m.RouteMode.ValueString() != "auto" || !m.RouteDHCPServerIP.IsNull() || m.Config.ValueString() != vlan7 || m.WaitForRoute.ValueBool() {
		t.Errorf("got %+v", m)
	}
}
