// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package nic

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// Read lists the interfaces of a machine. Of those that are known already, by prior, what
// means the same keeps its spelling.
func Read(prior []Interface, vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) []Interface {
	leases := Leases(vm)
	var interfaces []Interface
	for _, device := range vm.Spec.Template.Spec.Domain.Devices.Interfaces {
		nic := Interface{}
		if old := Named(prior, device.Name); old != nil {
			nic = *old
		}
		nic.read(device, vm.Spec.Template.Spec.Networks)
		nic.WaitForLease = types.BoolValue(slices.Contains(leases, device.Name))
		address, name := Address(vmi, device.Name)
		nic.IPAddress, nic.InterfaceName = arg.TextOrNull(address), arg.TextOrNull(name)
		interfaces = append(interfaces, nic)
	}
	return interfaces
}

func (n *Interface) read(device kubevirtv1.Interface, networks []kubevirtv1.Network) {
	n.Name = types.StringValue(device.Name)
	n.Type = arg.KeepOpen(n.Type, interfaceType(device))
	if modelOf(n.Model.ValueString()) != liveModel(device) || !arg.Known(n.Model) {
		n.Model = types.StringValue(liveModel(device))
	}
	if !sameMAC(n.MACAddress.ValueString(), device.MacAddress) {
		n.MACAddress = arg.KeepOpen(n.MACAddress, device.MacAddress)
	}
	n.BootOrder = arg.KeepOrder(n.BootOrder, device.BootOrder)
	network := ""
	for _, candidate := range networks {
		if candidate.Name == device.Name && candidate.Multus != nil {
			network = candidate.Multus.NetworkName
		}
	}
	n.NetworkName = tfbase.Keep(n.NetworkName, network)
}

// Leases lists the interfaces that are to get an address. A missing or broken list counts as empty.
func Leases(vm *kubevirtv1.VirtualMachine) []string {
	var names []string
	_ = json.Unmarshal([]byte(vm.Spec.Template.ObjectMeta.Annotations[AnnotationLeases]), &names)
	return names
}

// Address is the address of an interface, IPv4 before IPv6, and its name in the
// guest; "" while there is no address but link-local ones.
func Address(vmi *kubevirtv1.VirtualMachineInstance, name string) (address, guestName string) {
	if vmi == nil {
		return "", ""
	}
	for _, status := range vmi.Status.Interfaces {
		if status.Name != name {
			continue
		}
		var addresses []netip.Addr
		for _, ip := range append([]string{status.IP}, status.IPs...) {
			if parsed, err := netip.ParseAddr(strings.TrimSpace(ip)); err == nil && !parsed.IsLinkLocalUnicast() {
				addresses = append(addresses, parsed)
			}
		}
		if len(addresses) > 0 {
			// IPv4 sorts before IPv6.
			return slices.MinFunc(addresses, netip.Addr.Compare).String(), status.InterfaceName
		}
	}
	return "", ""
}
