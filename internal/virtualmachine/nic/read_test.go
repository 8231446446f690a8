// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package nic

import (
	"testing"

	kubevirtv1 "kubevirt.io/api/core/v1"
)

func TestReadAddresses(t *testing.T) {
	vmi := func(ips ...string) *kubevirtv1.VirtualMachineInstance {
		return &kubevirtv1.VirtualMachineInstance{Status: kubevirtv1.VirtualMachineInstanceStatus{Interfaces: []kubevirtv1.VirtualMachineInstanceNetworkInterface{
			{Name: "other", IP: "10.0.0.9"}, {Name: "nic-1", IPs: ips, InterfaceName: "eth0"},
		}}}
	}
	for want, instance := range map[string]*kubevirtv1.VirtualMachineInstance{
		"":            nil,
		"10.0.0.2":    vmi("2001:db8::1", "10.0.0.2", "169.254.1.1"),
		"9.1.1.1":     vmi("10.0.0.2", "9.1.1.1"),
		"2001:db8::1": vmi("fe80::1", "2001:db8::1"),
	} {
		if got, _ := Address(instance, "nic-1"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got, name := Address(vmi("fe80::1", "nonsense"), "nic-1"); got != "" || name != "" {
		t.Errorf("link-local: %q %q", got, name)
	}
}
