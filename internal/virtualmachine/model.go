// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/placement"
)

// model is configuration, plan or state as Terraform has it. Its lists may be
// unknown in a plan; machine is the same with the lists taken apart.
type model struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Namespace   types.String `tfsdk:"namespace"`
	Description types.String `tfsdk:"description"`
	Tags        types.Map    `tfsdk:"tags"`
	Labels      types.Map    `tfsdk:"labels"`
	State       types.String `tfsdk:"state"`
	Message     types.String `tfsdk:"message"`
	NodeName    types.String `tfsdk:"node_name"`

	CPU                   types.Int64  `tfsdk:"cpu"`
	CPUSockets            types.Int64  `tfsdk:"cpu_sockets"`
	CPUThreads            types.Int64  `tfsdk:"cpu_threads"`
	MaxCPU                types.Int64  `tfsdk:"max_cpu"`
	Memory                types.String `tfsdk:"memory"`
	MaxMemory             types.String `tfsdk:"max_memory"`
	ReservedMemory        types.String `tfsdk:"reserved_memory"`
	Requests              types.List   `tfsdk:"requests"`
	CPUModel              types.String `tfsdk:"cpu_model"`
	CPUPinning            types.Bool   `tfsdk:"cpu_pinning"`
	IsolateEmulatorThread types.Bool   `tfsdk:"isolate_emulator_thread"`
	NodeSelector          types.Map    `tfsdk:"node_selector"`
	NodeAffinity          types.List   `tfsdk:"node_affinity"`
	PodAffinity           types.List   `tfsdk:"pod_affinity"`
	PodAntiAffinity       types.List   `tfsdk:"pod_anti_affinity"`
	Toleration            types.List   `tfsdk:"toleration"`

	MachineType types.String `tfsdk:"machine_type"`
	EFI         types.Bool   `tfsdk:"efi"`
	SecureBoot  types.Bool   `tfsdk:"secure_boot"`
	Hostname    types.String `tfsdk:"hostname"`

	RunStrategy           types.String `tfsdk:"run_strategy"`
	Start                 types.Bool   `tfsdk:"start"`
	RestartAfterUpdate    types.Bool   `tfsdk:"restart_after_update"`
	SSHKeys               types.List   `tfsdk:"ssh_keys"`
	CreateInitialSnapshot types.Bool   `tfsdk:"create_initial_snapshot"`

	EvictionStrategy              types.String `tfsdk:"eviction_strategy"`
	TerminationGracePeriodSeconds types.Int64  `tfsdk:"termination_grace_period_seconds"`

	Disk             types.List       `tfsdk:"disk"`
	NetworkInterface types.List       `tfsdk:"network_interface"`
	CloudInit        types.List       `tfsdk:"cloudinit"`
	Input            types.List       `tfsdk:"input"`
	TPM              types.List       `tfsdk:"tpm"`
	HostDevice       types.List       `tfsdk:"host_device"`
	Timeouts         *tfbase.Timeouts `tfsdk:"timeouts"`
}

// machine is a model whose lists are taken apart.
type machine struct {
	*model
	disks      []disk.Disk
	interfaces []nic.Interface
	cloudInit  *cloudinit.Model
	inputs     []device.Input
	tpm        *device.TPM
	hosts      []device.Host
	requests   *requests
	sshKeys    []string
	placement  placement.Placement
}

// elements decodes a list; one that is unknown, or has an element that is unknown as a whole, counts as empty.
func elements[T any](ctx context.Context, list types.List, diags *diag.Diagnostics) []T {
	unknown := func(element attr.Value) bool { return element.IsUnknown() }
	if _, text := list.ElementType(ctx).(basetypes.StringType); list.IsNull() || list.IsUnknown() || !text && slices.ContainsFunc(list.Elements(), unknown) {
		return nil
	}
	var values []T
	diags.Append(list.ElementsAs(ctx, &values, false)...)
	return values
}

func first[T any](values []T) *T {
	if len(values) == 0 {
		return nil
	}
	return &values[0]
}

// machine takes the lists apart. Unknown lists and elements, which only plans
// have, are left out.
func (m *model) machine(ctx context.Context) (machine, diag.Diagnostics) {
	var diags diag.Diagnostics
	result := machine{
		model:      m,
		disks:      elements[disk.Disk](ctx, m.Disk, &diags),
		interfaces: elements[nic.Interface](ctx, m.NetworkInterface, &diags),
		cloudInit:  first(elements[cloudinit.Model](ctx, m.CloudInit, &diags)),
		inputs:     elements[device.Input](ctx, m.Input, &diags),
		hosts:      elements[device.Host](ctx, m.HostDevice, &diags),
		requests:   first(elements[requests](ctx, m.Requests, &diags)),
		tpm:        first(elements[device.TPM](ctx, m.TPM, &diags)),
		placement:  placement.Take(ctx, m.placementLists(), &diags),
	}
	for _, key := range elements[types.String](ctx, m.SSHKeys, &diags) {
		if arg.Known(key) {
			result.sshKeys = append(result.sshKeys, key.ValueString())
		}
	}
	return result, diags
}

// pack puts what was taken apart back into the lists. A list block is never null.
func (m machine) pack(ctx context.Context) diag.Diagnostics {
	var diags diag.Diagnostics
	m.Disk = list(ctx, disk.Block(), m.disks, &diags)
	m.NetworkInterface = list(ctx, nic.Block(), m.interfaces, &diags)
	m.CloudInit = list(ctx, cloudinit.Block(), single(m.cloudInit), &diags)
	m.Input = list(ctx, device.InputBlock(), m.inputs, &diags)
	m.HostDevice = list(ctx, device.HostBlock(), m.hosts, &diags)
	m.TPM = list(ctx, device.TPMBlock(), single(m.tpm), &diags)
	m.placement.Pack(ctx, m.placementLists(), &diags)
	return diags
}

func (m *model) placementLists() placement.Lists {
	return placement.Lists{Node: &m.NodeAffinity, Pod: &m.PodAffinity, Anti: &m.PodAntiAffinity, Tolerations: &m.Toleration}
}

func list[T any](ctx context.Context, block schema.ListNestedBlock, values []T, diags *diag.Diagnostics) types.List {
	var elementType attr.Type = block.NestedObject.Type()
	if values == nil {
		values = []T{}
	}
	result, more := types.ListValueFrom(ctx, elementType, values)
	diags.Append(more...)
	return result
}

func single[T any](value *T) []T {
	if value == nil {
		return nil
	}
	return []T{*value}
}

const what = "virtual machine"

// Key is known even while the attribute id is not.
func (m *model) Key() (namespace, name string) {
	return m.Namespace.ValueString(), m.Name.ValueString()
}

func (m *model) title() string { return tfbase.Title(what, m) }

func (m *model) metadata() tfbase.Metadata {
	return tfbase.Metadata{Description: m.Description, Tags: m.Tags, Labels: m.Labels}
}

// imported says that the state holds nothing but the id yet.
func (m *model) imported() bool { return m.CPU.IsNull() }

// sshUser returns the user for the SSH keys, which a tag names; "" if none does.
func (m *model) sshUser() string {
	value, _ := m.Tags.Elements()[tagSSHUser].(types.String)
	return value.ValueString()
}

// runs says that the strategy wants the machine to run.
func (m *model) runs() bool {
	switch kubevirtv1.VirtualMachineRunStrategy(m.RunStrategy.ValueString()) {
	case kubevirtv1.RunStrategyAlways, kubevirtv1.RunStrategyRerunOnFailure:
		return true
	default:
		return false
	}
}

// leases returns the names of the interfaces that are to get an address.
func (m machine) leases() []string {
	names := []string{}
	for _, nic := range m.interfaces {
		if nic.WaitForLease.ValueBool() {
			names = append(names, nic.Name.ValueString())
		}
	}
	return names
}
