// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
)

// ValidateConfig finds contradictions that need no cluster. Unknown values may
// still turn out right.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	m, diags := config.machine(ctx)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(m.validateOperation()...)
	resp.Diagnostics.Append(m.validateDisks()...)
	resp.Diagnostics.Append(m.validateInterfaces()...)
	resp.Diagnostics.Append(m.validateCloudInit()...)
	resp.Diagnostics.Append(device.ValidateHosts(m.hosts, path.Root("host_device"))...)
	resp.Diagnostics.Append(m.validateRequests()...)
	resp.Diagnostics.Append(m.validateGrowth()...)
	resp.Diagnostics.Append(m.validateBootOrder()...)
	resp.Diagnostics.Append(m.placement.Validate()...)
}

// validateBootOrder: KubeVirt has each place once, among disks and network interfaces
// (pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go, validateBootOrder).
func (m machine) validateBootOrder() diag.Diagnostics {
	var diags diag.Diagnostics
	taken := map[int64]string{}
	claim := func(block string, i int, name types.String, order types.Int64) {
		place := order.ValueInt64()
		if place == 0 {
			return
		}
		if holder, found := taken[place]; found {
			diags.AddAttributeError(path.Root(block).AtListIndex(i).AtName("boot_order"), "Boot order used twice",
				fmt.Sprintf("The place %d in the boot order is that of %s already. Give each disk and network interface a place of its own, or none.", place, holder))
			return
		}
		taken[place] = fmt.Sprintf("%s %q", strings.ReplaceAll(block, "_", " "), name.ValueString())
	}
	for i, d := range m.disks {
		claim("disk", i, d.Name, d.BootOrder)
	}
	for i, n := range m.interfaces {
		claim("network_interface", i, n.Name, n.BootOrder)
	}
	return diags
}

func (m machine) validateOperation() diag.Diagnostics {
	var diags diag.Diagnostics
	if m.SecureBoot.ValueBool() && !m.EFI.IsUnknown() && !m.EFI.ValueBool() {
		diags.AddAttributeError(path.Root("secure_boot"), "Secure boot needs EFI", "A machine with BIOS cannot check what it boots. Set efi = true too.")
	}
	if m.IsolateEmulatorThread.ValueBool() && !m.CPUPinning.IsUnknown() && !m.CPUPinning.ValueBool() {
		diags.AddAttributeError(path.Root("isolate_emulator_thread"), "Isolation needs CPU pinning",
			"The emulator can have a CPU for itself only if the machine has. Set cpu_pinning = true too.")
	}
	if arg.Known(m.Start) && arg.Known(m.RunStrategy) && m.Start.ValueBool() != m.runs() {
		diags.AddAttributeError(path.Root("start"), "Contradicting arguments",
			fmt.Sprintf("start = %t contradicts run_strategy = %q. Remove start, which is deprecated.", m.Start.ValueBool(), m.RunStrategy.ValueString()))
	}
	return diags
}

func (m machine) validateDisks() diag.Diagnostics {
	var diags diag.Diagnostics
	seen := map[string]bool{}
	for i, d := range m.disks {
		name := d.Name.ValueString()
		switch {
		case name == "":
		case seen[name]:
			diags.AddAttributeError(diskPath(i, "name"), "Name used twice", fmt.Sprintf("There are two disks %q. Disks are told apart by name.", name))
		case name == cloudinit.DiskName && m.cloudInit != nil:
			diags.AddAttributeError(diskPath(i, "name"), "Name reserved",
				fmt.Sprintf("The disk %q carries the cloud-init data and is made from the cloudinit block. Remove this disk block.", name))
		}
		seen[name] = true
		diags.Append(d.Validate(path.Root("disk").AtListIndex(i))...)
	}
	return diags
}

func (m machine) validateInterfaces() diag.Diagnostics {
	var diags diag.Diagnostics
	seen, managed := map[string]bool{}, ""
	for i, n := range m.interfaces {
		block, name := path.Root("network_interface").AtListIndex(i), n.Name.ValueString()
		if name != "" && seen[name] {
			diags.AddAttributeError(block.AtName("name"), "Name used twice",
				fmt.Sprintf("There are two network interfaces %q. Interfaces are told apart by name.", name))
			continue
		}
		seen[name] = true
		diags.Append(n.Validate(block)...)
		switch {
		case !n.Managed():
		case managed != "":
			// KubeVirt: pkg/network/admitter/netsource.go, validateSinglePodNetwork.
			diags.AddAttributeError(block.AtName("network_name"), "Two interfaces on the management network",
				fmt.Sprintf("The network interfaces %q and %q name no network, which means the management network. A machine has at most one interface there. "+
					"Set network_name for one of them, or remove it.", managed, name))
		default:
			managed = name
		}
	}
	return diags
}

func (m machine) validateCloudInit() diag.Diagnostics {
	block := path.Root("cloudinit")
	if m.cloudInit == nil {
		if len(m.sshKeys) > 0 && !m.CloudInit.IsUnknown() {
			return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("ssh_keys"), "SSH keys need cloud-init",
				"Keys reach the guest by cloud-init, and there is no cloudinit block. Add one; it may be empty: cloudinit {}.")}
		}
		return nil
	}
	diags := m.cloudInit.Validate(block.AtListIndex(0))
	noLogin := !m.SSHKeys.IsUnknown() && len(m.SSHKeys.Elements()) == 0 && !m.Tags.IsUnknown() && m.Tags.Elements()[tagSSHUser] == nil
	if m.cloudInit.Empty() && noLogin {
		diags.Append(emptyCloudInit())
	}
	return diags
}

func emptyCloudInit() diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("cloudinit"), "Empty cloud-init",
		"The cloudinit block holds neither user data nor network data, and there are no ssh_keys to add. Add data or remove the block.")
}
