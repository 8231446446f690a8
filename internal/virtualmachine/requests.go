// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"cmp"
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// requests is what a node must have free for the machine. Harvester's webhook computes
// it from CPUs, memory and its overcommit setting whenever one of them changes, and
// whenever a machine is made, whatever the machine asks for.
type requests struct {
	CPU    types.String `tfsdk:"cpu"`
	Memory types.String `tfsdk:"memory"`
}

var requestsType = types.ObjectType{AttrTypes: map[string]attr.Type{"cpu": types.StringType, "memory": types.StringType}}

// requestsAttribute is no block, although it is written as one: a block cannot be
// computed, but Terraform takes block syntax for an attribute that is a list of objects.
func requestsAttribute() schema.Attribute {
	return schema.ListAttribute{
		Optional: true, Computed: true, ElementType: requestsType,
		MarkdownDescription: "What a node must have free for the machine, as a block `requests { }` with `cpu` (as in `500m` or `2`) and `memory` (as in `1Gi`), both optional. " +
			"What is unset Harvester computes from `cpu`, `memory` and its overcommit setting. With `cpu_pinning` both must equal `cpu` and `memory`.",
		Validators: []validator.List{listvalidator.SizeAtMost(1)},
	}
}

// entries pairs what is asked for with the names of the resources.
func (r *requests) entries() map[corev1.ResourceName]*types.String {
	if r == nil {
		return nil
	}
	return map[corev1.ResourceName]*types.String{corev1.ResourceCPU: &r.CPU, corev1.ResourceMemory: &r.Memory}
}

func (m machine) validateRequests() diag.Diagnostics {
	var diags diag.Diagnostics
	for name, value := range m.requests.entries() {
		if !arg.Set(*value) {
			continue
		}
		at := path.Root("requests").AtListIndex(0)
		quantity, err := resource.ParseQuantity(value.ValueString())
		switch {
		case err != nil || quantity.Sign() <= 0:
			diags.AddAttributeError(at, "Invalid quantity", fmt.Sprintf("requests.%s is %q. Set a quantity such as 500m, 2 or 1Gi.", name, value.ValueString()))
		case m.limit(name) != nil && quantity.Cmp(*m.limit(name)) > 0:
			diags.AddAttributeError(at, "More requested than allowed",
				fmt.Sprintf("requests.%s is %s, more than the %s the machine has (%s). Lower it or raise %s.", name, value.ValueString(), name, m.limit(name), name))
		case m.CPUPinning.ValueBool() && m.limit(name) != nil && quantity.Cmp(*m.limit(name)) != 0:
			// KubeVirt: vmi-create-admitter.go, validateRequestEqualsLimitOnDedicatedCPUPlacement and validateMemoryRequestsAndLimits.
			diags.AddAttributeError(at, "Requests do not fit CPU pinning",
				fmt.Sprintf("requests.%s is %s, and the machine has %s. With cpu_pinning both must be the same. Remove requests.%s, or set it to %s.",
					name, value.ValueString(), m.limit(name), name, m.limit(name)))
		case name == corev1.ResourceMemory && quantity.Cmp(leastMemory) < 0:
			diags.AddAttributeError(at, "Too little memory requested",
				fmt.Sprintf("requests.memory is %s; KubeVirt wants at least %s. Is its unit missing, as in 512Mi?", value.ValueString(), &leastMemory))
		}
	}
	return diags
}

// leastMemory is the least that KubeVirt lets a machine ask for (vmi-create-admitter.go, validateMemoryRequestsNegativeOrNull).
var leastMemory = resource.MustParse("1M")

// limit is how much of a resource the configured machine has; nil if that is not known.
func (m machine) limit(name corev1.ResourceName) *resource.Quantity {
	text := cmp.Or(m.Memory.ValueString(), defaultMemory)
	unknown := m.Memory.IsUnknown()
	if name == corev1.ResourceCPU {
		text, unknown = fmt.Sprint(m.shape().cpus()), !m.knownShape()
	}
	switch grows := m.grows() || m.MaxCPU.IsUnknown(); { // Harvester computes with the maximum then
	case grows && name == corev1.ResourceCPU:
		text, unknown = fmt.Sprint(m.MaxCPU.ValueInt64()), m.MaxCPU.IsUnknown()
	case grows:
		text, unknown = m.MaxMemory.ValueString(), m.MaxMemory.IsUnknown()
	}
	quantity, err := resource.ParseQuantity(text)
	if unknown || err != nil {
		return nil
	}
	return &quantity
}

// requests plans what the machine asks of a node. Left open, it stays as it is unless Harvester computes it
// anew. Asked for and there already, it stays as the state has it, even if the state
// knows more: that of the official provider does.
func (p *planning) requests(ctx context.Context) {
	if p.before == nil || p.machine.Requests.Equal(p.before.Requests) || p.recomputes() || p.before.Requests.IsNull() {
		return
	}
	var configured types.List
	p.resp.Diagnostics.Append(p.Config.GetAttribute(ctx, path.Root("requests"), &configured)...)
	open := p.machine.Requests.IsUnknown()
	unknown := open || p.machine.requests == nil && len(p.machine.Requests.Elements()) > 0
	if open && configured.IsNull() || !unknown && p.machine.requests.within(p.before.requests) {
		p.machine.Requests, p.machine.requests = p.before.Requests, p.before.requests
		p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, path.Root("requests"), p.before.Requests)...)
	}
}

// recomputes says that Harvester may compute anew what is left open. With host devices it
// does so at any change.
func (p *planning) recomputes() bool {
	m, before := p.machine, p.before
	return !m.CPU.Equal(before.CPU) || m.resizes(before.model) || !m.Memory.Equal(before.Memory) || !m.ReservedMemory.Equal(before.ReservedMemory) ||
		!m.CPUPinning.Equal(before.CPUPinning) || len(m.hosts) > 0 || len(before.hosts) > 0
}

// within says that all that is asked for is there, in other words perhaps.
func (r *requests) within(state *requests) bool {
	if state == nil {
		return false
	}
	have := state.entries()
	for name, value := range r.entries() {
		if value.IsUnknown() || arg.Set(*value) && !sameQuantity(value.ValueString(), have[name].ValueString()) {
			return false
		}
	}
	return true
}

// list is what is wanted as Kubernetes has it; what is left open is not in it.
func (r *requests) list() corev1.ResourceList {
	wanted := corev1.ResourceList{}
	for name, value := range r.entries() {
		if quantity, err := resource.ParseQuantity(value.ValueString()); err == nil {
			wanted[name] = quantity
		}
	}
	return wanted
}

// onto writes what is wanted onto a machine that has requests. Into a new one Harvester's
// webhook puts its own, and it fails if there are only some.
func (r *requests) onto(domain *kubevirtv1.DomainSpec) {
	for name, wanted := range r.list() {
		if live := domain.Resources.Requests; len(live) > 0 {
			live[name] = wanted
		}
	}
}

// unmet is what the machine was to ask for and does not.
func (r *requests) unmet(vm *kubevirtv1.VirtualMachine) corev1.ResourceList {
	missing, live := r.list(), vm.Spec.Template.Spec.Domain.Resources.Requests
	for name, wanted := range missing {
		if current, found := live[name]; found && current.Cmp(wanted) == 0 {
			delete(missing, name)
		}
	}
	return missing
}

// readRequests keeps what the prior value leaves open, and the spelling of what is equal.
func readRequests(prior types.List, known *requests, live corev1.ResourceList) types.List {
	if !prior.IsNull() && !prior.IsUnknown() && known == nil {
		return prior // an empty list, which says nothing
	}
	result := requests{}
	if known != nil {
		result = *known
	}
	for name, value := range result.entries() {
		quantity, found := live[name]
		switch {
		case known != nil && !arg.Set(*value):
		case !found:
			*value = types.StringNull()
		case !sameQuantity(value.ValueString(), quantity.String()):
			*value = types.StringValue(quantity.String())
		}
	}
	object := types.ObjectValueMust(requestsType.AttrTypes, map[string]attr.Value{"cpu": result.CPU, "memory": result.Memory})
	return types.ListValueMust(requestsType, []attr.Value{object})
}

func sameQuantity(a, b string) bool {
	x, err := resource.ParseQuantity(a)
	if err != nil {
		return a == b
	}
	y, err := resource.ParseQuantity(b)
	return err == nil && x.Cmp(y) == 0
}

// insist writes what the machine is to ask for, if Harvester's webhook has put something
// else in its place. It also starts a machine that was made halted for that.
func (r *Resource) insist(ctx context.Context, m machine, vm *kubevirtv1.VirtualMachine) (*kubevirtv1.VirtualMachine, diag.Diagnostics) {
	spec := map[string]any{}
	if missing := m.requests.unmet(vm); len(missing) > 0 {
		spec["template"] = map[string]any{"spec": map[string]any{"domain": map[string]any{"resources": map[string]any{"requests": missing}}}}
	}
	if strategy, err := vm.RunStrategy(); err == nil && string(strategy) != m.RunStrategy.ValueString() && !stopped(strategy, m.RunStrategy) {
		spec["runStrategy"] = m.RunStrategy.ValueString()
	}
	if len(spec) == 0 {
		return vm, nil
	}
	patched, err := r.machines.Patch(ctx, vm.Namespace, vm.Name, map[string]any{"spec": spec})
	if err != nil {
		return vm, diag.Diagnostics{diagnose.API("set the requests of", m.title(), "It exists with other requests. Apply again to set them.", err)}
	}
	if missing := m.requests.unmet(withTemplate(patched)); len(missing) > 0 {
		return patched, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("requests"), "Requests not accepted",
			fmt.Sprintf("Harvester has other requests for the %s than those configured: %s. It sets those of machines with host devices or pinned CPUs itself.\n\n"+
				"Remove the requests that Harvester sets.", m.title(), describe(patched.Spec.Template.Spec.Domain.Resources.Requests)))}
	}
	return patched, nil
}

func describe(list corev1.ResourceList) string {
	return fmt.Sprintf("cpu %s, memory %s", list.Cpu(), list.Memory())
}
