// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package nic

import (
	"cmp"

	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// Onto writes the interfaces, with their networks, onto a machine. Of a live interface it
// keeps what this resource knows nothing of, such as forwarded ports.
func Onto(spec *kubevirtv1.VirtualMachineInstanceSpec, interfaces []Interface) {
	var devices []kubevirtv1.Interface
	var networks []kubevirtv1.Network
	for _, n := range interfaces {
		devices = append(devices, n.device(spec.Domain.Devices.Interfaces))
		networks = append(networks, n.network(spec.Networks))
	}
	spec.Domain.Devices.Interfaces, spec.Networks = devices, networks
}

func (n Interface) device(live []kubevirtv1.Interface) kubevirtv1.Interface {
	model := modelOf(n.Model.ValueString())
	device := kubevirtv1.Interface{Name: n.Name.ValueString(), Model: model}
	open := false // how it is attached is left to those who made it
	for i := range live {
		if live[i].Name == device.Name {
			device, open = live[i], !arg.Set(n.Type)
		}
	}
	if liveModel(device) != model {
		device.Model = model
	}
	device.BootOrder = arg.BootOrder(n.BootOrder.ValueInt64())
	if wanted := n.MACAddress.ValueString(); wanted != "" && !sameMAC(wanted, device.MacAddress) {
		device.MacAddress = written(wanted)
	}
	if kind := n.kind(); !open && kind != interfaceType(device) {
		device.Binding = nil
		device.InterfaceBindingMethod = kubevirtv1.InterfaceBindingMethod{}
		if kind == TypeMasquerade {
			device.Masquerade = &kubevirtv1.InterfaceMasquerade{}
		} else {
			device.Bridge = &kubevirtv1.InterfaceBridge{}
		}
	}
	return device
}

// kind is the type to use: the management network is behind a masquerade, the
// others are bridged.
func (n Interface) kind() string {
	switch {
	case arg.Set(n.Type):
		return n.Type.ValueString()
	case arg.Set(n.NetworkName):
		return TypeBridge
	}
	return TypeMasquerade
}

// interfaceType is the type a live interface has; "" for kinds that this resource cannot make
// itself (SR-IOV, bindings), which stay as they are.
func interfaceType(device kubevirtv1.Interface) string {
	switch {
	case device.Bridge != nil:
		return TypeBridge
	case device.Masquerade != nil:
		return TypeMasquerade
	case device.Binding != nil && device.Binding.Name == BindingManagedTap:
		return TypeBridge // Harvester puts it in the place of a bridge where an overlay network has DHCP
	}
	return ""
}

// liveModel is the model a live interface has; KubeVirt's own choice is virtio.
func liveModel(device kubevirtv1.Interface) string { return cmp.Or(device.Model, modelVirtio) }

func modelOf(model string) string {
	if model == ModelMisspelt {
		return modelNE2000
	}
	return model
}

func (n Interface) network(live []kubevirtv1.Network) kubevirtv1.Network {
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

// Settle fills in what the configuration leaves open and is known at plan.
func (n *Interface) Settle(old *Interface) {
	if n.MACAddress.IsUnknown() && old != nil && arg.Set(old.MACAddress) {
		n.MACAddress = old.MACAddress
	}
	if !n.Type.IsUnknown() || n.NetworkName.IsUnknown() {
		return
	}
	if old != nil && !old.Type.IsUnknown() && arg.Set(old.NetworkName) == arg.Set(n.NetworkName) {
		n.Type = old.Type
		return
	}
	n.Type = types.StringValue(Interface{NetworkName: n.NetworkName}.kind())
}
