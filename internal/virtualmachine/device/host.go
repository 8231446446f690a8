// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package device

import (
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// HostBlock is the schema of the block host_device.
func HostBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "A device of the node that is passed through to the guest, such as a PCI card. Its passthrough must be enabled in Harvester first. " +
			"A machine with such a device stays on its node.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Name of the device, unique in the machine: that of the PCI device in Harvester, for example `node-1-000004000`.",
			},
			"device_name": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Resource name of the device, for example `nvidia.com/GP104_GEFORCE_GTX_1070`.",
			},
		}},
	}
}

// Host is one block host_device.
type Host struct {
	Name       types.String `tfsdk:"name"`
	DeviceName types.String `tfsdk:"device_name"`
}

func (h Host) is(live kubevirtv1.HostDevice) bool {
	return h.Name.ValueString() == live.Name && h.DeviceName.ValueString() == live.DeviceName
}

// ValidateHosts finds devices that no cluster would take.
func ValidateHosts(hosts []Host, at path.Path) diag.Diagnostics {
	var diags diag.Diagnostics
	seen := map[string]bool{}
	for i, h := range hosts {
		block, name := at.AtListIndex(i), h.Name.ValueString()
		for attribute, value := range map[string]types.String{"name": h.Name, "device_name": h.DeviceName} {
			if !value.IsUnknown() && value.ValueString() == "" {
				diags.AddAttributeError(block, "Incomplete host device", "A host device needs both name and device_name. Set "+attribute+".")
			}
		}
		if name != "" && seen[name] {
			diags.AddAttributeError(block.AtName("name"), "Name used twice", fmt.Sprintf("There are two host devices %q. Remove one of them.", name))
		}
		seen[name] = true
	}
	return diags
}

// HostsOnto writes the devices of the host onto a machine. Of a live one it keeps
// what this resource knows nothing of, such as its tag.
func HostsOnto(devices *kubevirtv1.Devices, hosts []Host) {
	var result []kubevirtv1.HostDevice
	for _, h := range hosts {
		if i := slices.IndexFunc(devices.HostDevices, h.is); i >= 0 {
			result = append(result, devices.HostDevices[i])
			continue
		}
		result = append(result, kubevirtv1.HostDevice{Name: h.Name.ValueString(), DeviceName: h.DeviceName.ValueString()})
	}
	devices.HostDevices = result
}

// ReadHosts lists the devices of the host: those that are known already in their order,
// then the others. One that is there twice, as the official provider's updates leave
// them, counts once.
func ReadHosts(prior []Host, live []kubevirtv1.HostDevice) []Host {
	var hosts []Host
	for _, h := range prior {
		if slices.ContainsFunc(live, h.is) {
			hosts = append(hosts, h)
		}
	}
	for _, device := range live {
		if !slices.ContainsFunc(hosts, func(h Host) bool { return h.is(device) }) {
			hosts = append(hosts, Host{types.StringValue(device.Name), types.StringValue(device.DeviceName)})
		}
	}
	return hosts
}
