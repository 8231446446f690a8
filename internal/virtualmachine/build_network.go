// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// ontoNetwork writes interfaces and networks. Of a live interface it keeps what
// this resource knows nothing of, such as forwarded ports.
func (m machine) ontoNetwork(spec *kubevirtv1.VirtualMachineInstanceSpec) {
	var interfaces []kubevirtv1.Interface
	var networks []kubevirtv1.Network
	for _, nic := range m.interfaces {
		interfaces = append(interfaces, nic.device(spec.Domain.Devices.Interfaces))
		networks = append(networks, nic.network(spec.Networks))
	}
	spec.Domain.Devices.Interfaces, spec.Networks = interfaces, networks
}

func (n networkInterface) device(live []kubevirtv1.Interface) kubevirtv1.Interface {
	device := kubevirtv1.Interface{Name: n.Name.ValueString()}
	for i := range live {
		if live[i].Name == device.Name {
			device = live[i]
		}
	}
	device.Model = modelOf(n.Model.ValueString())
	device.BootOrder = bootOrder(n.BootOrder.ValueInt64())
	if set(n.MACAddress) {
		device.MacAddress = n.MACAddress.ValueString()
	}
	if kind := n.kind(); kind != interfaceType(device) {
		device.Binding = nil
		device.InterfaceBindingMethod = kubevirtv1.InterfaceBindingMethod{}
		if kind == typeMasquerade {
			device.Masquerade = &kubevirtv1.InterfaceMasquerade{}
		} else {
			device.Bridge = &kubevirtv1.InterfaceBridge{}
		}
	}
	return device
}

// kind is the type to use: the management network is behind a masquerade, the
// others are bridged.
func (n networkInterface) kind() string {
	switch {
	case set(n.Type):
		return n.Type.ValueString()
	case set(n.NetworkName):
		return typeBridge
	}
	return typeMasquerade
}

// interfaceType is the type a live interface has. Kinds that this resource
// cannot make itself (SR-IOV, bindings) have names of their own, so that they show and stay.
func interfaceType(device kubevirtv1.Interface) string {
	switch {
	case device.Bridge != nil:
		return typeBridge
	case device.Masquerade != nil:
		return typeMasquerade
	case device.SRIOV != nil:
		return "sriov"
	case device.Binding != nil && device.Binding.Name == bindingManagedTap:
		return typeBridge // Harvester puts it in the place of a bridge where an overlay network has DHCP
	case device.Binding != nil:
		return device.Binding.Name
	}
	return ""
}

func modelOf(model string) string {
	if model == modelMisspelt {
		return modelNE2000
	}
	return model
}

func (n networkInterface) network(live []kubevirtv1.Network) kubevirtv1.Network {
	network := kubevirtv1.Network{Name: n.Name.ValueString()}
	for i := range live {
		if live[i].Name == network.Name {
			network = live[i]
		}
	}
	name := n.NetworkName.ValueString()
	switch {
	case name == "" && network.Pod == nil:
		network.NetworkSource = kubevirtv1.NetworkSource{Pod: &kubevirtv1.PodNetwork{}}
	case name != "" && (network.Multus == nil || network.Multus.NetworkName != name):
		network.NetworkSource = kubevirtv1.NetworkSource{Multus: &kubevirtv1.MultusNetwork{NetworkName: name}}
	}
	return network
}

// settle fills in what the configuration leaves open and is known at plan.
func (n *networkInterface) settle(old *networkInterface) {
	if n.MACAddress.IsUnknown() && old != nil && set(old.MACAddress) {
		n.MACAddress = old.MACAddress
	}
	if !n.Type.IsUnknown() || n.NetworkName.IsUnknown() {
		return
	}
	if old != nil && set(old.Type) && set(old.NetworkName) == set(n.NetworkName) {
		n.Type = old.Type
		return
	}
	n.Type = types.StringValue(networkInterface{NetworkName: n.NetworkName}.kind())
}
