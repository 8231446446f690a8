// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package clusternetwork is the resource and data source harvester_clusternetwork: the links that networks of virtual
// machines are on. Uplinks (harvester_vlanconfig) make it ready.
package clusternetwork

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_clusternetwork"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, clusterNetwork, *clusterNetwork]{
	TypeName: Type,
	One:      "a cluster network", Short: "cluster network", Instead: ", or refer to that one by name",
	Resource: api.ClusterNetworks, APIKind: api.KindClusterNetwork,
	Schema: networkSchema(), Limits: limits,
	Plan: plan,
	Look: look,
	Offers: func(_ context.Context, _ *session.Session, object *unstructured.Unstructured) (bool, error) {
		return object.GetName() != api.ManagementNetwork, nil
	},
	ListNote: "So is `mgmt`, which every cluster has; it can be imported.",
	Delete:   remove, PlanDelete: planDelete,
	Await: await,
}

var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 2 * time.Minute}

func networkSchema() schema.Schema {
	attributes := tfbase.ClusterScoped("cluster network")
	maps.Copy(attributes, map[string]schema.Attribute{
		"name": tfbase.Advised(schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "Name of the cluster network, at most 12 characters: with `-br` it is the name of a link on each node.",
			PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
			Validators:          []validator.String{tfbase.Name(), Length()},
		}, "A change replaces the cluster network. `mgmt` exists in every cluster: import it."),
		"mtu": tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true,
			MarkdownDescription: "MTU of the cluster network, which is that of its uplinks.",
			Validators:          []validator.Int64{netstate.MTU()},
		}, "Can be set for `mgmt` only: 576 to 9000, or 0 for the default (1500)."),
		"vlan_ids": schema.ListAttribute{
			Computed: true, ElementType: types.Int64Type,
			MarkdownDescription: "VLANs of the networks on it.",
		},
		"vlan_configs": schema.ListAttribute{
			Computed: true, ElementType: types.StringType,
			MarkdownDescription: "The VlanConfigs of it that a node has begun to set up.",
		},
		"nodes": schema.ListAttribute{
			Computed: true, ElementType: types.StringType,
			MarkdownDescription: "The nodes on which an uplink of it is set up.",
		},
		"state": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "`Ready` when networks on it work on at least one node, else `Active`; `Terminating` while it is being deleted.",
		},
	})
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "A cluster network: the links, one bridge on each node, that networks of virtual machines are on. It becomes ready when a " +
			"`harvester_vlanconfig` gives it an uplink on a node, so apply does not wait for that here.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

// Length accepts names that a cluster network can have.
func Length() validator.String {
	return tfbase.Rule("Name too long", "must be short enough for the name of a link", func(name string) []string {
		if len(name) <= api.MaxClusterNetworkName {
			return nil
		}
		return []string{fmt.Sprintf("the name of a cluster network has at most %d characters, and this one has %d", api.MaxClusterNetworkName, len(name))}
	})
}

// plan keeps the MTU that the uplinks give. A configuration that Terraform generated states it, which is no contradiction.
func plan(_ context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	switch {
	case p.State != nil && p.Config.MTU.IsNull():
		p.Plan.MTU = p.State.MTU // nothing that this resource changes changes it
	case p.State == nil || !p.Plan.MTU.Equal(p.State.MTU):
		return p.Config.checkMTU()
	}
	return nil
}

func networksOf(s *session.Session) kube.Resource[clusterNetwork] {
	return kube.For[clusterNetwork](s.Client, api.ClusterNetworks, api.KindClusterNetwork)
}

func look(ctx context.Context, s *session.Session, _, name string, fresh bool) (*clusterNetwork, error) {
	get := networksOf(s).Recent
	if fresh {
		get = networksOf(s).Get
	}
	network, err := get(ctx, "", name)
	if err != nil {
		return nil, err
	}
	uplinks, err := netstate.Statuses(ctx, s.Client, fresh)
	if err != nil {
		return nil, fmt.Errorf("list the uplinks: %w", err)
	}
	network.Uplinks = netstate.Of(uplinks, api.LabelClusterNetwork, name)
	return network, nil
}

// await waits for nothing: uplinks come later. But it looks at those that are there.
func await(ctx context.Context, s *session.Session, plan, _ *model, made *clusterNetwork) (*clusterNetwork, diag.Diagnostics) {
	uplinks, err := netstate.Statuses(ctx, s.Client, true)
	if err != nil {
		return made, diag.Diagnostics{diagnose.API("look at the uplinks of", plan.title(), "What was done to it stays.", err)}
	}
	made.Uplinks = netstate.Of(uplinks, api.LabelClusterNetwork, made.Name)
	return made, nil
}
