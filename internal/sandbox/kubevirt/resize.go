// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// resize gives a running instance the sockets and the memory of its machine, if there can be so many while it runs. KubeVirt
// migrates the instance for that (handleCPUChangeRequest and handleMemoryHotplugRequest in
// pkg/virt-controller/watch/vm/vm.go); here it has them at once.
func (k *KubeVirt) resize(ctx context.Context, machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance) error {
	if instance == nil || !instance.IsRunning() || instance.DeletionTimestamp != nil {
		return nil
	}
	before := instance.DeepCopy()
	for _, obstacle := range []string{addSockets(&machine.Spec.Template.Spec, instance), addMemory(&machine.Spec.Template.Spec, instance)} {
		if obstacle != "" {
			requireRestart(machine, obstacle)
		}
	}
	if equality.Semantic.DeepEqual(before, instance) {
		return nil
	}
	return k.api.Update(ctx, instance)
}

// addSockets returns why a restart is needed instead.
func addSockets(template *kubevirtv1.VirtualMachineInstanceSpec, instance *kubevirtv1.VirtualMachineInstance) (obstacle string) {
	wanted, has := template.Domain.CPU, instance.Spec.Domain.CPU
	switch {
	case wanted == nil || has == nil || wanted.Sockets == has.Sockets:
	case wanted.Sockets > has.MaxSockets:
		return "CPU sockets updated in template spec to a value higher than what's available"
	case wanted.Sockets < has.Sockets:
		return "Reduction of CPU socket count requires a restart"
	default:
		has.Sockets = wanted.Sockets
		if instance.Status.CurrentCPUTopology != nil {
			instance.Status.CurrentCPUTopology.Sockets = wanted.Sockets
		}
	}
	return ""
}

// addMemory is what addSockets is, for memory. Where memory cannot grow, Harvester changes the limits with it, which needs a
// restart anyway.
func addMemory(template *kubevirtv1.VirtualMachineInstanceSpec, instance *kubevirtv1.VirtualMachineInstance) (obstacle string) {
	wanted, has, current := template.Domain.Memory, instance.Spec.Domain.Memory, instance.Status.Memory
	if wanted == nil || has == nil || current == nil || wanted.Guest == nil || has.Guest == nil || has.MaxGuest == nil || wanted.Guest.Equal(*has.Guest) {
		return ""
	}
	if text := refuseMemory(wanted); text != "" {
		return "memory hotplug not supported, " + text
	}
	switch {
	case current.GuestAtBoot != nil && wanted.Guest.Cmp(*current.GuestAtBoot) < 0:
		return "memory updated in template spec to a value lower than what the VM started with"
	case wanted.Guest.Cmp(*has.MaxGuest) > 0:
		return "memory updated in template spec to a value higher than what's available"
	}
	guest := wanted.Guest.DeepCopy()
	has.Guest, current.GuestCurrent, current.GuestRequested = &guest, &guest, &guest
	return ""
}

// refuseMemory is the one of ValidateLiveUpdateMemory that an instance can still meet (pkg/liveupdate/memory/memory.go).
func refuseMemory(memory *kubevirtv1.Memory) string {
	const least = 1 << 30
	if memory.Guest.Value() < least {
		return "Memory hotplug is only available for VMs with at least 1Gi of guest memory"
	}
	return ""
}

// requireRestart notes why a machine has to be restarted, once.
func requireRestart(machine *kubevirtv1.VirtualMachine, why string) {
	for _, c := range machine.Status.Conditions {
		if c.Type == kubevirtv1.VirtualMachineRestartRequired {
			return
		}
	}
	machine.Status.Conditions = append(machine.Status.Conditions, kubevirtv1.VirtualMachineCondition{
		Type: kubevirtv1.VirtualMachineRestartRequired, Status: corev1.ConditionTrue, Message: why, LastTransitionTime: metav1.Now(),
	})
}
