// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// grace is how long the server may find no address before that counts: a pool may be new in this run, or an address
// about to be given back.
const grace = 10 * time.Second

// addressless matches what the server says of a load balancer that gets no address (load-balancer-harvester,
// pkg/controller/loadbalancer/controller.go, and the allocator of the CNI plugins).
var addressless = regexp.MustCompile(`no matched IPPool|no available IP|no IP addresses available|fail to get allocator`)

var errGone = errors.New("it was deleted meanwhile by someone else")

// noAddressError says that the server has no address for the load balancer.
type noAddressError struct{ message string }

func (n *noAddressError) Error() string { return n.message }

// await waits until the load balancer has its address; with wait_for_backends until it is ready.
func await(ctx context.Context, s *session.Session, plan, state *model, balancer *api.LoadBalancer) (*api.LoadBalancer, diag.Diagnostics) {
	left := "The change itself was made."
	if state == nil {
		left = "It exists and is marked for replacement."
	}
	var err error
	for began := time.Now(); ; wait.Pause(ctx, grace/10) {
		balancer, err = look(ctx, s, plan, balancer)
		if !errors.As(err, new(*noAddressError)) || time.Since(began) > grace || ctx.Err() != nil {
			break
		}
	}
	refused := &noAddressError{}
	switch {
	case err == nil:
		return balancer, nil
	case errors.As(err, &refused):
		return balancer, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("ippool"), "No address for the load balancer", diagnose.Paragraphs(
			"The server has no address for the "+plan.title()+". It says: "+refused.message+".", left+explained(ctx, s, balancer),
			"Name a pool (ippool) that has a free address, or give one a range more or a selector that lets the load balancer in. Then apply again."))}
	case errors.Is(err, errGone):
		balancer = nil
	}
	return balancer, diag.Diagnostics{diagnose.API("wait for the address of", plan.title(), left, err)}
}

// explained says why each pool does not let the load balancer in, where the server was to choose one.
func explained(ctx context.Context, s *session.Session, balancer *api.LoadBalancer) string {
	if balancer.Spec.IPPool != "" || balancer.Spec.WorkloadType == workloadCluster {
		return ""
	}
	pools, err := poolsOf(s).List(ctx, "", "")
	why, found := whyNot(pools, balancer.Namespace)
	if err != nil || found {
		return ""
	}
	return "\n\nWhy no pool was chosen:\n" + why
}

func look(ctx context.Context, s *session.Session, plan *model, balancer *api.LoadBalancer) (*api.LoadBalancer, error) {
	target := wait.Target{Resource: api.LoadBalancers, Namespace: balancer.Namespace, Name: balancer.Name, UID: balancer.UID}
	object, err := s.Hub.Until(ctx, target, addressed(plan.WaitForBackends.ValueBool()), wait.Options{})
	if object != nil {
		if seen, wrong := kube.Decode[api.LoadBalancer](object); wrong == nil {
			balancer = seen
		}
	}
	return balancer, err
}

// addressed says that the load balancer has its address: that of the pool it names, and the one that was allocated.
func addressed(withBackends bool) wait.Condition {
	return func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		balancer, err := kube.Decode[api.LoadBalancer](object)
		if err != nil {
			return wait.Progress{}, err
		}
		state, message := verdict(balancer)
		allocated := balancer.Status.AllocatedAddress
		switch {
		case settled(balancer) && (!withBackends || state == stateReady):
			return wait.Progress{Done: true}, nil
		case addressless.MatchString(message):
			return wait.Progress{}, &noAddressError{message}
		case balancer.Spec.IPPool != "" && allocated.IPPool != "" && allocated.IPPool != balancer.Spec.IPPool:
			return wait.Progress{Message: "the address is still that of the pool " + allocated.IPPool}, nil
		}
		return wait.Progress{Message: cmp.Or(message, "waiting for the address")}, nil
	}
}

func settled(balancer *api.LoadBalancer) bool {
	allocated, cluster := balancer.Status.AllocatedAddress, balancer.Spec.WorkloadType == workloadCluster
	switch {
	case balancer.Spec.IPAM == ipamDHCP && cluster:
		return allocated.IP == askDHCP
	case balancer.Spec.IPAM == ipamDHCP:
		return balancer.Status.Address != ""
	case allocated.IP == "", balancer.Spec.IPPool != "" && allocated.IPPool != balancer.Spec.IPPool:
		return false
	}
	return cluster || balancer.Status.Address == allocated.IP
}
