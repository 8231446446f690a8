// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package pcidevice

import (
	"context"
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/boolplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Values of state, as the official provider has them.
const (
	stateEnabled  = "passthrough_enabled"
	stateDisabled = "passthrough_disabled"
)

// what the resource is in messages.
const what = "PCI device"

var limits = tfbase.Limits{Create: 5 * time.Minute, Read: 2 * time.Minute, Update: 5 * time.Minute, Delete: 5 * time.Minute}

// model is harvester_pcidevice as Terraform has it.
type model struct {
	tfbase.ObjectModel
	PassthroughEnabled types.Bool   `tfsdk:"passthrough_enabled"`
	Address            types.String `tfsdk:"address"`
	NodeName           types.String `tfsdk:"node_name"`
	VendorID           types.String `tfsdk:"vendor_id"`
	DeviceID           types.String `tfsdk:"device_id"`
	ClassID            types.String `tfsdk:"class_id"`
	DeviceDescription  types.String `tfsdk:"device_description"`
	IOMMUGroup         types.String `tfsdk:"iommu_group"`
	IOMMUGroupDevices  types.List   `tfsdk:"iommu_group_devices"`
	KernelDriverInUse  types.String `tfsdk:"kernel_driver_in_use"`
	ResourceName       types.String `tfsdk:"resource_name"`
}

func (m *model) title() string { return tfbase.Title(what, m) }

// sight is a device with what there is about it.
type sight struct {
	device *api.PCIDevice
	// claim is nil if the device is not passed through, nor being so.
	claim *api.PCIDeviceClaim
	// group are the names of the other devices of its IOMMU group.
	group []string
}

// claimed says that the device is, or is about to be, passed through.
func (s *sight) claimed() bool { return s.claim != nil && s.claim.DeletionTimestamp == nil }

// Fill takes over what the cluster has. Description, tags and labels are those of the claim; without one they stay as configured.
func (m *model) Fill(ctx context.Context, s *sight) diag.Diagnostics {
	imported := m.State.IsNull()
	if s.claimed() {
		metadata := m.Metadata().Read(s.claim, imported)
		m.Description, m.Tags, m.Labels = metadata.Description, metadata.Tags, metadata.Labels
	}
	status := s.device.Status
	m.ID, m.Name = types.StringValue(s.device.Name), types.StringValue(s.device.Name)
	m.PassthroughEnabled = types.BoolValue(s.claimed())
	m.State, m.Message = types.StringValue(stateDisabled), types.StringValue("")
	switch {
	case s.claimed() && s.claim.Status.PassthroughEnabled:
		m.State = types.StringValue(stateEnabled)
	case s.claimed():
		m.Message = types.StringValue("The agent of the node " + status.NodeName + " has not passed the device through yet.")
	case s.claim != nil:
		m.Message = types.StringValue("The agent of the node " + status.NodeName + " has not given the device back to its driver yet.")
	}
	for into, text := range map[*types.String]string{
		&m.Address: status.Address, &m.NodeName: status.NodeName, &m.VendorID: status.VendorID, &m.DeviceID: status.DeviceID, &m.ClassID: status.ClassID,
		&m.DeviceDescription: status.Description, &m.IOMMUGroup: status.IOMMUGroup, &m.KernelDriverInUse: status.KernelDriverInUse, &m.ResourceName: status.ResourceName,
	} {
		*into = types.StringValue(text)
	}
	list, diags := types.ListValueFrom(ctx, types.StringType, append([]string{}, s.group...))
	m.IOMMUGroupDevices = list
	return diags
}

func deviceSchema() schema.Schema {
	attributes := tfbase.ClusterScoped(what)
	text := func(what string) schema.Attribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: what}
	}
	maps.Copy(attributes, map[string]schema.Attribute{
		"name": tfbase.NameOf("Name of the device: that of its node, and its address without `:` and `.`, as in `node1-000001000`.", "A change replaces the resource, not the device."),
		"passthrough_enabled": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, MarkdownDescription: "Whether the device is passed through, so that virtual machines can use it.",
			PlanModifiers: []planmodifier.Bool{boolplanmodifier.UseStateForUnknown()},
		}, "Without it the device is left as it is."),
		"address":            text("PCI address, as in `0000:01:00.0`."),
		"node_name":          text("The node that has the device."),
		"vendor_id":          text("Id of the vendor, as in `10de`."),
		"device_id":          text("Id of the model."),
		"class_id":           text("Id of the class, as in `0300`."),
		"device_description": text("What the device is."),
		"iommu_group":        text("The IOMMU group of the device on its node; empty if it has none, so that it cannot be passed through."),
		"iommu_group_devices": schema.ListAttribute{
			Computed: true, ElementType: types.StringType,
			MarkdownDescription: "The other devices of its IOMMU group. They go to the same virtual machine: Harvester passes them through as well when a machine lists this one.",
		},
		"kernel_driver_in_use": text("The driver that the device has now; `vfio-pci` while it is passed through."),
		"resource_name":        text("What a virtual machine asks for (`device_name` of its `host_device`). All devices of one model share it."),
		"state":                text("`passthrough_enabled` when virtual machines can use the device, else `passthrough_disabled`."),
	})
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "The passthrough of one PCI device of a node. It needs the add-on `pcidevices-controller`. The device itself is there already; the resource switches " +
			"its passthrough, waits until the node has done so, and switches it off again when it is destroyed, if it was the one that switched it on. " +
			"Description, tags and labels are those of the claim that the passthrough is in the cluster.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

// Stirs names what the change of the passthrough moves; a change of the name, everything.
func (m *model) Stirs(state *model) []string {
	switch {
	case !m.Name.Equal(state.Name):
		return tfbase.Observed(deviceSchema())
	case !m.PassthroughEnabled.Equal(state.PassthroughEnabled):
		return []string{"kernel_driver_in_use", "state", "message"}
	}
	return nil
}
