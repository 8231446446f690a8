// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

func TestResize(t *testing.T) {
	quantity := func(s string) *resource.Quantity { q := resource.MustParse(s); return &q }
	spec := func(sockets uint32, guest string) kubevirtv1.VirtualMachineInstanceSpec {
		return kubevirtv1.VirtualMachineInstanceSpec{Domain: kubevirtv1.DomainSpec{
			CPU: &kubevirtv1.CPU{Cores: 1, Threads: 1, Sockets: sockets, MaxSockets: 4}, Memory: &kubevirtv1.Memory{Guest: quantity(guest), MaxGuest: quantity("4Gi")},
		}}
	}
	for name, test := range map[string]struct {
		sockets         uint32
		guest           string
		cpuWhy, ramWhy  string
		hasSockets      uint32
		hasGuest        string
		withoutMaxGuest bool
	}{
		"the same":        {2, "2Gi", "", "", 2, "2Gi", false},
		"more":            {4, "3Gi", "", "", 4, "3Gi", false},
		"too many":        {5, "5Gi", "CPU sockets updated in template spec to a value higher than what's available", "memory updated in template spec to a value higher than what's available", 2, "2Gi", false},
		"fewer":           {1, "1536Mi", "Reduction of CPU socket count requires a restart", "memory updated in template spec to a value lower than what the VM started with", 2, "2Gi", false},
		"far too little":  {2, "512Mi", "", "memory hotplug not supported, Memory hotplug is only available for VMs with at least 1Gi of guest memory", 2, "2Gi", false},
		"not to be grown": {2, "3Gi", "", "", 2, "2Gi", true},
	} {
		t.Run(name, func(t *testing.T) {
			template, instance := spec(test.sockets, test.guest), &kubevirtv1.VirtualMachineInstance{Spec: spec(2, "2Gi")}
			describeHardware(instance)
			if test.withoutMaxGuest {
				instance.Spec.Domain.Memory.MaxGuest = nil
			}
			if why := addSockets(&template, instance); why != test.cpuWhy {
				t.Errorf("sockets: %q", why)
			}
			if why := addMemory(&template, instance); why != test.ramWhy {
				t.Errorf("memory: %q", why)
			}
			if instance.Spec.Domain.CPU.Sockets != test.hasSockets || instance.Status.CurrentCPUTopology.Sockets != test.hasSockets {
				t.Errorf("has %d sockets, shows %d", instance.Spec.Domain.CPU.Sockets, instance.Status.CurrentCPUTopology.Sockets)
			}
			if guest := instance.Status.Memory.GuestCurrent.String(); guest != test.hasGuest || instance.Spec.Domain.Memory.Guest.String() != guest {
				t.Errorf("has %s, shows %s", instance.Spec.Domain.Memory.Guest, guest)
			}
		})
	}
}

// What a machine is told first stays, until it is restarted.
func TestRequireRestart(t *testing.T) {
	machine := &kubevirtv1.VirtualMachine{}
	requireRestart(machine, "first")
	requireRestart(machine, "second")
	if len(machine.Status.Conditions) != 1 || machine.Status.Conditions[0].Message != "first" {
		t.Errorf("conditions %+v", machine.Status.Conditions)
	}
	forgetRestart(machine)
	if len(machine.Status.Conditions) != 0 {
		t.Error("a restart does not take it back")
	}
}
