// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package clusternetwork

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Values of state, as the official provider has them.
const (
	stateReady  = "Ready"
	stateActive = "Active"
)

// clusterNetwork is a cluster network with what is known of its uplinks.
type clusterNetwork struct {
	api.ClusterNetwork `json:",inline"`

	Uplinks []api.VlanStatus `json:"-"`
}

// model is harvester_clusternetwork as Terraform has it.
type model struct {
	tfbase.ObjectModel
	MTU         types.Int64 `tfsdk:"mtu"`
	VlanIDs     types.List  `tfsdk:"vlan_ids"`
	VlanConfigs types.List  `tfsdk:"vlan_configs"`
	Nodes       types.List  `tfsdk:"nodes"`
}

func (m *model) title() string { return tfbase.Title("cluster network", m) }

// checkMTU: only the management network has an MTU of its own.
func (m *model) checkMTU() diag.Diagnostics {
	if m.MTU.IsNull() || m.Name.IsUnknown() || m.Name.ValueString() == api.ManagementNetwork {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("mtu"), "MTU belongs to the VlanConfig",
		"Only the cluster network mgmt has an MTU of its own. That of any other is the MTU of its uplinks: set uplink.mtu in its harvester_vlanconfig.")}
}

// ToAPI builds the object to create.
func (m *model) ToAPI(context.Context) (*clusterNetwork, diag.Diagnostics) {
	return &clusterNetwork{}, nil
}

// FromAPI fills the model.
func (m *model) FromAPI(ctx context.Context, network *clusterNetwork, _ bool) (diags diag.Diagnostics) {
	mtu, _ := strconv.ParseInt(network.Annotations[api.AnnotationUplinkMTU], 10, 64) // without one it is the default
	if m.MTU.IsNull() || m.MTU.IsUnknown() || netstate.EffectiveMTU(m.MTU.ValueInt64()) != netstate.EffectiveMTU(mtu) {
		m.MTU = types.Int64Value(netstate.EffectiveMTU(mtu))
	}
	var configs, nodes []string
	for _, uplink := range network.Uplinks {
		configs = append(configs, uplink.Status.VlanConfig)
		if netstate.Ready(uplink) {
			nodes = append(nodes, uplink.Status.Node)
		}
	}
	m.VlanIDs, diags = types.ListValueFrom(ctx, types.Int64Type, vlanIDs(network.Annotations[api.AnnotationVlanIDs]))
	m.VlanConfigs = list(ctx, configs, &diags)
	m.Nodes = list(ctx, nodes, &diags)
	state, message := verdict(network)
	m.State, m.Message = types.StringValue(state), types.StringValue(message)
	return diags
}

// list is a list of distinct names in order.
func list(ctx context.Context, names []string, diags *diag.Diagnostics) types.List {
	slices.Sort(names)
	value, more := types.ListValueFrom(ctx, types.StringType, append([]string{}, slices.Compact(names)...))
	diags.Append(more...)
	return value
}

func vlanIDs(text string) []int64 {
	ids := []int64{}
	for word := range strings.SplitSeq(text, ",") {
		if id, err := strconv.ParseInt(word, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// verdict is the state. The controller's condition alone does not tell it: when the uplinks of the last two nodes go at
// the same moment, it stays True.
func verdict(network *clusterNetwork) (state, message string) {
	condition := network.Status.Ready()
	ready := condition.Status == "True"
	switch {
	case ready && (network.Name == api.ManagementNetwork || slices.ContainsFunc(network.Uplinks, netstate.Ready)):
		return stateReady, netstate.Trouble(network.Uplinks)
	case len(network.Uplinks) == 0 && network.Name != api.ManagementNetwork:
		return stateActive, "None of its VlanConfigs is set up on a node."
	}
	if trouble := netstate.Trouble(network.Uplinks); trouble != "" {
		return stateActive, trouble
	}
	if condition.Message != "" {
		return stateActive, condition.Message
	}
	return stateActive, "The cluster network is not ready."
}

// Changes is the merge patch of the management network's MTU.
func (m *model) Changes(_ context.Context, before *model) (map[string]any, diag.Diagnostics) {
	if m.MTU.IsUnknown() || m.Name.ValueString() != api.ManagementNetwork || m.MTU.Equal(before.MTU) {
		return nil, nil
	}
	return map[string]any{"metadata": map[string]any{"annotations": map[string]any{
		api.AnnotationUplinkMTU: strconv.FormatInt(m.MTU.ValueInt64(), 10),
	}}}, nil
}
