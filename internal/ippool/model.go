// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package ippool

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Values of state.
const (
	stateReady    = "Ready"
	stateNotReady = "NotReady"
)

// model is harvester_ippool as Terraform has it.
type model struct {
	tfbase.ObjectModel
	Ranges        types.List   `tfsdk:"range"`
	Selector      types.List   `tfsdk:"selector"`
	Total         types.Int64  `tfsdk:"total"`
	Available     types.Int64  `tfsdk:"available"`
	Allocated     types.Map    `tfsdk:"allocated"`
	LastAllocated types.String `tfsdk:"last_allocated"`
	Global        types.Bool   `tfsdk:"global"`
}

// rangeBlock is a range block, selectorBlock the selector block, and scopeBlock a scope block in it.
type (
	rangeBlock struct {
		Start   types.String `tfsdk:"start"`
		End     types.String `tfsdk:"end"`
		Subnet  types.String `tfsdk:"subnet"`
		Gateway types.String `tfsdk:"gateway"`
	}
	selectorBlock struct {
		Priority types.Int64  `tfsdk:"priority"`
		Network  types.String `tfsdk:"network"`
		Scope    types.List   `tfsdk:"scope"`
	}
	scopeBlock struct {
		Project      types.String `tfsdk:"project"`
		Namespace    types.String `tfsdk:"namespace"`
		GuestCluster types.String `tfsdk:"guest_cluster"`
	}
)

var (
	rangeType = types.ObjectType{AttrTypes: map[string]attr.Type{
		"start": types.StringType, "end": types.StringType, "subnet": types.StringType, "gateway": types.StringType,
	}}
	scopeType = types.ObjectType{AttrTypes: map[string]attr.Type{
		"project": types.StringType, "namespace": types.StringType, "guest_cluster": types.StringType,
	}}
	selectorType = types.ObjectType{AttrTypes: map[string]attr.Type{
		"priority": types.Int64Type, "network": types.StringType, "scope": types.ListType{ElemType: scopeType},
	}}
)

// DescribesItself says that the description is a field of the pool.
func (*model) DescribesItself() {}

func (m *model) title() string { return tfbase.Title("IP pool", m) }

// blocks are the blocks of a model.
type blocks struct {
	ranges    []rangeBlock
	selectors []selectorBlock
	scopes    []scopeBlock
}

// read takes the blocks apart, as far as they are known.
func (m *model) read(ctx context.Context) (b blocks, diags diag.Diagnostics) {
	if !m.Ranges.IsUnknown() {
		diags.Append(m.Ranges.ElementsAs(ctx, &b.ranges, false)...)
	}
	if !m.Selector.IsUnknown() {
		diags.Append(m.Selector.ElementsAs(ctx, &b.selectors, false)...)
	}
	for _, one := range b.selectors {
		if !one.Scope.IsUnknown() {
			diags.Append(one.Scope.ElementsAs(ctx, &b.scopes, false)...)
		}
	}
	return b, diags
}

// api is what the blocks say in the API's words.
func (b blocks) api() (ranges []api.IPPoolRange, selector *api.IPPoolSelector) {
	for _, r := range b.ranges {
		ranges = append(ranges, r.api())
	}
	for _, one := range b.selectors {
		selector = &api.IPPoolSelector{Priority: one.Priority.ValueInt64(), Network: one.Network.ValueString()}
		for _, s := range b.scopes {
			selector.Scope = append(selector.Scope, s.api())
		}
	}
	return ranges, selector
}

func (r rangeBlock) api() api.IPPoolRange {
	return api.IPPoolRange{
		Subnet: r.Subnet.ValueString(), RangeStart: r.Start.ValueString(), RangeEnd: r.End.ValueString(), Gateway: r.Gateway.ValueString(),
	}
}

func (s scopeBlock) api() api.IPPoolScope {
	return api.IPPoolScope{Project: s.Project.ValueString(), Namespace: s.Namespace.ValueString(), GuestCluster: s.GuestCluster.ValueString()}
}

// ToAPI builds the object to create.
func (m *model) ToAPI(ctx context.Context) (*api.IPPool, diag.Diagnostics) {
	b, diags := m.read(ctx)
	pool := &api.IPPool{Spec: api.IPPoolSpec{Description: m.Description.ValueString()}}
	pool.Spec.Ranges, pool.Spec.Selector = b.api()
	return pool, diags
}

// FromAPI fills the model. What means the same keeps its spelling.
func (m *model) FromAPI(ctx context.Context, pool *api.IPPool, _ bool) diag.Diagnostics {
	before, diags := m.read(ctx)
	m.Description = tfbase.Keep(m.Description, pool.Spec.Description)
	var more diag.Diagnostics
	m.Ranges, more = types.ListValueFrom(ctx, rangeType, before.keepRanges(pool.Spec.Ranges))
	diags.Append(more...)
	diags.Append(m.readSelector(ctx, before, pool.Spec.Selector)...)
	m.Total, m.Available = types.Int64Value(pool.Status.Total), types.Int64Value(pool.Status.Available)
	m.LastAllocated = types.StringValue(pool.Status.LastAllocated)
	m.Global = types.BoolValue(pool.Labels[api.LabelGlobalPool] == "true")
	m.Allocated, more = types.MapValueFrom(ctx, types.StringType, orEmpty(pool.Status.Allocated))
	diags.Append(more...)
	m.State, m.Message = types.StringValue(stateNotReady), types.StringValue("The server has not taken the pool into use yet.")
	if condition := api.ConditionOf(pool.Status.Conditions, api.ConditionReady); condition != nil {
		m.Message = types.StringValue(condition.Message)
		if condition.Status == "True" {
			m.State = types.StringValue(stateReady)
		}
	}
	return diags
}

func orEmpty(values map[string]string) map[string]string {
	if values == nil {
		return map[string]string{}
	}
	return values
}

func (b blocks) keepRanges(ranges []api.IPPoolRange) []rangeBlock {
	kept := make([]rangeBlock, len(ranges))
	for i, r := range ranges {
		prior := rangeBlock{}
		if i < len(b.ranges) {
			prior = b.ranges[i]
		}
		kept[i] = rangeBlock{
			Start: keepAddress(prior.Start, r.RangeStart), End: keepAddress(prior.End, r.RangeEnd),
			Subnet: keepAddress(prior.Subnet, r.Subnet), Gateway: keepAddress(prior.Gateway, r.Gateway),
		}
	}
	return kept
}

func keepAddress(prior types.String, address string) types.String {
	if address != "" && sameAddress(prior.ValueString(), address) {
		return prior
	}
	return tfbase.Keep(prior, address)
}

// readSelector shows the selector. One that says nothing is as good as none.
func (m *model) readSelector(ctx context.Context, before blocks, selector *api.IPPoolSelector) (diags diag.Diagnostics) {
	if selector == nil {
		selector = &api.IPPoolSelector{}
	}
	shown, prior := []selectorBlock{}, selectorBlock{}
	if len(before.selectors) > 0 {
		prior = before.selectors[0]
	}
	if len(before.selectors) > 0 || selector.Priority != 0 || selector.Network != "" || len(selector.Scope) > 0 {
		scopes := make([]scopeBlock, len(selector.Scope))
		for i, s := range selector.Scope {
			was := scopeBlock{}
			if i < len(before.scopes) {
				was = before.scopes[i]
			}
			scopes[i] = scopeBlock{
				Project: tfbase.Keep(was.Project, s.Project), Namespace: tfbase.Keep(was.Namespace, s.Namespace), GuestCluster: tfbase.Keep(was.GuestCluster, s.GuestCluster),
			}
		}
		list, more := types.ListValueFrom(ctx, scopeType, scopes)
		diags.Append(more...)
		shown = append(shown, selectorBlock{Priority: keepNumber(prior.Priority, selector.Priority), Network: tfbase.Keep(prior.Network, selector.Network), Scope: list})
	}
	list, more := types.ListValueFrom(ctx, selectorType, shown)
	diags.Append(more...)
	m.Selector = list
	return diags
}

// keepNumber keeps null and 0 apart as the prior value does: the server knows no difference.
func keepNumber(prior types.Int64, value int64) types.Int64 {
	if value == 0 && prior.IsNull() {
		return prior
	}
	return types.Int64Value(value)
}

// Changes is the merge patch of what changed.
func (m *model) Changes(ctx context.Context, before *model) (map[string]any, diag.Diagnostics) {
	spec := map[string]any{}
	if m.Description.ValueString() != before.Description.ValueString() {
		spec["description"] = m.Description.ValueString()
	}
	now, diags := m.read(ctx)
	ranges, selector := now.api()
	if !m.Ranges.Equal(before.Ranges) {
		spec["ranges"] = ranges
	}
	if !m.Selector.Equal(before.Selector) {
		spec["selector"] = patched(selector)
	}
	if len(spec) == 0 {
		return nil, diags
	}
	return map[string]any{"spec": spec}, diags
}

// patched is a selector as a merge patch that leaves nothing of the one before.
func patched(selector *api.IPPoolSelector) map[string]any {
	if selector == nil {
		selector = &api.IPPoolSelector{}
	}
	scope := selector.Scope
	if scope == nil {
		scope = []api.IPPoolScope{}
	}
	return map[string]any{"priority": selector.Priority, "network": selector.Network, "scope": scope}
}
