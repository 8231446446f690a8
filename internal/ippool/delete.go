// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package ippool

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// planDelete refuses to plan the deletion of a pool whose addresses stay in use.
func planDelete(ctx context.Context, s *session.Session, state *model, _ tfbase.Private) diag.Diagnostics {
	s.LeavingPools.Add(session.PoolName(state.Name.ValueString()))
	if s.PlanChecks == session.ChecksOff {
		return nil
	}
	pool, err := poolsOf(s).Recent(ctx, "", state.Name.ValueString())
	if err != nil {
		return s.Unchecked(err)
	}
	allocated := staying(ctx, s, pool.Status.Allocated)
	if len(allocated) == 0 {
		return nil
	}
	return s.PlanChecks.Soften(inUse(ctx, s, state.title(), allocated, ""))
}

// lag is how long load balancers that are being deleted may take to give their addresses back.
const lag = 20 * time.Second

// refusedForUse matches the refusal of the webhook (load-balancer-harvester, pkg/webhook/ippool/validator.go).
func refusedForUse(err error) bool {
	return strings.Contains(err.Error(), "releasing all the allocated IP")
}

// requestDeletion asks for the deletion. Addresses that are about to be given back are waited for.
func requestDeletion(ctx context.Context, s *session.Session, identity objects.Identity, pool *api.IPPool) diag.Diagnostics {
	for began := time.Now(); ; {
		err := poolsOf(s).Delete(ctx, "", pool.Name, pool.UID)
		switch {
		case err == nil, apierrors.IsNotFound(err):
			return nil
		case !refusedForUse(err):
			return objects.NotDeleted(identity.Title, err)
		case ctx.Err() != nil, time.Since(began) > lag:
			return diag.Diagnostics{inUse(ctx, s, identity.Title, allocatedNow(ctx, s, pool), "It was not deleted.")}
		}
		awaitReleased(ctx, s, pool, lag-time.Since(began))
	}
}

func allocatedNow(ctx context.Context, s *session.Session, pool *api.IPPool) map[string]string {
	if now, err := poolsOf(s).Get(ctx, "", pool.Name); err == nil {
		return now.Status.Allocated
	}
	return pool.Status.Allocated
}

// awaitReleased waits until no address of the pool is taken, and a moment for the webhook to notice.
func awaitReleased(ctx context.Context, s *session.Session, pool *api.IPPool, limit time.Duration) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, _ = s.Hub.Until(limited, wait.Target{Resource: api.IPPools, Name: pool.Name, UID: pool.UID}, func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{Done: true}, nil
		}
		now, err := kube.Decode[api.IPPool](object)
		return wait.Progress{Done: err == nil && len(now.Status.Allocated) == 0}, nil
	}, wait.Options{})
	wait.Pause(ctx, 300*time.Millisecond)
}

// inUse names the load balancers that have addresses of the pool, and how to release those of load balancers that are gone.
func inUse(ctx context.Context, s *session.Session, title string, allocated map[string]string, left string) diag.Diagnostic {
	remedy, forgotten := "Remove those load balancers first, or give them another pool.", ""
	for address, holder := range allocated {
		namespace, name, _ := strings.Cut(holder, "/")
		if _, err := balancersOf(s).Get(ctx, namespace, name); apierrors.IsNotFound(err) {
			forgotten = fmt.Sprintf("The load balancer %q is gone, but the server did not release its address. To have it released, set the annotation "+
				"%s: \"%s: %s\" on the pool.", holder, api.AnnotationReleaseIP, address, holder)
			break
		}
	}
	return diag.NewErrorDiagnostic("IP pool in use", diagnose.Paragraphs(
		fmt.Sprintf("The %s cannot be deleted, because load balancers have addresses of it:\n%s", title, listed(allocated)), left, remedy, forgotten))
}
