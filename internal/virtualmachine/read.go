// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

// sight is what the cluster shows of a machine.
type sight struct {
	vm *kubevirtv1.VirtualMachine
	// vmi is the running instance, nil if there is none.
	vmi *kubevirtv1.VirtualMachineInstance
	// secrets are those with cloud-init data that could be read.
	secrets []*corev1.Secret
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
	m.readCompute(vm, prior.requests)
	m.readFirmware(vm)
	m.readEnd(&vm.Spec.Template.Spec)
	m.readOperation(ctx, vm, imported, &diags)

	now := prior
	now.disks = disk.Read(prior.disks, vm)
	now.interfaces = nic.Read(prior.interfaces, vm, seen.vmi)
	now.cloudInit = cloudinit.ReadBlock(prior.cloudInit, vm, seen.secrets)
	now.inputs = device.ReadInputs(vm.Spec.Template.Spec.Domain.Devices.Inputs)
	now.hosts = device.ReadHosts(prior.hosts, vm.Spec.Template.Spec.Domain.Devices.HostDevices)
	now.placement = prior.placement.Read(&vm.Spec.Template.Spec, imported)
	now.tpm = device.ReadTPM(prior.tpm, vm.Spec.Template.Spec.Domain.Devices.TPM)
	diags.Append(now.pack(ctx)...)

	m.State = types.StringValue(stateOf(vm, seen.vmi))
	m.Message = arg.TextOrNull(messageOf(vm, seen.vmi))
	tfbase.ShowTermination(vm, &m.State, &m.Message)
	m.NodeName = types.StringNull()
	if seen.vmi != nil {
		m.NodeName = arg.TextOrNull(seen.vmi.Status.NodeName)
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

func (m *model) readCompute(vm *kubevirtv1.VirtualMachine, asked *requests) {
	m.readCPUs(vm)
	quantity := ""
	if memory := memory(vm); memory != nil {
		quantity = memory.String()
	}
	m.Memory = arg.KeepQuantity(m.Memory, quantity)
	m.ReservedMemory = arg.KeepQuantity(m.ReservedMemory, vm.Annotations[annotationReservedMemory])
	cpu := kubevirtv1.CPU{}
	if vm.Spec.Template.Spec.Domain.CPU != nil {
		cpu = *vm.Spec.Template.Spec.Domain.CPU
	}
	m.Requests = readRequests(m.Requests, asked, vm.Spec.Template.Spec.Domain.Resources.Requests)
	m.CPUModel = tfbase.Keep(m.CPUModel, cpu.Model)
	m.CPUPinning = types.BoolValue(cpu.DedicatedCPUPlacement)
	m.IsolateEmulatorThread = types.BoolValue(cpu.IsolateEmulatorThread)
	m.NodeSelector = readSelector(m.NodeSelector, vm.Spec.Template.Spec.NodeSelector)
}

// readSelector keeps null and {} apart as the prior value does.
func readSelector(prior types.Map, live map[string]string) types.Map {
	switch {
	case len(live) > 0:
		return tfbase.StringMap(live)
	case prior.IsNull() || prior.IsUnknown():
		return types.MapNull(types.StringType)
	}
	return tfbase.StringMap(map[string]string{})
}

func (m *model) readFirmware(vm *kubevirtv1.VirtualMachine) {
	domain := &vm.Spec.Template.Spec.Domain
	machineType := ""
	if domain.Machine != nil {
		machineType = domain.Machine.Type
	}
	m.MachineType = arg.KeepOpen(m.MachineType, machineType)
	m.EFI = types.BoolValue(efi(domain))
	m.SecureBoot = types.BoolValue(secureBoot(domain))
	m.Hostname = arg.KeepOpen(m.Hostname, vm.Spec.Template.Spec.Hostname)
}

func (m *model) readEnd(spec *kubevirtv1.VirtualMachineInstanceSpec) {
	m.EvictionStrategy = types.StringPointerValue((*string)(spec.EvictionStrategy))
	m.TerminationGracePeriodSeconds = types.Int64PointerValue(spec.TerminationGracePeriodSeconds)
}

func (m *model) readOperation(ctx context.Context, vm *kubevirtv1.VirtualMachine, imported bool, diags *diag.Diagnostics) {
	if strategy, err := vm.RunStrategy(); err == nil && !stopped(strategy, m.RunStrategy) {
		m.RunStrategy = types.StringValue(string(strategy))
	}
	m.CreateInitialSnapshot = types.BoolValue(m.CreateInitialSnapshot.ValueBool())
	m.RestartAfterUpdate = types.BoolValue(m.RestartAfterUpdate.ValueBool())
	keys := sshNames(vm)
	if imported && cloudinit.Volume(&vm.Spec.Template.Spec) == nil {
		keys = nil // no more than a note of those who made it: nothing brings them into the guest
	}
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

// sshNames lists the SSH keys of a machine. One made elsewhere may have no list, or something
// else in its place.
func sshNames(vm *kubevirtv1.VirtualMachine) []string {
	var keys []string
	_ = json.Unmarshal([]byte(vm.Spec.Template.ObjectMeta.Annotations[annotationSSHNames]), &keys)
	return keys
}

// keyIDs are the SSH keys as namespace/name.
func (m machine) keyIDs() []string { return qualifiedAll(m.sshKeys, m.Namespace.ValueString()) }

func qualifiedAll(references []string, namespace string) []string {
	result := []string{}
	for _, reference := range references {
		result = append(result, arg.Qualified(types.StringValue(reference), namespace))
	}
	return result
}
