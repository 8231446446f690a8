// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package vlanconfig

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Values of state.
const (
	stateReady    = "Ready"
	stateDegraded = "Degraded"
	stateFailed   = "Failed"
	statePending  = "Pending"
)

// What the server takes where nothing is said.
const (
	defaultMode   = "active-backup"
	defaultMiimon = -1
)

// config is a VlanConfig with what its nodes say.
type config struct {
	api.VlanConfig `json:",inline"`

	Statuses []api.VlanStatus `json:"-"`
}

// model is harvester_vlanconfig as Terraform has it.
type model struct {
	tfbase.ObjectModel
	ClusterNetworkName types.String `tfsdk:"cluster_network_name"`
	NodeSelector       types.Map    `tfsdk:"node_selector"`
	Uplink             types.List   `tfsdk:"uplink"`
	MatchedNodes       types.List   `tfsdk:"matched_nodes"`
	Nodes              types.List   `tfsdk:"nodes"`
}

// uplink is the uplink block.
type uplink struct {
	NICs       types.List   `tfsdk:"nics"`
	BondMode   types.String `tfsdk:"bond_mode"`
	BondMiimon types.Int64  `tfsdk:"bond_miimon"`
	MTU        types.Int64  `tfsdk:"mtu"`
}

// node is one of nodes.
type node struct {
	Name    types.String `tfsdk:"name"`
	Ready   types.Bool   `tfsdk:"ready"`
	Message types.String `tfsdk:"message"`
}

var (
	uplinkType = types.ObjectType{AttrTypes: map[string]attr.Type{
		"nics": types.ListType{ElemType: types.StringType}, "bond_mode": types.StringType, "bond_miimon": types.Int64Type, "mtu": types.Int64Type,
	}}
	nodeType = types.ObjectType{AttrTypes: map[string]attr.Type{"name": types.StringType, "ready": types.BoolType, "message": types.StringType}}
)

func (m *model) title() string { return tfbase.Title("VlanConfig", m) }

// uplink is the block; what is not known of it is null or unknown.
func (m *model) uplink(ctx context.Context) (block uplink, diags diag.Diagnostics) {
	block.NICs = types.ListNull(types.StringType)
	if m.Uplink.IsNull() || m.Uplink.IsUnknown() {
		return block, nil
	}
	var blocks []uplink
	if diags = m.Uplink.ElementsAs(ctx, &blocks, false); len(blocks) == 1 {
		block = blocks[0]
	}
	return block, diags
}

// nics are the names that are known.
func (u uplink) nics() (names []string) {
	for _, element := range u.NICs.Elements() {
		if name, ok := element.(types.String); ok && !name.IsUnknown() {
			names = append(names, name.ValueString())
		}
	}
	return names
}

// selector is the node_selector, if it is known.
func (m *model) selector() map[string]string {
	labels := map[string]string{}
	for key, value := range m.NodeSelector.Elements() {
		if text, ok := value.(types.String); ok {
			labels[key] = text.ValueString()
		}
	}
	return labels
}

// ToAPI builds the object to create.
func (m *model) ToAPI(ctx context.Context) (*config, diag.Diagnostics) {
	block, diags := m.uplink(ctx)
	return &config{VlanConfig: api.VlanConfig{Spec: api.VlanConfigSpec{
		ClusterNetwork: m.ClusterNetworkName.ValueString(),
		NodeSelector:   m.selector(),
		Uplink: api.Uplink{
			NICs:           block.nics(),
			BondOptions:    &api.BondOptions{Mode: block.BondMode.ValueString(), Miimon: block.BondMiimon.ValueInt64Pointer()},
			LinkAttributes: &api.LinkAttributes{MTU: block.MTU.ValueInt64Pointer()},
		},
	}}}, diags
}

// FromAPI fills the model.
func (m *model) FromAPI(ctx context.Context, c *config, _ bool) (diags diag.Diagnostics) {
	m.ClusterNetworkName = types.StringValue(c.Spec.ClusterNetwork)
	if len(c.Spec.NodeSelector) > 0 || !m.NodeSelector.IsNull() && !m.NodeSelector.IsUnknown() {
		m.NodeSelector = tfbase.StringMap(c.Spec.NodeSelector)
	} else {
		m.NodeSelector = types.MapNull(types.StringType)
	}
	var more diag.Diagnostics
	m.MatchedNodes, more = types.ListValueFrom(ctx, types.StringType, c.MatchedNodes())
	diags.Append(more...)
	diags.Append(m.readUplink(ctx, c.Spec.Uplink)...)
	diags.Append(m.readNodes(ctx, c)...)
	state, message := verdict(c)
	m.State, m.Message = types.StringValue(state), types.StringValue(message)
	return diags
}

func (m *model) readUplink(ctx context.Context, from api.Uplink) diag.Diagnostics {
	prior, diags := m.uplink(ctx)
	nics, more := types.ListValueFrom(ctx, types.StringType, append([]string{}, from.NICs...))
	diags.Append(more...)
	block := uplink{
		NICs: nics, BondMode: types.StringValue(defaultMode), BondMiimon: types.Int64Value(defaultMiimon), MTU: types.Int64Value(mtu(from, prior.MTU)),
	}
	if options := from.BondOptions; options != nil {
		if options.Mode != "" {
			block.BondMode = types.StringValue(options.Mode)
		}
		if options.Miimon != nil {
			block.BondMiimon = types.Int64Value(*options.Miimon)
		}
	}
	m.Uplink, more = types.ListValueFrom(ctx, uplinkType, []uplink{block})
	return append(diags, more...)
}

// mtu is the MTU as the server has it, or as it was spelt where that means the same: 0, none and 1500 do.
func mtu(from api.Uplink, prior types.Int64) int64 {
	has := int64(0)
	if from.LinkAttributes != nil && from.LinkAttributes.MTU != nil {
		has = *from.LinkAttributes.MTU
	}
	if !prior.IsNull() && !prior.IsUnknown() && netstate.EffectiveMTU(prior.ValueInt64()) == netstate.EffectiveMTU(has) {
		return prior.ValueInt64()
	}
	return has
}

func (m *model) readNodes(ctx context.Context, c *config) (diags diag.Diagnostics) {
	nodes := []node{}
	for _, status := range c.Statuses {
		nodes = append(nodes, node{
			Name: types.StringValue(status.Status.Node), Ready: types.BoolValue(netstate.Ready(status)),
			Message: types.StringValue(status.Status.Ready().Message),
		})
	}
	m.Nodes, diags = types.ListValueFrom(ctx, nodeType, nodes)
	return diags
}

// verdict is how the uplink is doing on all its nodes.
func verdict(c *config) (state, message string) {
	matched := c.MatchedNodes()
	if len(matched) == 0 {
		return statePending, "No node matches node_selector, so nothing is set up."
	}
	ready, said := 0, 0
	for _, status := range c.Statuses {
		if !slices.Contains(matched, status.Status.Node) {
			continue // about to be taken down
		}
		if said++; netstate.Ready(status) {
			ready++
		}
	}
	trouble := netstate.Trouble(c.Statuses)
	switch {
	case ready == len(matched):
		return stateReady, trouble
	case ready > 0:
		return stateDegraded, orPending(trouble)
	case said == len(matched):
		return stateFailed, trouble
	}
	return statePending, orPending(trouble)
}

func orPending(trouble string) string {
	if trouble != "" {
		return trouble
	}
	return "Not all nodes have begun to set it up."
}

// Changes is the merge patch of what differs, and of nothing else: others may have set what has no argument here.
func (m *model) Changes(ctx context.Context, before *model) (map[string]any, diag.Diagnostics) {
	spec := map[string]any{}
	if !m.ClusterNetworkName.Equal(before.ClusterNetworkName) {
		spec["clusterNetwork"] = m.ClusterNetworkName.ValueString()
	}
	if selector := difference(before.selector(), m.selector()); len(selector) > 0 {
		spec["nodeSelector"] = selector
	}
	plan, diags := m.uplink(ctx)
	had, more := before.uplink(ctx)
	diags.Append(more...)
	if link := plan.changes(had); len(link) > 0 {
		spec["uplink"] = link
	}
	if len(spec) == 0 {
		return nil, diags
	}
	return map[string]any{"spec": spec}, diags
}

func (u uplink) changes(had uplink) map[string]any {
	patch, bond := map[string]any{}, map[string]any{}
	if !u.NICs.Equal(had.NICs) {
		patch["nics"] = u.nics()
	}
	if !u.BondMode.Equal(had.BondMode) {
		bond["mode"] = u.BondMode.ValueString()
	}
	if !u.BondMiimon.Equal(had.BondMiimon) {
		bond["miimon"] = u.BondMiimon.ValueInt64() // 0 too: it switches monitoring off
	}
	if len(bond) > 0 {
		patch["bondOptions"] = bond
	}
	if netstate.EffectiveMTU(u.MTU.ValueInt64()) != netstate.EffectiveMTU(had.MTU.ValueInt64()) {
		patch["linkAttributes"] = map[string]any{"mtu": u.MTU.ValueInt64()}
	}
	return patch
}

func difference(old, wanted map[string]string) map[string]any {
	patch := map[string]any{}
	for key := range old {
		if _, kept := wanted[key]; !kept {
			patch[key] = nil
		}
	}
	for key, value := range wanted {
		if was, had := old[key]; !had || was != value {
			patch[key] = value
		}
	}
	return patch
}
