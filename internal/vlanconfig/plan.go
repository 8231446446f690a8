// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package vlanconfig

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/netstate"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// plan fills in what follows from the configuration: the MTU, where none is given, and the nodes.
func plan(ctx context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	diags := planMTU(ctx, p)
	if p.Session == nil || !tfbase.Known(p.Plan.NodeSelector) || p.State != nil && p.Plan.NodeSelector.Equal(p.State.NodeSelector) {
		return diags // the server keeps the nodes up to date
	}
	nodes, err := matching(ctx, p.Session, p.Plan.selector())
	if err != nil {
		return diags // apply sees them
	}
	if len(nodes) == 0 && p.State != nil {
		p.Plan.MatchedNodes = p.State.MatchedNodes // the server keeps the old ones then
		return diags
	}
	var more diag.Diagnostics
	p.Plan.MatchedNodes, more = types.ListValueFrom(ctx, types.StringType, nodes)
	return append(diags, more...)
}

// stirs names what a change of the uplink moves.
func (m *model) stirs(state *model) []string {
	if m.Uplink.Equal(state.Uplink) && m.NodeSelector.Equal(state.NodeSelector) && m.ClusterNetworkName.Equal(state.ClusterNetworkName) {
		return nil
	}
	return []string{"state", "message", "nodes"}
}

// planMTU plans the MTU where the configuration has none: the default, as it is spelt already if it is.
func planMTU(ctx context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	if p.Config.Uplink.IsUnknown() || p.Plan.Uplink.IsUnknown() {
		return nil
	}
	config, diags := p.Config.uplink(ctx)
	planned, more := p.Plan.uplink(ctx)
	if diags.Append(more...); diags.HasError() || !config.MTU.IsNull() || planned.NICs.IsNull() {
		return diags
	}
	planned.MTU = types.Int64Value(0)
	if p.State != nil {
		had, more := p.State.uplink(ctx)
		diags.Append(more...)
		if netstate.EffectiveMTU(had.MTU.ValueInt64()) == api.DefaultMTU && !had.MTU.IsNull() {
			planned.MTU = had.MTU
		}
	}
	p.Plan.Uplink, more = types.ListValueFrom(ctx, uplinkType, []uplink{planned})
	return append(diags, more...)
}

// matching are the nodes with these labels that a VlanConfig is for, sorted, as the webhook finds them
// (pkg/webhook/vlanconfig/mutator.go).
func matching(ctx context.Context, s *session.Session, selector map[string]string) ([]string, error) {
	nodes, err := kube.For[corev1.Node](s.Client, api.Nodes, "Node").RecentAll(ctx, "")
	if err != nil {
		return nil, err
	}
	return matchingOf(nodes, selector), nil
}

func matchingOf(nodes []corev1.Node, selector map[string]string) []string {
	names := []string{}
	for _, node := range nodes {
		if node.DeletionTimestamp == nil && node.Labels[api.LabelWitness] != "true" && labels.SelectorFromSet(selector).Matches(labels.Set(node.Labels)) {
			names = append(names, node.Name)
		}
	}
	slices.Sort(names)
	return names
}

// check is what apply would refuse as things are. The server's own webhooks have the last word, by a request that
// stores nothing.
func check(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	var diags diag.Diagnostics
	there := true
	if c.State == nil || !c.Plan.ClusterNetworkName.Equal(c.State.ClusterNetworkName) {
		there, diags = netstate.CheckClusterNetwork(ctx, c.Session, c.Plan.ClusterNetworkName, c.Applying)
	}
	if diags.HasError() {
		return diags
	}
	if tfbase.Known(c.Plan.NodeSelector, c.Plan.Uplink) {
		diags.Append(checkNodes(ctx, c)...)
	}
	if c.Applying || diags.HasError() || !there || !c.Plan.known() {
		return diags
	}
	return append(diags, rehearse(ctx, c)...)
}

// known says that all that the server would be told is known.
func (m *model) known() bool {
	return tfbase.Known(m.Name, m.Description, m.Labels, m.Tags, m.ClusterNetworkName, m.NodeSelector, m.Uplink)
}

// checkNodes looks whether the nodes are still those of the plan, and have the cards.
func checkNodes(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	nodes, err := matching(ctx, c.Session, c.Plan.selector())
	if err != nil {
		return c.Unchecked(err)
	}
	if len(nodes) == 0 {
		return unmatchedNow(ctx, c)
	}
	if c.Applying && !c.Plan.MatchedNodes.IsUnknown() && (c.State == nil || !c.Plan.NodeSelector.Equal(c.State.NodeSelector)) {
		if now, _ := types.ListValueFrom(ctx, types.StringType, nodes); !now.Equal(c.Plan.MatchedNodes) {
			return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("node_selector"), "Nodes have changed", fmt.Sprintf(
				"Since the plan was made, the nodes that match have changed to %s.\n\n%s\n\nPlan again.", strings.Join(nodes, ", "), c.Left()))}
		}
	}
	block, diags := c.Plan.uplink(ctx)
	if c.Applying || c.State != nil && c.Plan.Uplink.Equal(c.State.Uplink) && c.Plan.NodeSelector.Equal(c.State.NodeSelector) {
		return diags
	}
	monitor, err := kube.For[api.LinkMonitor](c.Session.Client, api.LinkMonitors, api.KindLinkMonitor).Recent(ctx, "", api.LinkMonitorCards)
	if err != nil {
		return append(diags, c.Unchecked(err)...)
	}
	had := []string{}
	if c.State != nil {
		before, _ := c.State.uplink(ctx)
		had = before.nics()
	}
	return append(diags, checkCards(monitor.Status.LinkStatus, nodes, block.nics(), had)...)
}

// unmatchedNow warns before anything is done, and names the nodes if the selector names one that does not exist.
func unmatchedNow(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	if c.Applying { // await says it then
		return nil
	}
	detail := "No node has these labels, so nothing would be set up."
	if c.State != nil {
		detail = "No node has these labels. The server then keeps the nodes that it had."
	}
	if name, named := c.Plan.selector()[corev1.LabelHostname]; named {
		if all, err := matching(ctx, c.Session, nil); err == nil && !slices.Contains(all, name) {
			detail += fmt.Sprintf(" There is no node %q; the nodes are: %s.", name, strings.Join(all, ", "))
		}
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("node_selector"), "No node matches", detail)}
}

// checkCards looks for the cards on the nodes. One that no node has is a mistake; the rest may be meant. Those that the
// uplink has already are in use by it.
func checkCards(links map[string][]api.LinkStatus, nodes, nics, had []string) (diags diag.Diagnostics) {
	at := path.Root("uplink")
	for _, nic := range nics {
		var missing, down, used []string
		for _, node := range nodes {
			cards, watched := links[node]
			i := slices.IndexFunc(cards, func(card api.LinkStatus) bool { return card.Name == nic })
			switch {
			case !watched: // nothing is known of the node
			case i < 0:
				missing = append(missing, node)
			case cards[i].State == "down":
				down = append(down, node)
			case cards[i].MasterIndex != 0 && !slices.Contains(had, nic):
				used = append(used, node)
			}
		}
		switch {
		case len(missing) == len(nodes):
			diags.AddAttributeError(at, "No such network card", fmt.Sprintf("None of the matched nodes has a network card %q. %s", nic, available(links, nodes)))
		case len(missing) > 0:
			diags.AddAttributeWarning(at, "Network card missing on some nodes", fmt.Sprintf(
				"The network card %q is missing on %s, so the uplink cannot be set up there. Choose the nodes with node_selector.", nic, strings.Join(missing, ", ")))
		}
		if len(down) > 0 {
			diags.AddAttributeWarning(at, "Network card without a link", fmt.Sprintf("The network card %q is down on %s.", nic, strings.Join(down, ", ")))
		}
		if len(used) > 0 {
			diags.AddAttributeWarning(at, "Network card in use", fmt.Sprintf(
				"The network card %q is part of another bond or bridge on %s already, so the uplink can be set up there only once it is free.", nic, strings.Join(used, ", ")))
		}
	}
	return diags
}

// available names the cards that are free on all of the nodes.
func available(links map[string][]api.LinkStatus, nodes []string) string {
	var free []string
	for _, card := range links[nodes[0]] {
		everywhere := !slices.ContainsFunc(nodes, func(node string) bool {
			return !slices.ContainsFunc(links[node], func(other api.LinkStatus) bool { return other.Name == card.Name && other.MasterIndex == 0 })
		})
		if everywhere {
			free = append(free, card.Name)
		}
	}
	if len(free) == 0 {
		return "No card is free on all of them."
	}
	return "Free on all of them: " + strings.Join(free, ", ") + "."
}

// rehearse lets the server's own webhooks judge, by a request that stores nothing.
func rehearse(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	diags, err := rehearsal(ctx, c)
	if err == nil || diags.HasError() || !kube.Refused(err) {
		return append(diags, c.Unchecked(err)...)
	}
	said := diagnose.Said(err)
	if c.State == nil && (strings.Contains(said, "overlaps") || strings.Contains(said, "need to have same MTU")) {
		diags.AddAttributeWarning(path.Root("node_selector"), "In the way of another VlanConfig", said+
			" That is well if this run removes or changes the other one first; else apply will be refused.")
		return diags
	}
	return append(diags, diagnose.API("plan", c.Plan.title(), "The cluster was asked without changing anything.", err))
}

func rehearsal(ctx context.Context, c *tfbase.Checking[*model]) (diag.Diagnostics, error) {
	if c.State == nil {
		wanted, diags := tfbase.Wanted[model, config](ctx, c.Plan)
		if diags.HasError() {
			return diags, nil
		}
		return diags, configsOf(c.Session).DryRunCreate(ctx, "", wanted)
	}
	patch, diags := tfbase.Changes[model, config](ctx, c.Plan, c.State)
	if diags.HasError() || len(patch) == 0 {
		return diags, nil
	}
	return diags, configsOf(c.Session).DryRunPatch(ctx, "", c.Plan.Name.ValueString(), patch)
}
