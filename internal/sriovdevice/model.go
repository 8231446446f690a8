// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sriovdevice

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// what the resource is in messages.
const what = "SR-IOV network device"

var limits = tfbase.Limits{Create: 5 * time.Minute, Read: 2 * time.Minute, Update: 5 * time.Minute, Delete: 5 * time.Minute}

// model is harvester_sriov_network_device as Terraform has it.
type model struct {
	tfbase.ObjectModel
	VirtualFunctions types.Int64  `tfsdk:"virtual_functions"`
	Enabled          types.Bool   `tfsdk:"enabled"`
	NodeName         types.String `tfsdk:"node_name"`
	Address          types.String `tfsdk:"address"`
	VFAddresses      types.Set    `tfsdk:"vf_addresses"`
	VFDeviceNames    types.Set    `tfsdk:"vf_device_names"`
}

func (m *model) title() string { return tfbase.Title(what, m) }

// Fill takes over what the cluster has.
func (m *model) Fill(ctx context.Context, card *api.SRIOVNetworkDevice) (diags diag.Diagnostics) {
	metadata := m.Metadata().Read(card, m.State.IsNull())
	m.Description, m.Tags, m.Labels = metadata.Description, metadata.Tags, metadata.Labels
	m.ID, m.Name = types.StringValue(card.Name), types.StringValue(card.Name)
	m.NodeName, m.Address = types.StringValue(card.Spec.NodeName), types.StringValue(card.Spec.Address)
	m.VirtualFunctions, m.Enabled = types.Int64Value(card.Spec.NumVFs), types.BoolValue(enabled(card))
	m.State, m.Message = types.StringValue(api.CardDisabled), types.StringValue("")
	if enabled(card) {
		m.State = types.StringValue(api.CardEnabled)
	}
	if !settled(card, card.Spec.NumVFs) {
		m.Message = types.StringValue("The agent of the node " + card.Spec.NodeName + " has not set the number of virtual functions.")
	}
	for into, values := range map[*types.Set][]string{&m.VFAddresses: addresses(card), &m.VFDeviceNames: names(card)} {
		set, more := types.SetValueFrom(ctx, types.StringType, values)
		diags.Append(more...)
		*into = set
	}
	return diags
}

func enabled(card *api.SRIOVNetworkDevice) bool { return card.Status.Status == api.CardEnabled }

func addresses(card *api.SRIOVNetworkDevice) []string {
	if !enabled(card) {
		return []string{}
	}
	return slices.Sorted(slices.Values(card.Status.VFAddresses))
}

// names are the devices of the virtual functions. The status keeps those that were.
func names(card *api.SRIOVNetworkDevice) []string {
	if !enabled(card) {
		return []string{}
	}
	return slices.Sorted(slices.Values(card.Status.VFPCIDevices))
}

// settled says that the card has so many virtual functions.
func settled(card *api.SRIOVNetworkDevice, count int64) bool {
	if count == 0 {
		return !enabled(card)
	}
	return enabled(card) && int64(len(card.Status.VFAddresses)) == count
}

func cardSchema() schema.Schema {
	attributes := tfbase.ClusterScoped(what)
	maps.Copy(attributes, map[string]schema.Attribute{
		"name": tfbase.NameOf("Name of the device: that of its node and of its interface, as in `node1-enp3s0f0`.", "A change replaces the resource, not the device."),
		"virtual_functions": tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true, MarkdownDescription: "How many virtual functions the card has. 0 switches SR-IOV off.",
			PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			Validators:    []validator.Int64{int64validator.AtLeast(0)},
		}, "Without it the card is left as it is. Another number than 0 is reached by way of 0, so that no virtual function must be in use."),
		"enabled":   schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the card has virtual functions."},
		"node_name": schema.StringAttribute{Computed: true, MarkdownDescription: "The node that has the card."},
		"address":   schema.StringAttribute{Computed: true, MarkdownDescription: "PCI address of the card."},
		"vf_addresses": schema.SetAttribute{
			Computed: true, ElementType: types.StringType, MarkdownDescription: "PCI addresses of the virtual functions.",
		},
		"vf_device_names": schema.SetAttribute{
			Computed: true, ElementType: types.StringType,
			MarkdownDescription: "Names of the virtual functions as `harvester_pcidevice`. They are known when the card is set up, so a `for_each` over them needs an apply of the card first.",
		},
		"state": schema.StringAttribute{Computed: true, MarkdownDescription: "`" + api.CardEnabled + "` or `" + api.CardDisabled + "`."},
	})
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "The virtual functions (SR-IOV) of one network card of a node. It needs the add-on `pcidevices-controller`. The card itself is there already; the resource sets the " +
			"number of its virtual functions, waits until they can be used as `harvester_pcidevice`, and removes them when it is destroyed, if it was the one that made them. " +
			"Cards that the management network or a VLAN uses are not listed.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

// Stirs names what another number of virtual functions moves; a change of the name, everything.
func (m *model) Stirs(state *model) []string {
	switch {
	case !m.Name.Equal(state.Name):
		return tfbase.Observed(cardSchema())
	case !m.VirtualFunctions.Equal(state.VirtualFunctions):
		return []string{"enabled", "vf_addresses", "vf_device_names", "state", "message"}
	}
	return nil
}
