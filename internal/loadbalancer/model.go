// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Values of workload_type and ipam. The server takes nothing for the first of each.
const (
	workloadVM      = "vm"
	workloadCluster = "cluster"
	ipamPool        = "pool"
	ipamDHCP        = "dhcp"
)

// askDHCP is the allocated address of a load balancer that gets its own by DHCP.
const askDHCP = "0.0.0.0"

// Values of state.
const (
	stateReady     = "Ready"
	statePending   = "Pending"
	stateNoBackend = "NoBackend"
	stateUnhealthy = "Unhealthy"
)

// model is harvester_loadbalancer as Terraform has it.
type model struct {
	tfbase.NamespacedModel
	WorkloadType     types.String `tfsdk:"workload_type"`
	IPAM             types.String `tfsdk:"ipam"`
	IPPool           types.String `tfsdk:"ippool"`
	Listeners        types.List   `tfsdk:"listener"`
	BackendSelectors types.Set    `tfsdk:"backend_selector"`
	HealthCheck      types.List   `tfsdk:"healthcheck"`
	WaitForBackends  types.Bool   `tfsdk:"wait_for_backends"`

	IPAddress      types.String `tfsdk:"ip_address"`
	AllocatedIP    types.String `tfsdk:"allocated_ip"`
	AllocatedPool  types.String `tfsdk:"allocated_pool"`
	Gateway        types.String `tfsdk:"gateway"`
	SubnetMask     types.String `tfsdk:"subnet_mask"`
	BackendServers types.List   `tfsdk:"backend_servers"`
}

// listener, selector and healthCheck are blocks.
type (
	listener struct {
		Name        types.String `tfsdk:"name"`
		Port        types.Int64  `tfsdk:"port"`
		Protocol    types.String `tfsdk:"protocol"`
		BackendPort types.Int64  `tfsdk:"backend_port"`
	}
	selector struct {
		Key    types.String `tfsdk:"key"`
		Values types.List   `tfsdk:"values"`
	}
	healthCheck struct {
		Port             types.Int64 `tfsdk:"port"`
		SuccessThreshold types.Int64 `tfsdk:"success_threshold"`
		FailureThreshold types.Int64 `tfsdk:"failure_threshold"`
		PeriodSeconds    types.Int64 `tfsdk:"period_seconds"`
		TimeoutSeconds   types.Int64 `tfsdk:"timeout_seconds"`
	}
)

var (
	listenerType = types.ObjectType{AttrTypes: map[string]attr.Type{
		"name": types.StringType, "port": types.Int64Type, "protocol": types.StringType, "backend_port": types.Int64Type,
	}}
	selectorType    = types.ObjectType{AttrTypes: map[string]attr.Type{"key": types.StringType, "values": types.ListType{ElemType: types.StringType}}}
	healthCheckType = types.ObjectType{AttrTypes: map[string]attr.Type{
		"port": types.Int64Type, "success_threshold": types.Int64Type, "failure_threshold": types.Int64Type,
		"period_seconds": types.Int64Type, "timeout_seconds": types.Int64Type,
	}}
)

// DescribesItself says that the description is a field of the load balancer.
func (*model) DescribesItself() {}

func (m *model) title() string { return tfbase.Title("load balancer", m) }

func (m *model) forCluster() bool { return m.WorkloadType.ValueString() == workloadCluster }

// replaces says that only another load balancer can be what the plan wants.
func (m *model) replaces(state *model) bool {
	return !m.Name.Equal(state.Name) || !m.Namespace.Equal(state.Namespace) || !m.IPAM.Equal(state.IPAM) || !m.WorkloadType.Equal(state.WorkloadType)
}

// blocks are the blocks of a model, as far as they are known.
type blocks struct {
	listeners []listener
	selectors []selector
	checks    []healthCheck
}

func (m *model) read(ctx context.Context) (b blocks, diags diag.Diagnostics) {
	if !m.Listeners.IsUnknown() {
		diags.Append(m.Listeners.ElementsAs(ctx, &b.listeners, false)...)
	}
	if !m.BackendSelectors.IsUnknown() {
		diags.Append(m.BackendSelectors.ElementsAs(ctx, &b.selectors, false)...)
	}
	if !m.HealthCheck.IsUnknown() {
		diags.Append(m.HealthCheck.ElementsAs(ctx, &b.checks, false)...)
	}
	return b, diags
}

func (b blocks) apiListeners() []api.BalancerListener {
	all := []api.BalancerListener{}
	for _, one := range b.listeners {
		all = append(all, api.BalancerListener{
			Name: one.Name.ValueString(), Port: one.Port.ValueInt64(), Protocol: strings.ToUpper(one.Protocol.ValueString()), BackendPort: one.BackendPort.ValueInt64(),
		})
	}
	return all
}

func (b blocks) apiSelector(ctx context.Context) (map[string][]string, diag.Diagnostics) {
	var diags diag.Diagnostics
	all := map[string][]string{}
	for _, one := range b.selectors {
		values := []string{}
		diags.Append(one.Values.ElementsAs(ctx, &values, false)...)
		all[one.Key.ValueString()] = values
	}
	return all, diags
}

func (b blocks) apiHealthCheck() *api.BalancerHealthCheck {
	for _, one := range b.checks {
		return &api.BalancerHealthCheck{
			Port: one.Port.ValueInt64(), SuccessThreshold: one.SuccessThreshold.ValueInt64(), FailureThreshold: one.FailureThreshold.ValueInt64(),
			PeriodSeconds: one.PeriodSeconds.ValueInt64(), TimeoutSeconds: one.TimeoutSeconds.ValueInt64(),
		}
	}
	return nil
}

// ToAPI builds the object to create.
func (m *model) ToAPI(ctx context.Context) (*api.LoadBalancer, diag.Diagnostics) {
	b, diags := m.read(ctx)
	chosen, more := b.apiSelector(ctx)
	return &api.LoadBalancer{Spec: api.LoadBalancerSpec{
		Description: m.Description.ValueString(), WorkloadType: m.WorkloadType.ValueString(), IPAM: m.IPAM.ValueString(), IPPool: m.IPPool.ValueString(),
		Listeners: b.apiListeners(), BackendServerSelector: chosen, HealthCheck: b.apiHealthCheck(),
	}}, append(diags, more...)
}

// FromAPI fills the model. What means the same keeps its spelling.
func (m *model) FromAPI(ctx context.Context, balancer *api.LoadBalancer, _ bool) diag.Diagnostics {
	before, diags := m.read(ctx)
	spec, status := balancer.Spec, balancer.Status
	m.Description = tfbase.Keep(m.Description, spec.Description)
	m.WorkloadType = types.StringValue(cmp.Or(spec.WorkloadType, workloadVM))
	m.IPAM = types.StringValue(cmp.Or(spec.IPAM, ipamPool))
	m.IPPool = tfbase.Keep(m.IPPool, spec.IPPool)
	m.AllocatedIP, m.AllocatedPool = types.StringValue(status.AllocatedAddress.IP), types.StringValue(status.AllocatedAddress.IPPool)
	m.Gateway, m.SubnetMask = types.StringValue(status.AllocatedAddress.Gateway), types.StringValue(status.AllocatedAddress.Mask)
	m.IPAddress = types.StringValue(addressOf(balancer))
	state, message := verdict(balancer)
	m.State, m.Message = types.StringValue(state), types.StringValue(message)
	var more diag.Diagnostics
	servers := status.BackendServers
	if servers == nil {
		servers = []string{}
	}
	m.BackendServers, more = types.ListValueFrom(ctx, types.StringType, servers)
	diags.Append(more...)
	return append(diags, m.readBlocks(ctx, before, spec)...)
}

func (m *model) readBlocks(ctx context.Context, before blocks, spec api.LoadBalancerSpec) (diags diag.Diagnostics) {
	listeners := make([]listener, len(spec.Listeners))
	for i, one := range spec.Listeners {
		listeners[i] = listener{
			Name: types.StringValue(one.Name), Port: types.Int64Value(one.Port), Protocol: types.StringValue(one.Protocol), BackendPort: types.Int64Value(one.BackendPort),
		}
		if i < len(before.listeners) && strings.EqualFold(before.listeners[i].Protocol.ValueString(), one.Protocol) {
			listeners[i].Protocol = before.listeners[i].Protocol
		}
	}
	selectors := []selector{}
	for key, values := range spec.BackendServerSelector {
		list, more := types.ListValueFrom(ctx, types.StringType, append([]string{}, values...))
		diags.Append(more...)
		selectors = append(selectors, selector{Key: types.StringValue(key), Values: list})
	}
	checks := []healthCheck{}
	if check := spec.HealthCheck; check != nil && check.Port != 0 {
		checks = append(checks, healthCheck{
			Port: types.Int64Value(check.Port), SuccessThreshold: types.Int64Value(check.SuccessThreshold), FailureThreshold: types.Int64Value(check.FailureThreshold),
			PeriodSeconds: types.Int64Value(check.PeriodSeconds), TimeoutSeconds: types.Int64Value(check.TimeoutSeconds),
		})
	}
	var more diag.Diagnostics
	m.Listeners, more = types.ListValueFrom(ctx, listenerType, listeners)
	diags.Append(more...)
	m.BackendSelectors, more = types.SetValueFrom(ctx, selectorType, selectors)
	diags.Append(more...)
	m.HealthCheck, more = types.ListValueFrom(ctx, healthCheckType, checks)
	return append(diags, more...)
}

// addressOf is the address that the load balancer answers at; "" if it has none yet.
func addressOf(balancer *api.LoadBalancer) string {
	allocated := balancer.Status.AllocatedAddress.IP
	if balancer.Spec.WorkloadType == workloadCluster && allocated != askDHCP {
		return allocated // the guest cluster makes the service
	}
	return balancer.Status.Address
}

// backendless are the messages about backends (load-balancer-harvester, pkg/controller/loadbalancer/controller.go).
var backendless = []string{"no running backend servers", "running backend servers have no IP"}

// verdict is the state of a load balancer, with the server's reason if it is not ready.
func verdict(balancer *api.LoadBalancer) (state, message string) {
	condition := api.ConditionOf(balancer.Status.Conditions, api.ConditionReady)
	switch {
	case condition == nil:
		return statePending, "The server has not looked at the load balancer yet."
	case condition.Status == "True":
		return stateReady, ""
	case addressOf(balancer) == "":
		return statePending, condition.Message
	case slices.ContainsFunc(backendless, func(text string) bool { return strings.Contains(condition.Message, text) }):
		return stateNoBackend, condition.Message
	case strings.Contains(condition.Message, "not probed as healthy"):
		return stateUnhealthy, condition.Message
	}
	return statePending, condition.Message
}

// Changes is the merge patch of what changed. It always says what ipam and workload_type are: objects that the official
// provider made may not, which the server takes for something else (see releasable).
func (m *model) Changes(ctx context.Context, before *model) (map[string]any, diag.Diagnostics) {
	spec := map[string]any{"ipam": m.IPAM.ValueString(), "workloadType": m.WorkloadType.ValueString()}
	for key, pair := range map[string][2]types.String{"description": {m.Description, before.Description}, "ipPool": {m.IPPool, before.IPPool}} {
		if pair[0].ValueString() != pair[1].ValueString() {
			spec[key] = pair[0].ValueString()
		}
	}
	now, diags := m.read(ctx)
	was, more := before.read(ctx)
	diags.Append(more...)
	if listeners := now.apiListeners(); !slices.Equal(listeners, was.apiListeners()) {
		spec["listeners"] = listeners
	}
	if !m.BackendSelectors.Equal(before.BackendSelectors) {
		patch, more := selectorPatch(ctx, was, now)
		diags.Append(more...)
		spec["backendServerSelector"] = patch
	}
	if !m.HealthCheck.Equal(before.HealthCheck) {
		spec["healthCheck"] = healthCheckPatch(now.apiHealthCheck())
	}
	return map[string]any{"spec": spec}, diags
}

func selectorPatch(ctx context.Context, was, now blocks) (map[string]any, diag.Diagnostics) {
	old, diags := was.apiSelector(ctx)
	wanted, more := now.apiSelector(ctx)
	patch := map[string]any{}
	for key := range old {
		patch[key] = nil
	}
	for key, values := range wanted {
		patch[key] = values
	}
	return patch, append(diags, more...)
}

// healthCheckPatch says all of a health check; what is 0 the server fills in.
func healthCheckPatch(check *api.BalancerHealthCheck) any {
	if check == nil {
		return nil
	}
	return map[string]any{
		"port": check.Port, "successThreshold": check.SuccessThreshold, "failureThreshold": check.FailureThreshold,
		"periodSeconds": check.PeriodSeconds, "timeoutSeconds": check.TimeoutSeconds,
	}
}
