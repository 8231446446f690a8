// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package ippool

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// patience is how long a pool that stands in the way may take to leave, and the server to notice.
const patience = 10 * time.Second

// inTheWay matches refusals for other pools (load-balancer-harvester, pkg/webhook/ippool/validator.go), and for an address
// that its load balancer may be giving back.
var inTheWay = regexp.MustCompile(`overlap with other pools|there is already a global IP pool|priority can't be the same|scope selector is same|allocated IP \S+ is excluded`)

// patiently sends a request again while it is refused for what may leave in the same run.
func patiently(ctx context.Context, _ *session.Session, request func() (*api.IPPool, error)) (*api.IPPool, error) {
	for began := time.Now(); ; wait.Pause(ctx, time.Second) {
		pool, err := request()
		if err == nil || !inTheWay.MatchString(err.Error()) || time.Since(began) > patience || ctx.Err() != nil {
			return pool, err
		}
	}
}

var errGone = errors.New("it was deleted meanwhile by someone else")

// await waits until load balancers can get addresses from the ranges.
func await(ctx context.Context, s *session.Session, plan, state *model, pool *api.IPPool) (*api.IPPool, diag.Diagnostics) {
	s.Pools.End(session.PoolName(pool.Name))
	left := "The change itself was made."
	if state == nil {
		left = "It exists and is marked for replacement."
	}
	target := wait.Target{Resource: api.IPPools, Name: pool.Name, UID: pool.UID}
	object, err := s.Hub.Until(ctx, target, usable(total(pool.Spec.Ranges)), wait.Options{})
	if object != nil {
		if seen, wrong := kube.Decode[api.IPPool](object); wrong == nil {
			pool = seen
		}
	}
	switch {
	case err == nil:
		return pool, nil
	case errors.Is(err, errGone):
		pool = nil
	}
	return pool, diag.Diagnostics{diagnose.API("wait for the use of", plan.title(), left, err)}
}

// usable says that the pool is ready with so many addresses: before, the server goes by the ranges it had.
func usable(total int64) wait.Condition {
	return func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		pool, err := kube.Decode[api.IPPool](object)
		if err != nil {
			return wait.Progress{}, err
		}
		condition := api.ConditionOf(pool.Status.Conditions, api.ConditionReady)
		switch {
		case condition == nil:
			return wait.Progress{Message: "the server has not taken the pool into use"}, nil
		case condition.Status != "True":
			return wait.Progress{Message: "not ready: " + condition.Message}, nil
		case pool.Status.Total != total:
			return wait.Progress{Message: fmt.Sprintf("the server counts %d addresses instead of %d", pool.Status.Total, total)}, nil
		}
		return wait.Progress{Done: true}, nil
	}
}
