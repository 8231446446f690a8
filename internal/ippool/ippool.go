// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package ippool is the resource and data source harvester_ippool: addresses that load balancers get theirs from.
package ippool

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_ippool"

const kindPool = "IPPool"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, api.IPPool, *api.IPPool]{
	TypeName: Type,
	One:      "an IP pool", Short: "pool", Instead: ", or refer to it with a data source",
	Resource: api.IPPools, APIKind: kindPool,
	Schema: poolSchema(), Limits: limits,
	Validate:   validate,
	Plan:       plan,
	Check:      check,
	Replaces:   func(plan, state *model) bool { return !plan.Name.Equal(state.Name) },
	Stirs:      (*model).stirs,
	Send:       patiently,
	Await:      await,
	PlanDelete: planDelete,
	Delete: func(d *tfbase.Deleting[*model, *api.IPPool]) {
		d.Session.LeavingPools.Add(session.PoolName(d.State.Name.ValueString())) // apply plans again what it makes
		d.Request = func(ctx context.Context, pool *api.IPPool) diag.Diagnostics {
			return requestDeletion(ctx, d.Session, d.Identity, pool)
		}
	},
}

func poolsOf(s *session.Session) kube.Resource[api.IPPool] {
	return kube.For[api.IPPool](s.Client, api.IPPools, kindPool)
}

func balancersOf(s *session.Session) kube.Resource[api.LoadBalancer] {
	return kube.For[api.LoadBalancer](s.Client, api.LoadBalancers, "LoadBalancer")
}

// validate judges the ranges and the selector by themselves.
func validate(ctx context.Context, config *model) diag.Diagnostics {
	wanted, diags := config.read(ctx)
	if diags.HasError() {
		return diags
	}
	return append(wanted.judgeRanges(), wanted.judgeScopes()...)
}

// plan promises the pool to what refers to it, and notes what other pools may rely on.
func plan(ctx context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	diags := validate(ctx, p.Plan).Errors() // more may have become known
	if p.Session == nil || p.Plan.Name.IsUnknown() {
		return diags
	}
	if p.State != nil && p.Plan.Name.Equal(p.State.Name) && p.Plan.Ranges.Equal(p.State.Ranges) && p.Plan.Selector.Equal(p.State.Selector) {
		return diags
	}
	if p.State != nil {
		p.Session.LeavingPools.Add(session.PoolName(p.State.Name.ValueString()))
	}
	p.Session.Pools.Add(session.PoolName(p.Plan.Name.ValueString()))
	return diags
}
