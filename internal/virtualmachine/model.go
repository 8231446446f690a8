// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
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
	Memory                types.String `tfsdk:"memory"`
	ReservedMemory        types.String `tfsdk:"reserved_memory"`
	CPUModel              types.String `tfsdk:"cpu_model"`
	CPUPinning            types.Bool   `tfsdk:"cpu_pinning"`
	IsolateEmulatorThread types.Bool   `tfsdk:"isolate_emulator_thread"`
	NodeSelector          types.Map    `tfsdk:"node_selector"`

	MachineType types.String `tfsdk:"machine_type"`
	EFI         types.Bool   `tfsdk:"efi"`
	SecureBoot  types.Bool   `tfsdk:"secure_boot"`
	Hostname    types.String `tfsdk:"hostname"`

	RunStrategy        types.String `tfsdk:"run_strategy"`
	Start              types.Bool   `tfsdk:"start"`
	RestartAfterUpdate types.Bool   `tfsdk:"restart_after_update"`
	SSHKeys            types.List   `tfsdk:"ssh_keys"`

	Disk             types.List       `tfsdk:"disk"`
	NetworkInterface types.List       `tfsdk:"network_interface"`
	CloudInit        types.List       `tfsdk:"cloudinit"`
	Input            types.List       `tfsdk:"input"`
	TPM              types.List       `tfsdk:"tpm"`
	Timeouts         *tfbase.Timeouts `tfsdk:"timeouts"`
}

type disk struct {
	Name               types.String `tfsdk:"name"`
	Type               types.String `tfsdk:"type"`
	Bus                types.String `tfsdk:"bus"`
	CacheMode          types.String `tfsdk:"cache_mode"`
	BootOrder          types.Int64  `tfsdk:"boot_order"`
	HotPlug            types.Bool   `tfsdk:"hot_plug"`
	Image              types.String `tfsdk:"image"`
	ExistingVolumeName types.String `tfsdk:"existing_volume_name"`
	ContainerImageName types.String `tfsdk:"container_image_name"`
	Size               types.String `tfsdk:"size"`
	AutoDelete         types.Bool   `tfsdk:"auto_delete"`
	StorageClassName   types.String `tfsdk:"storage_class_name"`
	VolumeMode         types.String `tfsdk:"volume_mode"`
	AccessMode         types.String `tfsdk:"access_mode"`
	VolumeName         types.String `tfsdk:"volume_name"`
}

type networkInterface struct {
	Name          types.String `tfsdk:"name"`
	Type          types.String `tfsdk:"type"`
	Model         types.String `tfsdk:"model"`
	MACAddress    types.String `tfsdk:"mac_address"`
	IPAddress     types.String `tfsdk:"ip_address"`
	InterfaceName types.String `tfsdk:"interface_name"`
	WaitForLease  types.Bool   `tfsdk:"wait_for_lease"`
	NetworkName   types.String `tfsdk:"network_name"`
	BootOrder     types.Int64  `tfsdk:"boot_order"`
}

type cloudInit struct {
	Type                  types.String `tfsdk:"type"`
	UserData              types.String `tfsdk:"user_data"`
	UserDataBase64        types.String `tfsdk:"user_data_base64"`
	UserDataSecretName    types.String `tfsdk:"user_data_secret_name"`
	NetworkData           types.String `tfsdk:"network_data"`
	NetworkDataBase64     types.String `tfsdk:"network_data_base64"`
	NetworkDataSecretName types.String `tfsdk:"network_data_secret_name"`
}

type input struct {
	Name types.String `tfsdk:"name"`
	Type types.String `tfsdk:"type"`
	Bus  types.String `tfsdk:"bus"`
}

type tpm struct {
	Name types.String `tfsdk:"name"`
}

// machine is a model whose lists are taken apart.
type machine struct {
	*model
	disks      []disk
	interfaces []networkInterface
	cloudInit  *cloudInit
	inputs     []input
	tpm        *tpm
	sshKeys    []string
}

// elements decodes a list; an unknown one counts as empty.
func elements[T any](ctx context.Context, list types.List, diags *diag.Diagnostics) []T {
	if list.IsNull() || list.IsUnknown() {
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
		disks:      elements[disk](ctx, m.Disk, &diags),
		interfaces: elements[networkInterface](ctx, m.NetworkInterface, &diags),
		cloudInit:  first(elements[cloudInit](ctx, m.CloudInit, &diags)),
		inputs:     elements[input](ctx, m.Input, &diags),
		tpm:        first(elements[tpm](ctx, m.TPM, &diags)),
	}
	for _, key := range elements[types.String](ctx, m.SSHKeys, &diags) {
		if known(key) {
			result.sshKeys = append(result.sshKeys, key.ValueString())
		}
	}
	return result, diags
}

// pack puts what was taken apart back into the lists. A list block is never null.
func (m machine) pack(ctx context.Context) diag.Diagnostics {
	var diags diag.Diagnostics
	m.Disk = list(ctx, diskBlock(), m.disks, &diags)
	m.NetworkInterface = list(ctx, networkInterfaceBlock(), m.interfaces, &diags)
	m.CloudInit = list(ctx, cloudInitBlock(), single(m.cloudInit), &diags)
	m.Input = list(ctx, inputBlock(), m.inputs, &diags)
	m.TPM = list(ctx, tpmBlock(), single(m.tpm), &diags)
	return diags
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

func (m *model) title() string {
	return fmt.Sprintf("virtual machine %q", m.Namespace.ValueString()+"/"+m.Name.ValueString())
}

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

// known says that the value is neither null nor unknown.
func known(value attr.Value) bool { return !value.IsNull() && !value.IsUnknown() }

// set says that the string is known and not "", which stands for "not set" in
// configurations for the official provider.
func set(value types.String) bool { return value.ValueString() != "" }

// named returns the disk of that name, nil if there is none.
func named(disks []disk, name string) *disk {
	for i := range disks {
		if disks[i].Name.ValueString() == name {
			return &disks[i]
		}
	}
	return nil
}

func namedInterface(interfaces []networkInterface, name string) *networkInterface {
	for i := range interfaces {
		if interfaces[i].Name.ValueString() == name {
			return &interfaces[i]
		}
	}
	return nil
}
