// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
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
	if known(m.Start) && known(m.RunStrategy) && m.Start.ValueBool() != m.runs() {
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
		case name == cloudInitDisk && m.cloudInit != nil:
			diags.AddAttributeError(diskPath(i, "name"), "Name reserved",
				fmt.Sprintf("The disk %q carries the cloud-init data and is made from the cloudinit block. Remove this disk block.", name))
		}
		seen[name] = true
		diags.Append(d.validateSource(i)...)
	}
	return diags
}

func (d disk) validateSource(i int) diag.Diagnostics {
	var diags diag.Diagnostics
	first := ""
	for _, source := range []struct {
		attribute string
		value     types.String
	}{{"image", d.Image}, {"existing_volume_name", d.ExistingVolumeName}, {"container_image_name", d.ContainerImageName}} {
		switch {
		case !set(source.value):
		case first != "":
			diags.AddAttributeError(diskPath(i, source.attribute), "Contradicting arguments",
				fmt.Sprintf("A disk has its contents from one place, but both %s and %s are set. Remove one of them.", first, source.attribute))
		default:
			first = source.attribute
		}
	}
	if d.AutoDelete.ValueBool() && set(d.ExistingVolumeName) {
		diags.AddAttributeError(diskPath(i, "auto_delete"), "Volume of others",
			"A volume attached by existing_volume_name is not this machine's own and is never deleted with it. Remove auto_delete.")
	}
	if set(d.VolumeName) && set(d.ExistingVolumeName) && !d.VolumeName.Equal(d.ExistingVolumeName) {
		diags.AddAttributeError(diskPath(i, "volume_name"), "Contradicting arguments",
			"volume_name names a volume to be made, existing_volume_name one to be attached. Remove one of them.")
	}
	return diags
}

func (m machine) validateInterfaces() diag.Diagnostics {
	var diags diag.Diagnostics
	seen := map[string]bool{}
	for i, nic := range m.interfaces {
		name := nic.Name.ValueString()
		if name != "" && seen[name] {
			diags.AddAttributeError(path.Root("network_interface").AtListIndex(i).AtName("name"), "Name used twice",
				fmt.Sprintf("There are two network interfaces %q. Interfaces are told apart by name.", name))
		}
		seen[name] = true
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
	c := m.cloudInit
	at := block.AtListIndex(0)
	diags := oneOf(at, "user data", []choice{{"user_data", c.UserData}, {"user_data_base64", c.UserDataBase64}, {"user_data_secret_name", c.UserDataSecretName}})
	diags.Append(oneOf(at, "network data", []choice{
		{"network_data", c.NetworkData}, {"network_data_base64", c.NetworkDataBase64}, {"network_data_secret_name", c.NetworkDataSecretName},
	})...)
	for _, encoded := range []choice{{"user_data_base64", c.UserDataBase64}, {"network_data_base64", c.NetworkDataBase64}} {
		if _, err := base64.StdEncoding.DecodeString(encoded.value.ValueString()); err != nil {
			diags.AddAttributeError(at.AtName(encoded.attribute), "Invalid base64", "The value is not valid base64. Use Terraform's base64encode(), or give the text as it is.")
		}
	}
	noLogin := !m.SSHKeys.IsUnknown() && len(m.SSHKeys.Elements()) == 0 && !m.Tags.IsUnknown() && m.Tags.Elements()[tagSSHUser] == nil
	if c.empty() && noLogin {
		diags.Append(emptyCloudInit())
	}
	return diags
}

func emptyCloudInit() diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(path.Root("cloudinit"), "Empty cloud-init",
		"The cloudinit block holds neither user data nor network data, and there are no ssh_keys to add. Add data or remove the block.")
}

// empty says that the block holds nothing, and will not.
func (c cloudInit) empty() bool {
	for _, value := range []types.String{
		c.UserData, c.UserDataBase64, c.UserDataSecretName, c.NetworkData, c.NetworkDataBase64, c.NetworkDataSecretName,
	} {
		if value.IsUnknown() || set(value) {
			return false
		}
	}
	return true
}

type choice struct {
	attribute string
	value     types.String
}

// oneOf refuses the second of several ways to say the same.
func oneOf(at path.Path, what string, choices []choice) diag.Diagnostics {
	var diags diag.Diagnostics
	first := ""
	for _, c := range choices {
		switch {
		case !set(c.value):
		case first != "":
			diags.AddAttributeError(at.AtName(c.attribute), "Contradicting arguments",
				fmt.Sprintf("Both %s and %s give %s. Remove one of them.", first, c.attribute, what))
		default:
			first = c.attribute
		}
	}
	return diags
}
