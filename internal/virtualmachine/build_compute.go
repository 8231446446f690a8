// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
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
	m.ontoCPUs(vm, fresh)
}

// ontoEnd writes how the machine ends: when its node is drained, and when it is stopped.
func (m machine) ontoEnd(spec *kubevirtv1.VirtualMachineInstanceSpec) {
	if arg.Known(m.EvictionStrategy) {
		strategy := kubevirtv1.EvictionStrategy(m.EvictionStrategy.ValueString())
		spec.EvictionStrategy = &strategy
	}
	if arg.Known(m.TerminationGracePeriodSeconds) {
		spec.TerminationGracePeriodSeconds = m.TerminationGracePeriodSeconds.ValueInt64Pointer()
	}
}

// hotpluggable says that CPUs and memory can grow while the machine runs. Then the
// limits are the maximum.
func hotpluggable(vm *kubevirtv1.VirtualMachine) bool {
	return strings.EqualFold(vm.Annotations[annotationHotplug], "true")
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
