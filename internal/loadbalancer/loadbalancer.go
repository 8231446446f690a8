// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package loadbalancer is the resource and data source harvester_loadbalancer: an address whose ports lead to
// virtual machines, or to a guest cluster.
package loadbalancer

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_loadbalancer"

const kindBalancer = "LoadBalancer"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, api.LoadBalancer, *api.LoadBalancer]{
	TypeName: Type,
	One:      "a load balancer", Short: "load balancer", Instead: ", or refer to it with a data source",
	Resource: api.LoadBalancers, APIKind: kindBalancer,
	Schema: balancerSchema(), Limits: limits,
	Omit:     []string{"wait_for_backends"},
	Clean:    clean,
	Validate: validate,
	Plan:     plan,
	Check:    check,
	Replaces: (*model).replaces,
	Stirs:    (*model).stirs,
	Intent:   func(wanted *api.LoadBalancer) []any { return []any{wanted.Spec.IPAM, wanted.Spec.WorkloadType} },
	Await:    await,
	Offers: func(_ context.Context, _ *session.Session, object *unstructured.Unstructured) (bool, error) {
		_, guests := object.GetLabels()[api.LabelBalancerGuest]
		return !guests, nil
	},
	ListNote: "So are those that a guest cluster has made for its services.",
	PlanDelete: func(_ context.Context, s *session.Session, state *model, _ tfbase.Private) diag.Diagnostics {
		s.LeavingBalancers.Add(session.BalancerID(tfbase.KeyID(state)))
		return nil
	},
	Delete: func(d *tfbase.Deleting[*model, *api.LoadBalancer]) {
		d.Session.LeavingBalancers.Add(session.BalancerID(tfbase.KeyID(d.State))) // apply plans again what it makes
		request := d.Request
		d.Request = func(ctx context.Context, balancer *api.LoadBalancer) diag.Diagnostics {
			if diags := releasable(ctx, d.Session, d.Identity, balancer); diags.HasError() {
				return diags
			}
			return request(ctx, balancer)
		}
	},
}

func balancersOf(s *session.Session) kube.Resource[api.LoadBalancer] {
	return kube.For[api.LoadBalancer](s.Client, api.LoadBalancers, kindBalancer)
}

func poolsOf(s *session.Session) kube.Resource[api.IPPool] {
	return kube.For[api.IPPool](s.Client, api.IPPools, "IPPool")
}

// clean fills in what the official provider leaves open, and the server takes for these.
func clean(state map[string]any) {
	for argument, value := range map[string]string{"ipam": ipamPool, "workload_type": workloadVM} {
		if text, _ := state[argument].(string); text == "" {
			state[argument] = value
		}
	}
}

// releasable makes the server give the address back when the load balancer goes: it does so only if ipam says pool in so many
// words, which the official provider does not send (load-balancer-harvester, pkg/controller/loadbalancer/controller.go).
func releasable(ctx context.Context, s *session.Session, identity objects.Identity, balancer *api.LoadBalancer) diag.Diagnostics {
	if balancer.Spec.IPAM != "" || balancer.DeletionTimestamp != nil {
		return nil
	}
	patch := objects.With(map[string]any{"spec": map[string]any{"ipam": ipamPool}}, balancer.UID)
	_, err := kube.Retry(ctx, func(ctx context.Context) (*api.LoadBalancer, error) {
		return balancersOf(s).Patch(ctx, balancer.Namespace, balancer.Name, patch)
	})
	if err != nil {
		return objects.NotDeleted(identity.Title, err)
	}
	return nil
}

// plan notes what pools may rely on, and that the address stays as long as the pool does.
func plan(ctx context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	diags := validate(ctx, p.Plan).Errors() // more may have become known
	if p.State == nil {
		return diags
	}
	moves := !p.Plan.IPPool.Equal(p.State.IPPool) && p.Plan.IPPool.ValueString() != p.State.IPPool.ValueString()
	if p.Session != nil && (moves || p.Plan.replaces(p.State)) {
		p.Session.LeavingBalancers.Add(session.BalancerID(tfbase.KeyID(p.State)))
	}
	if moves || p.Plan.IPAM.ValueString() != ipamPool || p.State.IPAddress.ValueString() == "" || p.Plan.replaces(p.State) {
		return diags
	}
	for _, kept := range []struct{ plan, state *types.String }{
		{&p.Plan.IPAddress, &p.State.IPAddress},
		{&p.Plan.AllocatedIP, &p.State.AllocatedIP},
		{&p.Plan.AllocatedPool, &p.State.AllocatedPool},
		{&p.Plan.Gateway, &p.State.Gateway},
		{&p.Plan.SubnetMask, &p.State.SubnetMask},
	} {
		if kept.plan.IsUnknown() {
			*kept.plan = *kept.state
		}
	}
	return diags
}
