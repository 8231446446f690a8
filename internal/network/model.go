// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Values of state.
const (
	stateReady  = "Ready"
	stateActive = "Active"
)

// model is harvester_network as Terraform has it.
type model struct {
	tfbase.NamespacedModel
	VlanID             types.Int64  `tfsdk:"vlan_id"`
	ClusterNetworkName types.String `tfsdk:"cluster_network_name"`
	Config             types.String `tfsdk:"config"`
	RouteMode          types.String `tfsdk:"route_mode"`
	RouteDHCPServerIP  types.String `tfsdk:"route_dhcp_server_ip"`
	RouteCIDR          types.String `tfsdk:"route_cidr"`
	RouteGateway       types.String `tfsdk:"route_gateway"`
	RouteConnectivity  types.String `tfsdk:"route_connectivity"`
	Type               types.String `tfsdk:"type"`
	MTU                types.Int64  `tfsdk:"mtu"`
	Ready              types.Bool   `tfsdk:"ready"`
	WaitForRoute       types.Bool   `tfsdk:"wait_for_route"`

	// live is what the API has, once FromAPI has seen it: the attributes do not tell all of it.
	live *api.Network
}

func (m *model) title() string { return tfbase.Title("network", m) }

// configured is the whole configuration, where the user states it.
func (m *model) configured() string {
	if m.Config.IsUnknown() {
		return ""
	}
	return m.Config.ValueString()
}

// wanted is the configuration of a new network.
func (m *model) wanted() (netconf, error) {
	if text := m.configured(); text != "" {
		return parse(text)
	}
	return vlanNetwork(m.Name.ValueString(), m.ClusterNetworkName.ValueString(), m.VlanID.ValueInt64()), nil
}

// route is what the configuration says about the gateway.
func (m *model) route() api.Route {
	route := api.Route{Mode: api.RouteAuto, ServerIP: m.RouteDHCPServerIP.ValueString()}
	if m.RouteMode.ValueString() == api.RouteManual {
		return api.Route{Mode: api.RouteManual, CIDR: m.RouteCIDR.ValueString(), Gateway: m.RouteGateway.ValueString()}
	}
	return route
}

// ToAPI builds the object to create. A network without a VLAN has no route that could be found out.
func (m *model) ToAPI(context.Context) (*api.Network, diag.Diagnostics) {
	conf, err := m.wanted()
	if err != nil {
		return nil, diag.Diagnostics{notJSON(err)}
	}
	network := &api.Network{Spec: api.NetworkSpec{Config: conf.text()}}
	if m.configured() != "" {
		network.Spec.Config = m.configured()
	}
	if name := conf.clusterNetwork(); name != "" {
		network.Labels = map[string]string{api.LabelClusterNetwork: name}
	}
	route := m.route()
	if vlan, told := conf.vlan(); route != (api.Route{Mode: api.RouteAuto}) || told && vlan != 0 {
		network.Annotations = map[string]string{api.AnnotationRoute: encoded(route)}
	}
	return network, nil
}

func encoded(route api.Route) string {
	text, _ := json.Marshal(route) // strings and a bool always encode
	return string(text)
}

// routeOf is the route that a network has; an empty one means auto.
func routeOf(network *api.Network) (route api.Route) {
	_ = json.Unmarshal([]byte(network.Annotations[api.AnnotationRoute]), &route) // what cannot be read says nothing
	if route.Mode == "" {
		route.Mode = api.RouteAuto
	}
	return route
}

// FromAPI fills the model. All but the readiness is read from the configuration: the labels come later (N3).
func (m *model) FromAPI(_ context.Context, network *api.Network, _ bool) diag.Diagnostics {
	m.live = network
	conf, err := parse(network.Spec.Config)
	if err != nil { // others can have written anything
		conf = netconf{}
	}
	m.readConfig(network, conf)
	vlan, told := conf.vlan()
	switch {
	case told:
		m.VlanID = types.Int64Value(vlan)
	case m.VlanID.IsUnknown() || m.VlanID.ValueInt64() != 0: // N4: 0 is what the official provider has for a trunk
		m.VlanID = types.Int64Null()
	}
	m.readClusterNetwork(network, conf)
	m.MTU = types.Int64Value(mtu(conf))
	m.Type = types.StringValue(networkType(conf))
	m.Ready = types.BoolValue(network.Labels[api.LabelNetworkReady] == "true")
	if m.WaitForRoute.IsNull() || m.WaitForRoute.IsUnknown() {
		m.WaitForRoute = types.BoolValue(false)
	}
	m.readRoute(routeOf(network))
	state, message := m.verdict(network)
	m.State, m.Message = types.StringValue(state), types.StringValue(message)
	return nil
}

// readConfig keeps the spelling of a configuration that means the same, and "", which means that none is stated.
func (m *model) readConfig(network *api.Network, conf netconf) {
	if known(m.Config) && m.Config.ValueString() == "" {
		return
	}
	if mine, err := parse(m.configured()); err != nil || !mine.same(conf) {
		m.Config = types.StringValue(network.Spec.Config)
	}
}

func (m *model) readClusterNetwork(network *api.Network, conf netconf) {
	name := conf.clusterNetwork()
	if name == "" {
		name = network.Labels[api.LabelClusterNetwork]
	}
	if name != "" || m.ClusterNetworkName.IsUnknown() {
		m.ClusterNetworkName = tfbase.Keep(types.StringNull(), name)
	}
}

func mtu(conf netconf) int64 {
	if mtu := conf.number(keyMTU); mtu != 0 {
		return mtu
	}
	return api.DefaultMTU
}

// networkType is what the server will call it (pkg/utils/nad.go in its source).
func networkType(conf netconf) string {
	vlan, _ := conf.vlan()
	switch {
	case !conf.bridged():
		return "OverlayNetwork"
	case conf.trunk():
		return "L2VlanTrunkNetwork"
	case vlan == 0:
		return "UntaggedNetwork"
	}
	return "L2VlanNetwork"
}

func (m *model) readRoute(route api.Route) {
	m.RouteMode = types.StringValue(route.Mode)
	m.RouteDHCPServerIP = tfbase.Keep(m.RouteDHCPServerIP, route.ServerIP)
	m.RouteCIDR, m.RouteGateway = types.StringValue(route.CIDR), types.StringValue(route.Gateway)
	m.RouteConnectivity = types.StringValue(route.Connectivity)
}

// verdict is the state, with what is wrong.
func (m *model) verdict(network *api.Network) (state, message string) {
	route := routeOf(network)
	switch {
	case !m.Ready.ValueBool():
		return stateActive, fmt.Sprintf("The cluster network %q is not ready.", m.ClusterNetworkName.ValueString())
	case routeFailed(route):
		return stateActive, routeTrouble(route)
	}
	return stateReady, ""
}

func routeFailed(route api.Route) bool {
	return !route.Outdated && route.Connectivity != "" && route.Connectivity != api.RouteReachable
}

func routeTrouble(route api.Route) string {
	switch route.Connectivity {
	case api.RouteNoDHCP:
		return "No DHCP server answered in the VLAN, so its addresses are not known."
	case api.RouteUnreached:
		return fmt.Sprintf("The gateway %s does not answer.", route.Gateway)
	}
	return fmt.Sprintf("The gateway %s could not be asked: %s.", route.Gateway, route.Connectivity)
}

// Changes is the merge patch of what differs. Keys of the configuration that the user does not state stay as the server
// has them (N1, N5), and so does what was found out about the route.
func (m *model) Changes(_ context.Context, before *model) (map[string]any, diag.Diagnostics) {
	patch := map[string]any{}
	changed, err := m.changedConfig(before)
	if err != nil {
		return nil, diag.Diagnostics{notJSON(err)}
	}
	if changed != nil {
		patch["spec"] = map[string]any{"config": changed.text()}
	}
	had := before.route()
	if before.live != nil {
		had = routeOf(before.live)
	}
	if route := m.route(); route.Mode != had.Mode || route.ServerIP != had.ServerIP ||
		route.Mode == api.RouteManual && (route.CIDR != had.CIDR || route.Gateway != had.Gateway) ||
		changed.number(keyVlan) != 0 && before.VlanID.ValueInt64() == 0 { // the server looks for none without a VLAN
		// Without connectivity, so that the server looks again.
		patch["metadata"] = map[string]any{"annotations": map[string]any{api.AnnotationRoute: encoded(route)}}
	}
	return patch, nil
}

// changedConfig is the configuration to send, nil if it does not change.
func (m *model) changedConfig(before *model) (netconf, error) {
	text := before.Config.ValueString()
	if before.live != nil {
		text = before.live.Spec.Config
	}
	server, err := parse(text)
	if err != nil {
		server = netconf{}
	}
	if m.configured() != "" {
		wanted, err := parse(m.configured())
		if err != nil || wanted.same(server) {
			return nil, err
		}
		return wanted.withMTUOf(server), nil
	}
	vlan, told := server.vlan()
	if m.VlanID.IsNull() || m.VlanID.IsUnknown() || m.VlanID.ValueInt64() == vlan || !told && m.VlanID.ValueInt64() == 0 {
		return nil, nil
	}
	server[keyVlan] = json.Number(fmt.Sprint(m.VlanID.ValueInt64()))
	return server, nil
}
