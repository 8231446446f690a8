// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network

import (
	"context"
	"fmt"
	"net"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

func notJSON(err error) diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("config"), "Invalid configuration", "The configuration cannot be used: "+err.Error()+".")
}

// validate finds contradictions within the configuration.
func validate(_ context.Context, config *model) diag.Diagnostics {
	return append(config.validateConfig(), config.validateRoute()...)
}

func (m *model) validateConfig() (diags diag.Diagnostics) {
	if m.Config.IsUnknown() {
		return nil
	}
	if m.Config.ValueString() == "" {
		for name, value := range map[string]attr.Value{"vlan_id": m.VlanID, "cluster_network_name": m.ClusterNetworkName} {
			if value.IsNull() {
				diags.AddAttributeError(path.Root(name), "Missing argument", fmt.Sprintf("%s is required, unless config states the whole configuration.", name))
			}
		}
		return diags
	}
	conf, err := parse(m.Config.ValueString())
	if err != nil {
		return nil // said already
	}
	at := path.Root("config")
	vlan, told := conf.vlan()
	switch {
	case vlan < 0 || vlan > 4094:
		diags.AddAttributeError(at, "Invalid VLAN", fmt.Sprintf("The vlan in config is %d. It must be 1 to 4094, or 0 for none.", vlan))
	case conf.trunk() && vlan != 0:
		diags.AddAttributeError(at, "Invalid VLAN", "A trunk (vlanTrunk) has no vlan of its own: it must be 0, or left out.")
	case known(m.VlanID) && (told || m.VlanID.ValueInt64() != 0) && m.VlanID.ValueInt64() != vlan:
		diags.AddAttributeError(path.Root("vlan_id"), "Contradiction", fmt.Sprintf("vlan_id is %d, but the vlan in config is %d. Leave vlan_id out.", m.VlanID.ValueInt64(), vlan))
	}
	if conf.number(keyMTU) != 0 && conf.bridged() {
		diags.AddAttributeWarning(at, "MTU without effect", "The mtu in config has no effect: the server puts that of the cluster network there. Leave it out.")
	}
	name := conf.clusterNetwork()
	switch {
	case conf.bridged() && (name == "" || len(name) > api.MaxClusterNetworkName):
		diags.AddAttributeError(at, "Invalid bridge", fmt.Sprintf(
			"The bridge in config is %q. It must be the name of a cluster network, of at most %d characters, followed by %s.", conf.string(keyBridge), api.MaxClusterNetworkName, bridgeSuffix))
	case known(m.ClusterNetworkName) && name != "" && m.ClusterNetworkName.ValueString() != name:
		diags.AddAttributeError(path.Root("cluster_network_name"), "Contradiction", fmt.Sprintf(
			"cluster_network_name is %q, but the bridge in config is that of %q. Leave cluster_network_name out.", m.ClusterNetworkName.ValueString(), name))
	}
	return diags
}

func known(value attr.Value) bool { return !value.IsNull() && !value.IsUnknown() }

// given says that a text is stated: "" is as good as none.
func given(text types.String) bool { return text.IsUnknown() || text.ValueString() != "" }

func (m *model) validateRoute() (diags diag.Diagnostics) {
	if m.RouteMode.IsUnknown() {
		return nil
	}
	manual := m.RouteMode.ValueString() == api.RouteManual
	for name, text := range map[string]types.String{"route_cidr": m.RouteCIDR, "route_gateway": m.RouteGateway} {
		switch {
		case manual && !given(text):
			diags.AddAttributeError(path.Root(name), "Missing argument", fmt.Sprintf("With route_mode = %q, %s is required.", api.RouteManual, name))
		case !manual && text.ValueString() != "":
			diags.AddAttributeError(path.Root(name), "Contradiction", fmt.Sprintf(
				"%s is stated, but with route_mode = %q it is what the DHCP server says. Set route_mode = %q, or leave it out.", name, api.RouteAuto, api.RouteManual))
		}
	}
	if manual && m.RouteDHCPServerIP.ValueString() != "" {
		diags.AddAttributeError(path.Root("route_dhcp_server_ip"), "Contradiction", fmt.Sprintf("With route_mode = %q no DHCP server is asked.", api.RouteManual))
	}
	if _, subnet, err := net.ParseCIDR(m.RouteCIDR.ValueString()); err == nil && manual {
		if gateway := net.ParseIP(m.RouteGateway.ValueString()); gateway != nil && !subnet.Contains(gateway) {
			diags.AddAttributeWarning(path.Root("route_gateway"), "Gateway outside of the subnet", fmt.Sprintf("The gateway %s is not in %s.", gateway, subnet))
		}
	}
	return diags
}

// plan fills in what follows from the configuration.
func plan(_ context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	if p.Config.Config.ValueString() == "" {
		return nil
	}
	conf, err := parse(p.Config.Config.ValueString())
	if err != nil {
		return nil // validation has said so
	}
	if vlan, told := conf.vlan(); told && !known(p.Config.VlanID) {
		p.Plan.VlanID = types.Int64Value(vlan)
	}
	if name := conf.clusterNetwork(); name != "" && !known(p.Config.ClusterNetworkName) {
		p.Plan.ClusterNetworkName = types.StringValue(name)
	}
	return nil
}

// stirs names what a change of the VLAN or the route moves.
func (m *model) stirs(state *model) []string {
	changed := !m.VlanID.Equal(state.VlanID) || !m.RouteMode.Equal(state.RouteMode) || !m.RouteDHCPServerIP.Equal(state.RouteDHCPServerIP) || !m.WaitForRoute.Equal(state.WaitForRoute)
	for _, pair := range [][2]types.String{{m.Config, state.Config}, {m.RouteCIDR, state.RouteCIDR}, {m.RouteGateway, state.RouteGateway}} {
		changed = changed || known(pair[0]) && !pair[0].Equal(pair[1]) // what is not known follows from the rest
	}
	if !changed {
		return nil
	}
	return []string{"state", "message", "type", "mtu", "ready", "route_connectivity"}
}

// replaces says that only another network can be what the plan wants.
func (m *model) replaces(state *model) bool {
	return !m.Name.Equal(state.Name) || !m.Namespace.Equal(state.Namespace) ||
		known(m.ClusterNetworkName) && !m.ClusterNetworkName.Equal(state.ClusterNetworkName)
}

// check lets the cluster judge before anything is done: whether there is the cluster network, and what the webhooks say.
func check(ctx context.Context, c *tfbase.Checking[*model]) (diags diag.Diagnostics) {
	there := true
	if c.State == nil {
		there, diags = netstate.CheckClusterNetwork(ctx, c.Session, c.Plan.ClusterNetworkName, c.Applying)
	}
	if c.Applying || diags.HasError() || !there || !c.Plan.complete() {
		return diags
	}
	more, err := c.Plan.rehearse(ctx, c.Session, c.State)
	diags.Append(more...)
	if err == nil || !kube.Refused(err) {
		return append(diags, c.Unchecked(err)...)
	}
	return append(diags, diagnose.API("plan", c.Plan.title(), "The cluster was asked without changing anything.", err))
}

// complete says that all that the server would be told is known.
func (m *model) complete() bool {
	return tfbase.Known(m.Name, m.Namespace, m.Description, m.Labels, m.Tags, m.RouteMode, m.RouteDHCPServerIP) &&
		(m.RouteMode.ValueString() != api.RouteManual || tfbase.Known(m.RouteCIDR, m.RouteGateway)) &&
		(known(m.Config) || tfbase.Known(m.VlanID, m.ClusterNetworkName))
}

// rehearse sends what would be sent, in a way that stores nothing.
func (m *model) rehearse(ctx context.Context, s *session.Session, state *model) (diag.Diagnostics, error) {
	namespace, name := m.Key()
	if state == nil {
		wanted, diags := tfbase.Wanted[model, api.Network](ctx, m)
		if diags.HasError() {
			return diags, nil
		}
		return diags, networksOf(s).DryRunCreate(ctx, namespace, wanted)
	}
	live, err := networksOf(s).Recent(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	patch, diags := m.against(ctx, state, live)
	if diags.HasError() || len(patch) == 0 {
		return diags, nil
	}
	return diags, networksOf(s).DryRunPatch(ctx, namespace, name, patch)
}

// against is the merge patch from what the API has, as the state knows it, to the plan.
func (m *model) against(ctx context.Context, state *model, live *api.Network) (map[string]any, diag.Diagnostics) {
	before := new(model)
	*before = *state
	diags := tfbase.Fill[model, api.Network](ctx, before, live)
	patch, more := tfbase.Changes[model, api.Network](ctx, m, before)
	return patch, append(diags, more...)
}
