// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

var services = schema.GroupVersionResource{Version: "v1", Resource: "services"}

// validate judges what the webhook would (load-balancer-harvester, pkg/webhook/loadbalancer/validator.go), and what the service
// that the server makes of it would not take. Those of guest clusters are their own business.
func validate(ctx context.Context, config *model) diag.Diagnostics {
	b, diags := config.read(ctx)
	if diags.HasError() {
		return diags
	}
	diags.Append(b.judgeSelectors()...)
	if config.WorkloadType.IsUnknown() || config.forCluster() {
		return diags
	}
	if name := config.Name; !name.IsUnknown() && len(validation.IsDNS1123Subdomain(name.ValueString())) == 0 {
		if wrong := validation.IsDNS1035Label(name.ValueString()); len(wrong) > 0 {
			diags.AddAttributeError(path.Root("name"), "Invalid name", fmt.Sprintf(
				"%q is not usable here: the service that the server makes for the load balancer has the same name, which must begin with a letter, have no dots and at most 63 characters.",
				name.ValueString()))
		}
	}
	if !config.Listeners.IsUnknown() {
		diags.Append(b.judgeListeners()...)
		diags.Append(b.judgeHealthCheck()...)
	}
	return diags
}

func (b blocks) judgeSelectors() (diags diag.Diagnostics) {
	seen := map[string]bool{}
	for _, one := range b.selectors {
		key := one.Key.ValueString()
		if !one.Key.IsUnknown() && seen[key] {
			diags.AddAttributeError(path.Root("backend_selector"), "Label selected twice", fmt.Sprintf(
				"Two backend_selector blocks are about the label %q, and only one would count. Put all values into one block.", key))
		}
		seen[key] = true
	}
	return diags
}

func (b blocks) judgeListeners() (diags diag.Diagnostics) {
	if len(b.listeners) == 0 {
		diags.AddAttributeError(path.Root("listener"), "Missing listener", "A load balancer for virtual machines needs at least one listener block.")
	}
	seen := map[string]string{}
	for i, one := range b.listeners {
		at := path.Root("listener").AtListIndex(i)
		if !one.Name.IsUnknown() {
			name := one.Name.ValueString()
			if wrong := validation.IsDNS1123Label(name); len(wrong) > 0 {
				diags.AddAttributeError(at.AtName("name"), "Invalid name", fmt.Sprintf("%q is not usable as the name of a port: %s.", name, strings.Join(wrong, "; ")))
			}
			diags.Append(taken(seen, "the name "+name, name, at.AtName("name"))...)
		}
		protocol := strings.ToUpper(one.Protocol.ValueString())
		if tfbase.Known(one.Protocol, one.Port) {
			diags.Append(taken(seen, fmt.Sprintf("the port %s %d", protocol, one.Port.ValueInt64()), one.Name.ValueString(), at.AtName("port"))...)
		}
		if tfbase.Known(one.Protocol, one.BackendPort) {
			diags.Append(taken(seen, fmt.Sprintf("the backend port %s %d", protocol, one.BackendPort.ValueInt64()), one.Name.ValueString(), at.AtName("backend_port"))...)
		}
	}
	return diags
}

// taken refuses what another listener has already.
func taken(seen map[string]string, what, name string, at path.Path) diag.Diagnostics {
	if other, found := seen[what]; found {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Listeners that are alike", fmt.Sprintf(
			"The listener %q has %s, which the listener %q has already.", name, what, other))}
	}
	seen[what] = name
	return nil
}

func (b blocks) judgeHealthCheck() (diags diag.Diagnostics) {
	if len(b.checks) == 0 || b.checks[0].Port.IsUnknown() {
		return nil
	}
	for _, one := range b.listeners {
		switch {
		case !tfbase.Known(one.Protocol, one.BackendPort):
			return nil
		case one.BackendPort.Equal(b.checks[0].Port) && strings.EqualFold(one.Protocol.ValueString(), "TCP"):
			return nil
		}
	}
	diags.AddAttributeError(path.Root("healthcheck").AtListIndex(0).AtName("port"), "No such backend port", fmt.Sprintf(
		"The health check is of the port %d, which is the backend_port of no TCP listener. Only such a port can be probed.", b.checks[0].Port.ValueInt64()))
	return diags
}

// check looks at what would keep the load balancer from getting its address as things are.
func check(ctx context.Context, c *tfbase.Checking[*model]) (diags diag.Diagnostics) {
	if !tfbase.Known(c.Plan.Name, c.Plan.Namespace, c.Plan.WorkloadType, c.Plan.IPAM) {
		return nil
	}
	if c.State == nil && !c.Plan.forCluster() {
		diags.Append(checkService(ctx, c)...)
	}
	if c.Applying || c.Plan.IPAM.ValueString() != ipamPool || c.Plan.IPPool.IsUnknown() {
		return diags // whether there is a pool with a free address, the server says
	}
	if c.State != nil && c.State.IPPool.ValueString() == c.Plan.IPPool.ValueString() {
		return diags
	}
	if name := c.Plan.IPPool.ValueString(); name != "" {
		return append(diags, checkPool(ctx, c, name)...)
	}
	if c.State == nil && !c.Plan.forCluster() {
		diags.Append(checkAnyPool(ctx, c)...)
	}
	return diags
}

// checkService refuses a name that a service has which is not of a load balancer: the server would take it over and
// overwrite its ports (load-balancer-harvester, pkg/lb/servicelb/manager.go).
func checkService(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	namespace, name := c.Plan.Key()
	service, err := kube.For[corev1.Service](c.Session.Client, services, "Service").Get(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return c.Unchecked(err)
	case service.Labels[api.LabelBalancerService] == "true":
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("name"), "Service in the way", diagnose.Paragraphs(fmt.Sprintf(
		"There is a service %q already, which belongs to no load balancer. The server would take it for the one of this load balancer and overwrite its ports.",
		tfbase.ID(namespace, name)), c.Left(), "Choose another name, or remove that service."))}
}

// planning is how long the plan of something else in this run may take to be seen. Only what would be refused waits.
const planning = 2 * time.Second

// planned waits a moment for something else to be planned.
func planned(ctx context.Context, seen func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, planning)
	defer cancel()
	for !seen() && ctx.Err() == nil {
		wait.Pause(ctx, planning/20)
	}
	return seen()
}

// checkPool looks at the pool that the load balancer names.
func checkPool(ctx context.Context, c *tfbase.Checking[*model], name string) diag.Diagnostics {
	pool, err := poolsOf(c.Session).Recent(ctx, "", name)
	made := func() bool { return c.Session.Pools.Has(session.PoolName(name)) }
	switch {
	case apierrors.IsNotFound(err):
		if planned(ctx, made) {
			return nil
		}
		return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("ippool"), "IP pool not found", fmt.Sprintf(
			"There is no IP pool %q in the cluster. That is well if this run creates it; refer to the resource that does, so that Terraform makes it first.", name))}
	case err != nil:
		return c.Unchecked(err)
	}
	if pool.Status.Total == 0 || pool.Status.Available > 0 || planned(ctx, func() bool { return made() || vacated(c.Session, pool, tfbase.KeyID(c.Plan)) }) {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("ippool"), "IP pool exhausted", fmt.Sprintf(
		"All %d addresses of the IP pool %q are taken.\n\nAdd a range to the pool, choose another one, or remove a load balancer that has an address of it.", pool.Status.Total, name))}
}

// vacated says that a load balancer gives an address of the pool back in this run: one that leaves, or the one in whose place
// this one is planned (a tainted one looks like nothing).
func vacated(s *session.Session, pool *api.IPPool, id string) bool {
	for _, holder := range pool.Status.Allocated {
		if holder == id || s.LeavingBalancers.Has(session.BalancerID(holder)) {
			return true
		}
	}
	return false
}

// checkAnyPool warns if no pool lets the load balancer in. One that does may be made in this run.
func checkAnyPool(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	pools, err := poolsOf(c.Session).RecentAll(ctx, "")
	if err != nil {
		return c.Unchecked(err)
	}
	namespace, _ := c.Plan.Key()
	why, found := whyNot(pools, namespace)
	if found {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("ippool"), "No IP pool", fmt.Sprintf(
		"The load balancer names no IP pool, and none lets in load balancers of virtual machines in the namespace %q:\n%s\n\n"+
			"That is well if this run creates one. Else name a pool (ippool), or give one a selector with this namespace.", namespace, why))}
}

// whyNot says why each pool does not let in load balancers of virtual machines in a namespace, unless one does (the rules of
// load-balancer-harvester, pkg/ipam/selector.go).
func whyNot(pools []api.IPPool, namespace string) (why string, found bool) {
	if len(pools) == 0 {
		return "there is no pool at all", false
	}
	var lines []string
	for _, pool := range pools {
		if pool.Labels[api.LabelGlobalPool] == "true" {
			return "", true
		}
		reason := refuses(pool.Spec.Selector, namespace)
		if reason == "" {
			return "", true
		}
		lines = append(lines, fmt.Sprintf("  - %s: %s", pool.Name, reason))
	}
	return strings.Join(lines, "\n"), false
}

func refuses(selector *api.IPPoolSelector, namespace string) string {
	switch {
	case selector == nil || len(selector.Scope) == 0:
		return "its selector has no scope"
	case selector.Network != "":
		return "it is for guest clusters in the network " + selector.Network
	}
	in := func(scope, value string) bool { return scope == "*" || scope == value }
	for _, scope := range selector.Scope {
		if in(scope.Namespace, namespace) && in(scope.Project, "") && in(scope.GuestCluster, "") {
			return ""
		}
	}
	return "its scopes are for other namespaces, projects or guest clusters"
}

// stirs names what the change moves: another pool everything, the rest what stands behind the address.
func (m *model) stirs(state *model) []string {
	behind := []string{"backend_servers", "state", "message"}
	switch {
	case !m.IPPool.Equal(state.IPPool):
		return append(behind, "ip_address", "allocated_ip", "allocated_pool", "gateway", "subnet_mask")
	case !m.Listeners.Equal(state.Listeners), !m.BackendSelectors.Equal(state.BackendSelectors), !m.HealthCheck.Equal(state.HealthCheck), m.WaitForBackends.ValueBool():
		return behind
	}
	return nil
}
