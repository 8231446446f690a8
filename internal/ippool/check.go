// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package ippool

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// networks are the networks that a selector can name.
var networks = schema.GroupVersionResource{Group: "k8s.cni.cncf.io", Version: "v1", Resource: "network-attachment-definitions"}

// all in a scope matches everything.
const all = "*"

// judgeRanges looks at the ranges that are known, by themselves and against one another.
func (b blocks) judgeRanges() (diags diag.Diagnostics) {
	known := make([]*span, len(b.ranges))
	for i, block := range b.ranges {
		if !tfbase.Known(block.Subnet, block.Start, block.End, block.Gateway) {
			continue
		}
		at := path.Root("range").AtListIndex(i)
		one, wrong := understand(block.api())
		if wrong != nil {
			diags.AddAttributeError(at.AtName(wrong.argument), "Invalid IP range", wrong.reason)
			continue
		}
		for j := range i {
			if known[j] != nil && known[j].overlaps(one) {
				diags.AddAttributeError(at, "Overlapping IP ranges", fmt.Sprintf("The range %s overlaps with the range %s of the same pool.", one, known[j]))
			}
		}
		known[i] = &one
	}
	return diags
}

// judgeScopes looks at the scopes against one another, and warns of a selector that lets in less than it seems to.
func (b blocks) judgeScopes() (diags diag.Diagnostics) {
	for i, mine := range b.scopes {
		for j := range i {
			theirs := b.scopes[j]
			if tfbase.Known(mine.Project, mine.Namespace, mine.GuestCluster, theirs.Project, theirs.Namespace, theirs.GuestCluster) && overlap(mine.api(), theirs.api()) {
				diags.AddAttributeError(path.Root("selector").AtListIndex(0).AtName("scope").AtListIndex(i), "Overlapping scopes",
					fmt.Sprintf("What this scope lets in, the scope %d of the same selector may let in, too. The server refuses that. Remove one of them.", j+1))
			}
		}
	}
	for _, one := range b.selectors {
		at := path.Root("selector").AtListIndex(0)
		machinesOnly := func(s scopeBlock) bool {
			return tfbase.Known(s.Project, s.GuestCluster) && s.Project.ValueString() == "" && s.GuestCluster.ValueString() == ""
		}
		switch {
		case !one.Scope.IsUnknown() && len(b.scopes) == 0:
			diags.AddAttributeWarning(at, "Selector without scope", "Without a scope block no load balancer gets addresses from this pool, unless it names the pool (ippool).")
		case one.Network.ValueString() != "" && len(b.scopes) > 0 && !slices.ContainsFunc(b.scopes, func(s scopeBlock) bool { return !machinesOnly(s) }):
			diags.AddAttributeWarning(at.AtName("network"), "Network of a pool for virtual machines",
				"Only load balancers of guest clusters have a network, and the scopes let in only those of virtual machines. So no load balancer gets addresses "+
					"from this pool, unless it names the pool (ippool).")
		}
	}
	return diags
}

// overlap is the server's test: each part is equal or matches everything.
func overlap(a, b api.IPPoolScope) bool {
	fits := func(a, b string) bool { return a == all || b == all || a == b }
	return fits(a.Project, b.Project) && fits(a.Namespace, b.Namespace) && fits(a.GuestCluster, b.GuestCluster)
}

func global(selector *api.IPPoolSelector) bool {
	return selector != nil && len(selector.Scope) == 1 && selector.Scope[0] == api.IPPoolScope{Project: all, Namespace: all, GuestCluster: all}
}

// check looks at everything that the server would refuse as things are. Pools and load balancers that stand in the way may
// leave in the same run, so at apply the request itself tells.
func check(ctx context.Context, c *tfbase.Checking[*model]) (diags diag.Diagnostics) {
	b, diags := c.Plan.read(ctx)
	if diags.HasError() {
		return diags
	}
	for _, one := range b.selectors {
		diags.Append(checkNetwork(ctx, c, one.Network.ValueString())...)
	}
	if c.Applying {
		return diags
	}
	if c.State != nil {
		diags.Append(checkShrunk(ctx, c, b)...)
	}
	if tfbase.Known(c.Plan.Name, c.Plan.Ranges, c.Plan.Selector) {
		diags.Append(checkOthers(ctx, c, b)...)
	}
	return diags
}

func checkNetwork(ctx context.Context, c *tfbase.Checking[*model], network string) diag.Diagnostics {
	namespace, name, err := tfbase.ParseID(network)
	if err != nil {
		return nil // none, or not known yet
	}
	_, err = kube.For[metav1.PartialObjectMetadata](c.Session.Client, networks, "NetworkAttachmentDefinition").Recent(ctx, namespace, name)
	if !apierrors.IsNotFound(err) {
		return c.Unchecked(err)
	}
	at := path.Root("selector").AtListIndex(0).AtName("network")
	if !c.Applying {
		return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(at, "Network not found", fmt.Sprintf(
			"There is no network %q in the cluster. That is well if this run creates it; refer to the resource that does, so that Terraform makes it first.", network))}
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Network not found", diagnose.Paragraphs(
		fmt.Sprintf("There is no network %q in the cluster, so the server would refuse the pool.", network), c.Left()))}
}

// checkShrunk refuses ranges without an address that is taken, unless its load balancer leaves it in this run.
func checkShrunk(ctx context.Context, c *tfbase.Checking[*model], b blocks) diag.Diagnostics {
	if !tfbase.Known(c.Plan.Ranges) || c.Plan.Ranges.Equal(c.State.Ranges) {
		return nil
	}
	pool, err := poolsOf(c.Session).Recent(ctx, "", c.State.Name.ValueString())
	if err != nil {
		return c.Unchecked(err)
	}
	ranges, _ := b.api()
	kept := spans(ranges)
	lost := map[string]string{}
	for text, holder := range pool.Status.Allocated {
		address, err := netip.ParseAddr(text)
		if err == nil && !slices.ContainsFunc(kept, func(s span) bool { return s.contains(address.Unmap()) }) {
			lost[text] = holder
		}
	}
	if lost = staying(ctx, c.Session, lost); len(lost) == 0 {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("range"), "Addresses in use", fmt.Sprintf(
		"The new ranges lack addresses that are taken:\n%s\n\nKeep them in a range, or remove those load balancers first, or give them another pool.", listed(lost)))}
}

// listed is a list of addresses and their load balancers.
func listed(allocated map[string]string) string {
	var lines []string
	for _, address := range slices.Sorted(maps.Keys(allocated)) {
		lines = append(lines, fmt.Sprintf("  - %s: load balancer %q", address, allocated[address]))
	}
	return strings.Join(lines, "\n")
}

// planning is how long the plan of something else in this run may take to be seen. Only what would be refused waits.
const planning = 2 * time.Second

// staying are the allocations whose load balancers do not give them back in this run.
func staying(ctx context.Context, s *session.Session, allocated map[string]string) map[string]string {
	left := maps.Clone(allocated)
	ctx, cancel := context.WithTimeout(ctx, planning)
	defer cancel()
	for len(left) > 0 {
		maps.DeleteFunc(left, func(_, holder string) bool { return s.LeavingBalancers.Has(session.BalancerID(holder)) })
		if ctx.Err() != nil {
			break
		}
		if len(left) > 0 {
			wait.Pause(ctx, planning/20)
		}
	}
	return left
}

// checkOthers compares the pool with the others that there are.
func checkOthers(ctx context.Context, c *tfbase.Checking[*model], b blocks) (diags diag.Diagnostics) {
	if c.State != nil && c.Plan.Ranges.Equal(c.State.Ranges) && c.Plan.Selector.Equal(c.State.Selector) {
		return nil
	}
	pools, err := poolsOf(c.Session).RecentAll(ctx, "")
	if err != nil {
		return c.Unchecked(err)
	}
	wanted := &api.IPPool{}
	wanted.Name = c.Plan.Name.ValueString()
	wanted.Spec.Ranges, wanted.Spec.Selector = b.api()
	for i := range pools {
		found := conflict(wanted, &pools[i])
		if found != nil && !leaves(ctx, c.Session, session.PoolName(pools[i].Name)) {
			diags.Append(found)
		}
	}
	return diags
}

// leaves says whether a pool is deleted or changed in this run, as far as that is planned by now.
func leaves(ctx context.Context, s *session.Session, pool session.PoolName) bool {
	ctx, cancel := context.WithTimeout(ctx, planning)
	defer cancel()
	for ctx.Err() == nil && !s.LeavingPools.Has(pool) {
		wait.Pause(ctx, planning/20)
	}
	return s.LeavingPools.Has(pool)
}

// conflict is why the server would refuse a pool beside another one; nil if it would not.
func conflict(wanted, other *api.IPPool) diag.Diagnostic {
	if other.Name == wanted.Name {
		return nil
	}
	theirs := spans(other.Spec.Ranges)
	for i, r := range wanted.Spec.Ranges {
		one, wrong := understand(r)
		if wrong != nil {
			continue
		}
		for _, their := range theirs {
			if one.overlaps(their) {
				return diag.NewAttributeErrorDiagnostic(path.Root("range").AtListIndex(i), "Overlapping IP ranges", fmt.Sprintf(
					"The range %s overlaps with the range %s of the IP pool %q. The server refuses that.", one, their, other.Name))
			}
		}
	}
	return conflictOfSelectors(wanted.Spec.Selector, other)
}

func conflictOfSelectors(mine *api.IPPoolSelector, other *api.IPPool) diag.Diagnostic {
	at := path.Root("selector").AtListIndex(0)
	theirs := other.Spec.Selector
	switch {
	case global(mine) && (global(theirs) || other.Labels[api.LabelGlobalPool] == "true"):
		return diag.NewAttributeErrorDiagnostic(at.AtName("scope"), "Second global IP pool", fmt.Sprintf(
			"The IP pool %q is the global one already, and there can be only one.", other.Name))
	case mine == nil || theirs == nil || global(mine) || global(theirs) || mine.Priority != theirs.Priority:
		return nil
	case mine.Priority != 0:
		return diag.NewAttributeErrorDiagnostic(at.AtName("priority"), "Priority already taken", fmt.Sprintf(
			"The IP pool %q has the priority %d already. The server refuses a second one; only 0 can be had by several.", other.Name, mine.Priority))
	case mine.Network != theirs.Network:
		return nil
	}
	for i, scope := range mine.Scope {
		if slices.ContainsFunc(theirs.Scope, func(their api.IPPoolScope) bool { return overlap(scope, their) }) {
			return diag.NewAttributeErrorDiagnostic(at.AtName("scope").AtListIndex(i), "Scope already taken", fmt.Sprintf(
				"The IP pool %q lets in the same load balancers with the same priority 0. Set another priority or scope.", other.Name))
		}
	}
	return nil
}

// stirs names what other ranges or another selector move.
func (m *model) stirs(state *model) []string {
	if m.Ranges.Equal(state.Ranges) && m.Selector.Equal(state.Selector) {
		return nil
	}
	return []string{"total", "available", "allocated", "last_allocated", "global", "state", "message"}
}
