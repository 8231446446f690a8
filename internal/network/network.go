// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package network is the resource and data source harvester_network: a network that virtual machines are attached to, in
// a VLAN of a cluster network.
package network

import (
	"context"
	"fmt"
	"maps"
	"net"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_network"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, api.Network, *api.Network]{
	TypeName: Type,
	One:      "a network", Short: "network", Instead: ", or refer to that one with a data source",
	Resource: api.Networks, APIKind: api.KindNetwork,
	Schema: networkSchema(), Limits: limits,
	Omit:     []string{"wait_for_route"},
	Validate: validate,
	Plan:     plan,
	Check:    check,
	Replaces: (*model).replaces, Stirs: (*model).stirs,
	Intent: func(wanted *api.Network) []any {
		conf, _ := parse(wanted.Spec.Config) // it was checked
		return []any{conf.string(keyType), conf.string(keyBridge)}
	},
	Send: send, Change: change,
	Delete:    remove,
	Await:     await,
	Elsewhere: elsewhere,
}

// limits are those of the official provider.
var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 5 * time.Minute}

func networkSchema() schema.Schema {
	attributes := tfbase.Namespaced("network")
	maps.Copy(attributes, layerTwo())
	maps.Copy(attributes, routing())
	attributes["state"] = schema.StringAttribute{
		Computed:            true,
		MarkdownDescription: "`Ready` when its cluster network is ready and its gateway is no trouble, else `Active`; `Terminating` while it is being deleted.",
	}
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "A network that virtual machines are attached to: a VLAN of a cluster network. Apply waits until it is ready, which takes an uplink " +
			"(`harvester_vlanconfig`) of the cluster network on a node; `mgmt` has one.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

func layerTwo() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"vlan_id": tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true,
			MarkdownDescription: "The VLAN, 1 to 4094; `0` means untagged.",
			Validators:          []validator.Int64{int64validator.Between(0, 4094)},
		}, "Required without `config`. It can change while no running virtual machine is attached."),
		"cluster_network_name": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "The cluster network that the network is on.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplace()},
			Validators:          []validator.String{stringvalidator.LengthBetween(1, api.MaxClusterNetworkName)},
		}, "Required without `config`. A change replaces the network."),
		"config": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "The whole configuration for the CNI plugin, as JSON. The order of its keys does not count, nor does `mtu`, which the server takes from the cluster network.",
			PlanModifiers:       []planmodifier.String{otherBridge()},
			Validators:          []validator.String{jsonObject()},
		}, "For networks that `vlan_id` and `cluster_network_name` cannot describe, such as trunks (`vlanTrunk`). A change of `type` or `bridge` replaces the network."),
		"type": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "`L2VlanNetwork`, `UntaggedNetwork`, `L2VlanTrunkNetwork` or `OverlayNetwork`.",
		},
		"mtu":   schema.Int64Attribute{Computed: true, MarkdownDescription: "MTU of the network, which is that of its cluster network."},
		"ready": schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether its cluster network is ready."},
	}
}

func routing() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"route_mode": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(api.RouteAuto),
			MarkdownDescription: "How the addresses in the VLAN are known: `auto` asks its DHCP server, `manual` takes `route_cidr` and `route_gateway`.",
			Validators:          []validator.String{stringvalidator.OneOf(api.RouteAuto, api.RouteManual)},
		}, "Default: `auto`."),
		"route_dhcp_server_ip": tfbase.Advised(schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "The DHCP server to ask.",
			Validators:          []validator.String{address()},
		}, "For `auto`, where there are several."),
		"route_cidr": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "The addresses in the VLAN, as in `192.168.10.0/24`. In the mode `auto`: as the DHCP server said, once it has.",
			Validators:          []validator.String{subnet()},
		}, "Required for `manual`."),
		"route_gateway": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "The gateway in the VLAN. In the mode `auto`: as the DHCP server said, once it has.",
			Validators:          []validator.String{address()},
		}, "Required for `manual`."),
		"route_connectivity": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "Whether the gateway answers: `true`, `false`, `DHCP failed`, `ping failed`, or empty while that is not known.",
		},
		"wait_for_route": tfbase.Advised(schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(false),
			MarkdownDescription: "Whether apply waits until it is known whether the gateway answers, and fails if it does not.",
		}, "Default: `false`. Has no effect on untagged networks."),
	}
}

func jsonObject() validator.String {
	return tfbase.Rule("Invalid configuration", "must be a JSON object", func(text string) []string {
		if text == "" {
			return nil // as good as none
		}
		if _, err := parse(text); err != nil {
			return []string{strings.TrimSuffix(err.Error(), ".")}
		}
		return nil
	})
}

// subnet accepts what the server does: bits behind the mask may be set (pkg/utils/nad.go in its source).
func subnet() validator.String {
	return tfbase.Rule("Invalid CIDR", "must be a CIDR such as 192.168.10.0/24", func(text string) []string {
		if text == "" {
			return nil
		}
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			return []string{"expected addresses in CIDR notation, for example 192.168.10.0/24"}
		}
		if ones, _ := network.Mask.Size(); ones == 0 {
			return []string{"the mask must not be 0"}
		}
		return nil
	})
}

func address() validator.String {
	return tfbase.Rule("Invalid address", "must be an IP address", func(text string) []string {
		if text == "" || net.ParseIP(text) != nil {
			return nil
		}
		return []string{"expected an IP address, for example 192.168.10.1"}
	})
}

// otherBridge replaces the network where its configuration names another bridge or plugin: the server allows no such change.
func otherBridge() planmodifier.String {
	const description = "A change of type or bridge replaces the network."
	return stringplanmodifier.RequiresReplaceIf(func(_ context.Context, req planmodifier.StringRequest, resp *stringplanmodifier.RequiresReplaceIfFuncResponse) {
		had, err := parse(req.StateValue.ValueString())
		wanted, wrong := parse(req.PlanValue.ValueString())
		if req.PlanValue.IsUnknown() || err != nil || wrong != nil {
			return
		}
		resp.RequiresReplace = had.string(keyBridge) != wanted.string(keyBridge) || had.bridged() != wanted.bridged()
	}, description, description)
}

func networksOf(s *session.Session) kube.Resource[api.Network] {
	return kube.For[api.Network](s.Client, api.Networks, api.KindNetwork)
}

// send is patient with a webhook that has not noticed a new cluster network.
func send(ctx context.Context, _ *session.Session, request func() (*api.Network, error)) (*api.Network, error) {
	return netstate.Patiently(ctx, netstate.Lag, netstate.Unnoticed, request)
}

// elsewhere names networks of that name in other namespaces: to forget the namespace is the most common mistake.
func elsewhere(ctx context.Context, s *session.Session, namespace, name string) string {
	networks, err := networksOf(s).List(ctx, "", "")
	var found []string
	for _, network := range networks {
		if network.Name == name && network.Namespace != namespace {
			found = append(found, network.Namespace)
		}
	}
	if err != nil || len(found) == 0 {
		return ""
	}
	return fmt.Sprintf("There is a network of that name in: %s. Set namespace.", strings.Join(found, ", "))
}
