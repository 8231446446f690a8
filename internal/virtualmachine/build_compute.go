// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// ontoCompute writes CPUs and memory onto a machine; a fresh one says nothing about them yet.
func (m machine) ontoCompute(vm *kubevirtv1.VirtualMachine, fresh bool) {
	domain := &vm.Spec.Template.Spec.Domain
	if domain.CPU == nil {
		domain.CPU = &kubevirtv1.CPU{}
	}
	if domain.Resources.Limits == nil {
		domain.Resources.Limits = corev1.ResourceList{}
	}
	domain.CPU.Model = m.CPUModel.ValueString()
	domain.CPU.DedicatedCPUPlacement = m.CPUPinning.ValueBool()
	domain.CPU.IsolateEmulatorThread = m.IsolateEmulatorThread.ValueBool()
	m.requests.onto(domain)
	if fresh || cpus(vm) != m.CPU.ValueInt64() { // else the topology stays
		m.ontoCPUs(vm, domain)
	}
	m.ontoMemory(vm, domain)
}

// ontoCPUs gives the machine another number of CPUs. Sockets can be
// added to a running machine that allows it; all others get cores.
func (m machine) ontoCPUs(vm *kubevirtv1.VirtualMachine, domain *kubevirtv1.DomainSpec) {
	cpu, wanted := domain.CPU, m.CPU.ValueInt64()
	perSocket := atLeastOne(cpu.Cores) * atLeastOne(cpu.Threads)
	if hotpluggable(vm) && wanted%perSocket == 0 {
		cpu.Sockets = uint32(wanted / perSocket)
		return
	}
	cpu.Cores, cpu.Sockets, cpu.Threads = uint32(wanted), 1, 1
	domain.Resources.Limits[corev1.ResourceCPU] = *resource.NewQuantity(wanted, resource.DecimalSI)
}

func (m machine) ontoMemory(vm *kubevirtv1.VirtualMachine, domain *kubevirtv1.DomainSpec) {
	wanted, err := resource.ParseQuantity(m.Memory.ValueString())
	if current := memory(vm); err != nil || current != nil && current.Cmp(wanted) == 0 {
		return
	}
	if hotpluggable(vm) && domain.Memory != nil {
		domain.Memory.Guest = &wanted
		return
	}
	domain.Resources.Limits[corev1.ResourceMemory] = wanted
}

// hotpluggable says that CPUs and memory can grow while the machine runs. Then the
// limits are the maximum.
func hotpluggable(vm *kubevirtv1.VirtualMachine) bool {
	return vm.Annotations[annotationHotplug] == "true"
}

// cpus is the number of CPUs the machine has.
func cpus(vm *kubevirtv1.VirtualMachine) int64 {
	cpu := vm.Spec.Template.Spec.Domain.CPU
	if cpu == nil {
		return 1
	}
	return atLeastOne(cpu.Cores) * atLeastOne(cpu.Sockets) * atLeastOne(cpu.Threads)
}

// memory is what the machine has, nil if it does not say. Without hotplug that is
// the limit: Harvester takes what the emulator needs from it.
func memory(vm *kubevirtv1.VirtualMachine) *resource.Quantity {
	domain := vm.Spec.Template.Spec.Domain
	limit, limited := domain.Resources.Limits[corev1.ResourceMemory]
	if domain.Memory != nil && domain.Memory.Guest != nil && (hotpluggable(vm) || !limited) {
		return domain.Memory.Guest
	}
	if !limited {
		return nil
	}
	return &limit
}

func atLeastOne(n uint32) int64 { return max(1, int64(n)) }
