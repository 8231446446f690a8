// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"cmp"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// topology is how the virtual CPUs of a machine are made up. Sockets can be added while it runs.
type topology struct{ cores, sockets, threads int64 }

func (t topology) cpus() int64 { return t.cores * t.sockets * t.threads }

// perSocket is how many virtual CPUs a socket has.
func (t topology) perSocket() int64 { return t.cores * t.threads }

// topologyOf is the topology of a machine; what it does not say is 1.
func topologyOf(vm *kubevirtv1.VirtualMachine) topology {
	cpu := vm.Spec.Template.Spec.Domain.CPU
	if cpu == nil {
		cpu = &kubevirtv1.CPU{}
	}
	return topology{cores: atLeastOne(cpu.Cores), sockets: atLeastOne(cpu.Sockets), threads: atLeastOne(cpu.Threads)}
}

// shaped says that the configuration has the topology, and not only the number of virtual CPUs.
func (m *model) shaped() bool { return !m.CPUSockets.IsNull() || !m.CPUThreads.IsNull() }

// shape is the topology that is asked for. Without one, the virtual CPUs are the cores of a socket.
func (m *model) shape() topology {
	return topology{cores: max(m.CPU.ValueInt64(), defaultCPU), sockets: max(m.CPUSockets.ValueInt64(), 1), threads: max(m.CPUThreads.ValueInt64(), 1)}
}

// knownShape says that nothing about the number of virtual CPUs is unknown.
func (m *model) knownShape() bool {
	return !m.CPU.IsUnknown() && !m.CPUSockets.IsUnknown() && !m.CPUThreads.IsUnknown()
}

// resizes says that the topology changes, or how far CPUs and memory can grow.
func (m *model) resizes(before *model) bool {
	return !m.CPUSockets.Equal(before.CPUSockets) || !m.CPUThreads.Equal(before.CPUThreads) || !m.MaxCPU.Equal(before.MaxCPU) || !m.MaxMemory.Equal(before.MaxMemory)
}

// growth is how far CPUs and memory of a machine can grow while it runs; not at all if on is false.
type growth struct {
	on     bool
	cpus   int64
	memory *resource.Quantity
}

// growthOf is the growth that a machine allows. Its limits are the maximum then.
func growthOf(vm *kubevirtv1.VirtualMachine) growth {
	if !hotpluggable(vm) {
		return growth{}
	}
	domain := &vm.Spec.Template.Spec.Domain
	result := growth{on: true, cpus: domain.Resources.Limits.Cpu().Value()}
	if domain.CPU != nil && domain.CPU.MaxSockets > 0 {
		result.cpus = int64(domain.CPU.MaxSockets) * topologyOf(vm).perSocket()
	}
	if limit, limited := domain.Resources.Limits[corev1.ResourceMemory]; limited {
		result.memory = &limit
	}
	if domain.Memory != nil && domain.Memory.MaxGuest != nil {
		result.memory = domain.Memory.MaxGuest
	}
	return result
}

// wantedGrowth is what the machine is to allow, which is what it does if nothing is asked for. 0 switches it off.
func (m *model) wantedGrowth(live growth) growth {
	switch {
	case !arg.Known(m.MaxCPU):
		return live
	case !m.grows():
		return growth{}
	}
	memory, err := resource.ParseQuantity(m.MaxMemory.ValueString())
	if err != nil {
		return live
	}
	if live.memory != nil && live.memory.Cmp(memory) == 0 {
		memory = *live.memory
	}
	return growth{on: true, cpus: m.MaxCPU.ValueInt64(), memory: &memory}
}

// grows says that CPUs and memory are asked to be able to grow.
func (m *model) grows() bool { return m.MaxCPU.ValueInt64() > 0 }

// wantedTopology is the one asked for or, if that says no more than a number, one of that number that changes the
// machine least: the same, or the same with other sockets, which need no restart.
func (m *model) wantedTopology(live topology, was, is growth, fresh bool) topology {
	wanted := m.shape()
	switch {
	case m.shaped():
		return wanted
	case is.on && (fresh || !was.on):
		return topology{cores: 1, sockets: wanted.cores, threads: 1}
	case fresh || was.on && !is.on:
		return wanted
	case live.cpus() == wanted.cores:
		return live
	case is.on && wanted.cores%live.perSocket() == 0:
		return topology{cores: live.cores, sockets: wanted.cores / live.perSocket(), threads: live.threads}
	case is.on:
		return topology{cores: 1, sockets: wanted.cores, threads: 1}
	}
	return wanted
}

// ontoCPUs writes topology, growth and memory onto a machine; a fresh one says nothing about them yet.
func (m machine) ontoCPUs(vm *kubevirtv1.VirtualMachine, fresh bool) {
	domain := &vm.Spec.Template.Spec.Domain
	was, live := growthOf(vm), topologyOf(vm)
	is := m.wantedGrowth(was)
	wanted := m.wantedTopology(live, was, is, fresh)
	for _, part := range []struct {
		field         *uint32
		live, becomes int64
	}{{&domain.CPU.Cores, live.cores, wanted.cores}, {&domain.CPU.Sockets, live.sockets, wanted.sockets}, {&domain.CPU.Threads, live.threads, wanted.threads}} {
		if fresh || part.live != part.becomes { // what is not said stays so, as it would need a restart
			*part.field = uint32(part.becomes)
		}
	}
	limit := wanted.cpus()
	if is.on {
		limit = is.cpus
	}
	switch {
	case is.on && (is.cpus != was.cpus || wanted.perSocket() != live.perSocket()):
		domain.CPU.MaxSockets = uint32(is.cpus / wanted.perSocket())
	case was.on && !is.on:
		domain.CPU.MaxSockets = 0 // Harvester sets 1 where that is right
	}
	if fresh || is.on != was.on || is.cpus != was.cpus || !is.on && wanted.cpus() != live.cpus() {
		setLimit(domain, corev1.ResourceCPU, *resource.NewQuantity(limit, resource.DecimalSI))
	}
	m.ontoMemory(vm, is)
}

// ontoMemory writes the memory, and how far it can grow.
func (m machine) ontoMemory(vm *kubevirtv1.VirtualMachine, is growth) {
	domain := &vm.Spec.Template.Spec.Domain
	current, was := memory(vm), growthOf(vm)
	wanted, err := resource.ParseQuantity(m.Memory.ValueString())
	if err != nil { // it has none of its own, but from an instance type
		return
	}
	if current != nil && current.Cmp(wanted) == 0 {
		wanted = *current
	}
	switch {
	case is.on && !was.on:
		vm.Annotations = merged(vm.Annotations, none, map[string]string{annotationHotplug: "true"})
		domain.Memory = withGuest(domain.Memory)
	case !is.on && was.on:
		delete(vm.Annotations, annotationHotplug)
		domain.Memory = withGuest(domain.Memory)
		domain.Memory.MaxGuest = nil
	}
	if !is.on || domain.Memory == nil {
		if current == nil || current.Cmp(wanted) != 0 || was.on {
			setLimit(domain, corev1.ResourceMemory, wanted)
		}
		return
	}
	if domain.Memory.Guest == nil || domain.Memory.Guest.Cmp(wanted) != 0 {
		domain.Memory.Guest = &wanted
	}
	if is.memory != nil && (was.memory == nil || was.memory.Cmp(*is.memory) != 0) {
		domain.Memory.MaxGuest = is.memory
		setLimit(domain, corev1.ResourceMemory, *is.memory)
	}
}

func withGuest(memory *kubevirtv1.Memory) *kubevirtv1.Memory {
	if memory == nil {
		memory = &kubevirtv1.Memory{}
	}
	return memory
}

// setLimit keeps the spelling of an equal limit.
func setLimit(domain *kubevirtv1.DomainSpec, name corev1.ResourceName, wanted resource.Quantity) {
	if live, found := domain.Resources.Limits[name]; !found || live.Cmp(wanted) != 0 {
		domain.Resources.Limits[name] = wanted
	}
}

// readCPUs takes over number and topology of the virtual CPUs, and how far they and the memory can grow.
func (m *model) readCPUs(vm *kubevirtv1.VirtualMachine) {
	live, grows := topologyOf(vm), growthOf(vm)
	m.CPU, m.CPUSockets, m.CPUThreads = m.cpusAs(live)
	if !grows.on {
		if m.MaxCPU.ValueInt64() != 0 || m.MaxCPU.IsUnknown() {
			m.MaxCPU = types.Int64Null()
		}
		if m.MaxMemory.IsUnknown() || arg.Bytes(m.MaxMemory.ValueString()) != 0 {
			m.MaxMemory = types.StringNull()
		}
		return
	}
	quantity := ""
	if grows.memory != nil {
		quantity = grows.memory.String()
	}
	m.MaxCPU, m.MaxMemory = types.Int64Value(grows.cpus), arg.KeepQuantity(m.MaxMemory, quantity)
}

// cpusAs says a topology as the model does: by all three numbers or by their product. What was left out at 1 stays out.
func (m *model) cpusAs(live topology) (cpu, sockets, threads types.Int64) {
	if !m.shaped() {
		return types.Int64Value(live.cpus()), types.Int64Null(), types.Int64Null()
	}
	said := func(prior types.Int64, live int64) types.Int64 {
		if prior.IsNull() && live == 1 {
			return prior
		}
		return types.Int64Value(live)
	}
	return types.Int64Value(live.cores), said(m.CPUSockets, live.sockets), said(m.CPUThreads, live.threads)
}

// leastGuest and guestStep are what KubeVirt wants of memory that can grow (pkg/liveupdate/memory/memory.go).
const (
	leastGuest = 1 << 30
	guestStep  = 2 << 20
)

// validateGrowth finds limits that KubeVirt would not take.
func (m machine) validateGrowth() (diags diag.Diagnostics) {
	if m.MaxCPU.IsUnknown() || m.MaxMemory.IsUnknown() {
		return nil
	}
	most, memory := m.MaxCPU.ValueInt64(), cmp.Or(m.Memory.ValueString(), defaultMemory)
	maximum := arg.Bytes(m.MaxMemory.ValueString())
	switch {
	case most > 0 && maximum == 0:
		diags.AddAttributeError(path.Root("max_cpu"), "max_memory missing", "CPUs and memory can grow only together. Set max_memory too.")
		return diags
	case most == 0 && maximum > 0:
		diags.AddAttributeError(path.Root("max_memory"), "max_cpu missing", "CPUs and memory can grow only together. Set max_cpu too.")
		return diags
	case most == 0:
		return nil
	}
	if shape := m.shape(); m.knownShape() {
		switch {
		case most < shape.cpus():
			diags.AddAttributeError(path.Root("max_cpu"), "More than the maximum", fmt.Sprintf("The machine has %d virtual CPUs, and max_cpu is %d. Raise it.", shape.cpus(), most))
		case m.shaped() && most%shape.perSocket() != 0:
			diags.AddAttributeError(path.Root("max_cpu"), "Not a number of whole sockets",
				fmt.Sprintf("A socket has %d virtual CPUs, and only whole sockets can be added. Set max_cpu to a multiple of that.", shape.perSocket()))
		}
	}
	if m.Memory.IsUnknown() {
		return diags
	}
	least := "Memory that can grow begins at 1Gi and comes in steps of 2Mi, so KubeVirt has it."
	switch bytes := arg.Bytes(memory); {
	case maximum < bytes:
		diags.AddAttributeError(path.Root("max_memory"), "More than the maximum", fmt.Sprintf("The machine has %s memory, and max_memory is %s. Raise it.", memory, m.MaxMemory.ValueString()))
	case bytes < leastGuest || bytes%guestStep != 0:
		diags.AddAttributeError(path.Root("memory"), "Memory cannot grow from here", fmt.Sprintf("memory is %s. %s Change it, or remove max_cpu and max_memory.", memory, least))
	case maximum%guestStep != 0:
		diags.AddAttributeError(path.Root("max_memory"), "Memory cannot grow to here", fmt.Sprintf("max_memory is %s. %s", m.MaxMemory.ValueString(), least))
	}
	return diags
}
