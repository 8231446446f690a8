// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// sight is what the cluster shows of a machine.
type sight struct {
	vm *kubevirtv1.VirtualMachine
	// vmi is the running instance, nil if there is none.
	vmi *kubevirtv1.VirtualMachineInstance
	// secret holds the data of the Secret made for long cloud-init data; nil if
	// there is none or it cannot be read.
	secret *corev1.Secret
}

// read takes over what the cluster shows. The model holds the prior state or the plan;
// where the server's value means the same as what it says, its spelling stays.
func (m *model) read(ctx context.Context, seen sight) diag.Diagnostics {
	vm := withTemplate(seen.vm)
	imported := m.imported()
	prior, diags := m.machine(ctx)

	metadata := m.metadata().Read(vm, imported)
	m.Description, m.Tags, m.Labels = metadata.Description, metadata.Tags, metadata.Labels
	m.Name, m.Namespace = types.StringValue(vm.Name), types.StringValue(vm.Namespace)
	m.ID = types.StringValue(tfbase.ID(vm.Namespace, vm.Name))
	m.readCompute(vm)
	m.readFirmware(vm)
	m.readOperation(ctx, vm, &diags)

	now := prior
	now.disks = readDisks(prior.disks, vm)
	now.interfaces = readInterfaces(prior.interfaces, vm, seen.vmi)
	now.cloudInit = readCloudInit(prior.cloudInit, vm, seen.secret)
	now.inputs = readInputs(vm.Spec.Template.Spec.Domain.Devices.Inputs)
	now.tpm = readTPM(prior.tpm, vm.Spec.Template.Spec.Domain.Devices.TPM)
	diags.Append(now.pack(ctx)...)

	m.State = types.StringValue(stateOf(vm, seen.vmi))
	m.Message = textOrNull(messageOf(vm, seen.vmi))
	m.NodeName = types.StringNull()
	if seen.vmi != nil {
		m.NodeName = textOrNull(seen.vmi.Status.NodeName)
	}
	return diags
}

// withTemplate guards against machines without a template, which older API
// versions let pass.
func withTemplate(vm *kubevirtv1.VirtualMachine) *kubevirtv1.VirtualMachine {
	if vm.Spec.Template == nil {
		vm = vm.DeepCopy()
		vm.Spec.Template = &kubevirtv1.VirtualMachineInstanceTemplateSpec{}
	}
	return vm
}

func (m *model) readCompute(vm *kubevirtv1.VirtualMachine) {
	m.CPU = types.Int64Value(cpus(vm))
	quantity := ""
	if memory := memory(vm); memory != nil {
		quantity = memory.String()
	}
	m.Memory = keepQuantity(m.Memory, quantity)
	m.ReservedMemory = keepQuantity(m.ReservedMemory, vm.Annotations[annotationReservedMemory])
	cpu := kubevirtv1.CPU{}
	if vm.Spec.Template.Spec.Domain.CPU != nil {
		cpu = *vm.Spec.Template.Spec.Domain.CPU
	}
	m.CPUModel = tfbase.Keep(m.CPUModel, cpu.Model)
	m.CPUPinning = types.BoolValue(cpu.DedicatedCPUPlacement)
	m.IsolateEmulatorThread = types.BoolValue(cpu.IsolateEmulatorThread)
	if selector := vm.Spec.Template.Spec.NodeSelector; len(selector) > 0 || !m.NodeSelector.IsNull() {
		m.NodeSelector = tfbase.StringMap(selector)
	}
}

func (m *model) readFirmware(vm *kubevirtv1.VirtualMachine) {
	domain := &vm.Spec.Template.Spec.Domain
	machineType := ""
	if domain.Machine != nil {
		machineType = domain.Machine.Type
	}
	m.MachineType = keepOpen(m.MachineType, machineType)
	m.EFI = types.BoolValue(efi(domain))
	m.SecureBoot = types.BoolValue(secureBoot(domain))
	m.Hostname = keepOpen(m.Hostname, vm.Spec.Template.Spec.Hostname)
}

func (m *model) readOperation(ctx context.Context, vm *kubevirtv1.VirtualMachine, diags *diag.Diagnostics) {
	if strategy, err := vm.RunStrategy(); err == nil {
		m.RunStrategy = types.StringValue(string(strategy))
	}
	m.RestartAfterUpdate = types.BoolValue(m.RestartAfterUpdate.ValueBool())
	var keys []string
	// A machine made elsewhere may have no list, or something else in its place.
	_ = json.Unmarshal([]byte(vm.Spec.Template.ObjectMeta.Annotations[annotationSSHNames]), &keys)
	prior, more := m.machine(ctx)
	diags.Append(more...)
	if slices.Equal(qualifiedAll(keys, vm.Namespace), prior.keyIDs()) && !m.SSHKeys.IsUnknown() {
		return // null and an empty list mean the same, and so do name and namespace/name
	}
	m.SSHKeys = types.ListNull(types.StringType)
	if len(keys) > 0 {
		m.SSHKeys, more = types.ListValueFrom(ctx, types.StringType, keys)
		diags.Append(more...)
	}
}

// keyIDs are the SSH keys as namespace/name.
func (m machine) keyIDs() []string { return qualifiedAll(m.sshKeys, m.Namespace.ValueString()) }

func qualifiedAll(references []string, namespace string) []string {
	result := []string{}
	for _, reference := range references {
		result = append(result, qualified(types.StringValue(reference), namespace))
	}
	return result
}

func readInputs(live []kubevirtv1.Input) []input {
	var inputs []input
	for _, device := range live {
		inputs = append(inputs, input{
			Name: types.StringValue(device.Name), Type: types.StringValue(string(device.Type)), Bus: types.StringValue(string(device.Bus)),
		})
	}
	return inputs
}

func readTPM(prior *tpm, live *kubevirtv1.TPMDevice) *tpm {
	switch {
	case live == nil:
		return nil
	case prior != nil:
		return prior
	}
	return &tpm{}
}

func readInterfaces(prior []networkInterface, vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) []networkInterface {
	leases := leasesOf(vm)
	var interfaces []networkInterface
	for _, device := range vm.Spec.Template.Spec.Domain.Devices.Interfaces {
		nic := networkInterface{}
		if old := namedInterface(prior, device.Name); old != nil {
			nic = *old
		}
		nic.read(device, vm.Spec.Template.Spec.Networks)
		nic.WaitForLease = types.BoolValue(slices.Contains(leases, device.Name))
		address, name := addressOf(vmi, device.Name)
		nic.IPAddress, nic.InterfaceName = textOrNull(address), textOrNull(name)
		interfaces = append(interfaces, nic)
	}
	return interfaces
}

func (n *networkInterface) read(device kubevirtv1.Interface, networks []kubevirtv1.Network) {
	n.Name = types.StringValue(device.Name)
	n.Type = keepOpen(n.Type, interfaceType(device))
	if modelOf(n.Model.ValueString()) != device.Model || !known(n.Model) {
		n.Model = types.StringValue(device.Model)
	}
	n.MACAddress = keepOpen(n.MACAddress, device.MacAddress)
	n.BootOrder = keepOrder(n.BootOrder, device.BootOrder)
	network := ""
	for _, candidate := range networks {
		if candidate.Name == device.Name && candidate.Multus != nil {
			network = candidate.Multus.NetworkName
		}
	}
	n.NetworkName = tfbase.Keep(n.NetworkName, network)
}

// leasesOf lists the interfaces that are to get an address. A missing or broken list counts as empty.
func leasesOf(vm *kubevirtv1.VirtualMachine) []string {
	var names []string
	_ = json.Unmarshal([]byte(vm.Spec.Template.ObjectMeta.Annotations[annotationLeases]), &names)
	return names
}

// addressOf is the address of an interface, IPv4 before IPv6, and its name in the
// guest; "" while there is no address but link-local ones.
func addressOf(vmi *kubevirtv1.VirtualMachineInstance, name string) (address, guestName string) {
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

// keepQuantity keeps the spelling of an equal quantity.
func keepQuantity(prior types.String, value string) types.String {
	if set(prior) && value != "" && bytesOf(prior.ValueString()) == bytesOf(value) {
		return prior
	}
	return tfbase.Keep(prior, value)
}

// keepOpen is for arguments the cluster fills in: an explicit "" leaves them
// open and stays.
func keepOpen(prior types.String, value string) types.String {
	if known(prior) && prior.ValueString() == "" {
		return prior
	}
	return textOrNull(value)
}

// keepOrder keeps null and 0 apart as the prior value does: both mean no order.
func keepOrder(prior types.Int64, order *uint) types.Int64 {
	switch {
	case order != nil && *order > 0:
		return types.Int64Value(int64(*order))
	case known(prior):
		return types.Int64Value(0)
	}
	return types.Int64Null()
}

func textOrNull(text string) types.String {
	if text == "" {
		return types.StringNull()
	}
	return types.StringValue(text)
}

// settled is a value that is not unknown any more: what nobody filled in is null.
func settled(value types.String) types.String {
	if value.IsUnknown() {
		return types.StringNull()
	}
	return value
}
