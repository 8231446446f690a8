// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package vlanconfig is the resource and data source harvester_vlanconfig: the uplink of a cluster network on a set of
// nodes. Apply waits until every node has set it up.
package vlanconfig

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_vlanconfig"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, config, *config]{
	TypeName: Type,
	One:      "a VlanConfig", Short: "VlanConfig",
	Resource: api.VlanConfigs, APIKind: api.KindVlanConfig,
	Schema: configSchema(), Limits: limits,
	Plan:   plan,
	Check:  check,
	Stirs:  (*model).stirs,
	Look:   look,
	Send:   send,
	Delete: remove,
	Await:  await,
}

// limits are those of the official provider: bonds take a while.
var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 5 * time.Minute}

var bondModes = []string{"balance-rr", defaultMode, "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}

func configSchema() schema.Schema {
	attributes := tfbase.ClusterScoped("VlanConfig")
	maps.Copy(attributes, map[string]schema.Attribute{
		"cluster_network_name": tfbase.Advised(schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "The cluster network that the uplink is for.",
			Validators:          []validator.String{clusterNetworkName()},
		}, "Not `mgmt`. A change moves the uplink, in place."),
		"node_selector": tfbase.Advised(schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "Labels of the nodes that it is for, as in `\"kubernetes.io/hostname\" = \"node-1\"`.",
		}, "Without it these are all nodes but witness nodes."),
		"matched_nodes": schema.ListAttribute{
			Computed: true, ElementType: types.StringType,
			MarkdownDescription: "The nodes that have these labels, sorted.",
		},
		"nodes": schema.ListAttribute{
			Computed: true, ElementType: nodeType,
			MarkdownDescription: "How it is doing on each node: `name`, `ready` and `message`.",
		},
		"state": schema.StringAttribute{
			Computed: true,
			MarkdownDescription: "`Ready` when it is set up on all matched nodes, `Degraded` on some, `Failed` on none, `Pending` before that, " +
				"`Terminating` while it is being deleted.",
		},
	})
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "The uplink of a cluster network on a set of nodes: a bond of their network cards. Apply waits until every node has set it up, " +
			"and fails with what a node says if it cannot.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"uplink": uplinkBlock(), "timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

func uplinkBlock() schema.Block {
	return schema.ListNestedBlock{
		MarkdownDescription: "The bond. There is exactly one.",
		Validators:          []validator.List{listvalidator.IsRequired(), listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"nics": tfbase.Advised(schema.ListAttribute{
				Required: true, ElementType: types.StringType,
				MarkdownDescription: "The network cards, by name. Each matched node must have all of them.",
				Validators:          []validator.List{listvalidator.SizeAtLeast(1), listvalidator.UniqueValues()},
			}, "With `active-backup` the first one is preferred."),
			"bond_mode": tfbase.Advised(schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(defaultMode),
				MarkdownDescription: "How the cards work together: `" + strings.Join(bondModes, "`, `") + "`.",
				Validators:          []validator.String{stringvalidator.OneOf(bondModes...)},
			}, "Default: `"+defaultMode+"`."),
			"bond_miimon": tfbase.Advised(schema.Int64Attribute{
				Optional: true, Computed: true, Default: int64default.StaticInt64(defaultMiimon),
				MarkdownDescription: "How often the cards are looked at, in milliseconds. `0` switches that off, `-1` means the server's default (100).",
				Validators:          []validator.Int64{int64validator.AtLeast(-1)},
			}, "Default: `-1`."),
			"mtu": tfbase.Advised(schema.Int64Attribute{
				Optional: true, Computed: true,
				MarkdownDescription: "MTU of the bond, 576 to 9000; `0` means 1500. It is that of the whole cluster network, so all VlanConfigs of it have the same.",
				Validators:          []validator.Int64{netstate.MTU()},
			}, "Default: `0`."),
		}},
	}
}

// clusterNetworkName accepts names of cluster networks that can have an uplink of their own.
func clusterNetworkName() validator.String {
	return tfbase.Rule("Invalid cluster network", "must be a cluster network other than mgmt", func(name string) []string {
		switch {
		case name == "":
			return []string{"it is empty"}
		case name == api.ManagementNetwork:
			return []string{"the uplink of the management network belongs to the cluster itself"}
		case len(name) > api.MaxClusterNetworkName:
			return []string{fmt.Sprintf("the name of a cluster network has at most %d characters, and this one has %d", api.MaxClusterNetworkName, len(name))}
		}
		return nil
	})
}

func configsOf(s *session.Session) kube.Resource[config] {
	return kube.For[config](s.Client, api.VlanConfigs, api.KindVlanConfig)
}

func look(ctx context.Context, s *session.Session, _, name string, fresh bool) (*config, error) {
	get := configsOf(s).Recent
	if fresh {
		get = configsOf(s).Get
	}
	c, err := get(ctx, "", name)
	if err != nil {
		return nil, err
	}
	return c, sight(ctx, s, c, fresh)
}

// sight looks at what the nodes say.
func sight(ctx context.Context, s *session.Session, c *config, fresh bool) error {
	statuses, err := netstate.Statuses(ctx, s.Client, fresh)
	if err != nil {
		return fmt.Errorf("list what the nodes say: %w", err)
	}
	c.Statuses = netstate.Of(statuses, api.LabelVlanConfig, c.Name)
	return nil
}

// send is patient with a webhook that has not noticed a new cluster network.
func send(ctx context.Context, _ *session.Session, request func() (*config, error)) (*config, error) {
	return netstate.Patiently(ctx, netstate.Lag, netstate.Unnoticed, request)
}
