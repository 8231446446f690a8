// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package nic is the network_interface block of a virtual machine.
package nic

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// Values of arguments.
const (
	TypeBridge     = "bridge"
	TypeMasquerade = "masquerade"
	ModelMisspelt  = "ne2k_pco"

	modelNE2000 = "ne2k_pci"
	modelVirtio = "virtio"
)

// AnnotationLeases lists, on the template of a machine, the interfaces that are to get an address.
const AnnotationLeases = "harvesterhci.io/waitForLeaseInterfaceNames"

// Block is the schema of the block.
func Block() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "A network interface. Interfaces are told apart by name.",
		Validators:          []validator.List{listvalidator.IsRequired()},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Name of the interface, unique in the machine.",
				Validators:          []validator.String{arg.DeviceName()},
			},
			"type": schema.StringAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: "`bridge` or `masquerade`. If unset: `masquerade` on the management network, else `bridge`. An interface that was attached in another way elsewhere has null here and stays as it is.",
				Validators:          []validator.String{stringvalidator.OneOf(TypeBridge, TypeMasquerade, "")},
			},
			"model": tfbase.Advised(schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(modelVirtio),
				MarkdownDescription: "`virtio`, `e1000`, `e1000e`, `ne2k_pci`, `pcnet` or `rtl8139`.",
				Validators:          []validator.String{stringvalidator.OneOf(modelVirtio, "e1000", "e1000e", "ne2k_pci", ModelMisspelt, "pcnet", "rtl8139")},
			}, "Default: `virtio`. `ne2k_pco`, a misspelling in the official provider, is taken as `ne2k_pci`."),
			"mac_address": schema.StringAttribute{
				Optional: true, Computed: true,
				MarkdownDescription: "MAC address; its spelling (case, `:` or `-`) does not count. If unset, the cluster gives one, and the interface keeps it.",
				Validators:          []validator.String{arg.EmptyOr(macAddress())},
			},
			"ip_address": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Address the interface has, IPv4 if there is one; link-local ones do not count. Null while there is none.",
			},
			"interface_name": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "Name of the interface in the guest, if the guest agent tells.",
			},
			"wait_for_lease": tfbase.Advised(schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Wait until the interface has an address. On any but the management network this needs the QEMU guest agent in the guest.",
			}, "Default: `false`."),
			"network_name": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Network to attach to: `harvester_network.<name>.id`, that is `namespace/name`. The management network if unset.",
			},
			"boot_order": schema.Int64Attribute{
				Optional:            true,
				MarkdownDescription: "Place in the boot order, from 1, unique among disks and network interfaces.",
				Validators:          []validator.Int64{int64validator.AtLeast(0)},
			},
		}},
	}
}

// Interface is one block.
type Interface struct {
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

// Named returns the interface of that name, nil if there is none.
func Named(interfaces []Interface, name string) *Interface {
	for i := range interfaces {
		if interfaces[i].Name.ValueString() == name {
			return &interfaces[i]
		}
	}
	return nil
}

// BindingManagedTap is the network binding Harvester uses for DHCP on overlay networks.
const BindingManagedTap = "managedtap"

// Managed says that the interface is on the management network, as far as that is known.
func (n Interface) Managed() bool { return !n.NetworkName.IsUnknown() && !arg.Set(n.NetworkName) }

// Validate finds what KubeVirt would not take in the interface, which is at that path
// (pkg/network/admitter/binding.go, validateMasqueradeBinding).
func (n Interface) Validate(at path.Path) diag.Diagnostics {
	masqueraded := n.Type.ValueString() == TypeMasquerade
	switch {
	case masqueraded && arg.Set(n.NetworkName):
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at.AtName("type"), "Type not possible on this network",
			fmt.Sprintf("A masquerade is possible on the management network only; network_name is %q. Set type to bridge, or remove it.", n.NetworkName.ValueString()))}
	case sameMAC(n.MACAddress.ValueString(), reservedMAC) && (masqueraded || !n.Type.IsUnknown() && !arg.Set(n.Type) && n.Managed()):
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at.AtName("mac_address"), "MAC address reserved",
			fmt.Sprintf("KubeVirt uses %s itself behind a masquerade. Choose another, for example one that begins with 52:54:00.", reservedMAC))}
	}
	return nil
}

func macAddress() validator.String {
	return tfbase.Rule("Invalid MAC address", "must be a MAC address", func(value string) []string {
		if parseMAC(value) == nil {
			return []string{"expected six bytes, as in 52:54:00:12:34:56"}
		}
		return nil
	})
}
