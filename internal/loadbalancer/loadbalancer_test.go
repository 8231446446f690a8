// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

func balancer(spec api.LoadBalancerSpec, status api.LoadBalancerStatus) *api.LoadBalancer {
	b := &api.LoadBalancer{Spec: spec, Status: status}
	b.Namespace, b.Name = "default", "web"
	return b
}

func because(message string) []api.Condition {
	return []api.Condition{{Type: "Ready", Status: "False", Message: message}}
}

// The official provider leaves state and message empty.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status api.LoadBalancerStatus
		want   string
	}{
		"new":         {api.LoadBalancerStatus{}, "Pending The server has not looked at the load balancer yet."},
		"no pool":     {api.LoadBalancerStatus{Conditions: because("no matched IPPool")}, "Pending no matched IPPool"},
		"no backend":  {api.LoadBalancerStatus{Address: "192.0.2.1", Conditions: because("no running backend servers")}, "NoBackend no running backend servers"},
		"no IP":       {api.LoadBalancerStatus{Address: "192.0.2.1", Conditions: because("running backend servers have no IP")}, "NoBackend running backend servers have no IP"},
		"not healthy": {api.LoadBalancerStatus{Address: "192.0.2.1", Conditions: because("running backend servers are not probed as healthy total:1, healthy:0")}, "Unhealthy running backend servers are not probed as healthy total:1, healthy:0"},
		"ready":       {api.LoadBalancerStatus{Address: "192.0.2.1", Conditions: []api.Condition{{Type: "Ready", Status: "True"}}}, "Ready "},
	} {
		state, message := verdict(balancer(api.LoadBalancerSpec{}, test.status))
		if got := state + " " + message; got != test.want {
			t.Errorf("%s: %q instead of %q", name, got, test.want)
		}
	}
}

// After a change of the pool the service answers at the old address for a moment.
func TestSettled(t *testing.T) {
	t.Parallel()
	at := func(pool, ip, answers string) api.LoadBalancerStatus {
		return api.LoadBalancerStatus{AllocatedAddress: api.BalancerAddress{IPPool: pool, IP: ip}, Address: answers}
	}
	for name, test := range map[string]struct {
		spec   api.LoadBalancerSpec
		status api.LoadBalancerStatus
		want   bool
	}{
		"new":               {api.LoadBalancerSpec{IPAM: "pool"}, api.LoadBalancerStatus{}, false},
		"allocated":         {api.LoadBalancerSpec{IPAM: "pool"}, at("a", "192.0.2.1", ""), false},
		"there":             {api.LoadBalancerSpec{IPAM: "pool", IPPool: "a"}, at("a", "192.0.2.1", "192.0.2.1"), true},
		"of the old pool":   {api.LoadBalancerSpec{IPAM: "pool", IPPool: "b"}, at("a", "192.0.2.1", "192.0.2.1"), false},
		"at the old one":    {api.LoadBalancerSpec{IPAM: "pool", IPPool: "b"}, at("b", "192.0.2.9", "192.0.2.1"), false},
		"DHCP asked":        {api.LoadBalancerSpec{IPAM: "dhcp"}, at("", askDHCP, ""), false},
		"DHCP answered":     {api.LoadBalancerSpec{IPAM: "dhcp"}, at("", askDHCP, "192.0.2.1"), true},
		"cluster":           {api.LoadBalancerSpec{IPAM: "pool", WorkloadType: "cluster"}, at("a", "192.0.2.1", ""), true},
		"cluster with DHCP": {api.LoadBalancerSpec{IPAM: "dhcp", WorkloadType: "cluster"}, at("", askDHCP, ""), true},
	} {
		if got := settled(balancer(test.spec, test.status)); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func modelOf(t *testing.T, b *api.LoadBalancer) *model {
	t.Helper()
	m := &model{Listeners: types.ListNull(listenerType), BackendSelectors: types.SetNull(selectorType), HealthCheck: types.ListNull(healthCheckType)}
	m.Tags, m.Labels = types.MapNull(types.StringType), types.MapNull(types.StringType)
	if diags := tfbase.Fill[model, api.LoadBalancer, *model, *api.LoadBalancer](t.Context(), m, b); diags.HasError() {
		t.Fatal(diags)
	}
	return m
}

// L5, C1: everything can be unset. L1, L9: ipam and workload_type are always said.
func TestChanges(t *testing.T) {
	t.Parallel()
	listeners := []api.BalancerListener{{Name: "a", Port: 80, Protocol: "TCP", BackendPort: 8080}}
	bare := balancer(api.LoadBalancerSpec{Listeners: listeners}, api.LoadBalancerStatus{})
	full := balancer(api.LoadBalancerSpec{
		Description: "web", IPPool: "lab", Listeners: []api.BalancerListener{{Name: "b", Port: 81, Protocol: "UDP", BackendPort: 53}},
		BackendServerSelector: map[string][]string{"app": {"x"}}, HealthCheck: &api.BalancerHealthCheck{Port: 8080, SuccessThreshold: 2, FailureThreshold: 2, PeriodSeconds: 1, TimeoutSeconds: 1},
	}, api.LoadBalancerStatus{})
	for name, test := range map[string]struct {
		before, plan *api.LoadBalancer
		want         string
	}{
		"nothing": {bare, bare, `{"spec":{"ipam":"pool","workloadType":"vm"}}`},
		"removed": {full, bare, `{"spec":{"backendServerSelector":{"app":null},"description":"","healthCheck":null,"ipPool":"","ipam":"pool",` +
			`"listeners":[{"name":"a","port":80,"protocol":"TCP","backendPort":8080}],"workloadType":"vm"}}`},
		"added": {bare, full, `{"spec":{"backendServerSelector":{"app":["x"]},"description":"web","healthCheck":{"failureThreshold":2,"periodSeconds":1,"port":8080,"successThreshold":2,"timeoutSeconds":1},` +
			`"ipPool":"lab","ipam":"pool","listeners":[{"name":"b","port":81,"protocol":"UDP","backendPort":53}],"workloadType":"vm"}}`},
	} {
		patch, diags := tfbase.Changes[model, api.LoadBalancer](t.Context(), modelOf(t, test.plan), modelOf(t, test.before))
		got, err := json.Marshal(patch)
		if err != nil || diags.HasError() || string(got) != test.want {
			t.Errorf("%s: %s (%v, %v)", name, got, err, diags)
		}
	}
}

// The rules by which the server chooses a pool for virtual machines.
func TestWhyNot(t *testing.T) {
	t.Parallel()
	pool := func(selector *api.IPPoolSelector) []api.IPPool {
		p := api.IPPool{Spec: api.IPPoolSpec{Selector: selector}}
		p.Name = "lab"
		return []api.IPPool{p}
	}
	scoped := func(network string, scope api.IPPoolScope) *api.IPPoolSelector {
		return &api.IPPoolSelector{Network: network, Scope: []api.IPPoolScope{scope}}
	}
	global := pool(nil)
	global[0].Labels = map[string]string{api.LabelGlobalPool: "true"}
	for name, test := range map[string]struct {
		pools []api.IPPool
		want  string // "" if one lets in
	}{
		"none at all":     {nil, "no pool at all"},
		"no scope":        {pool(nil), "has no scope"},
		"global":          {global, ""},
		"this namespace":  {pool(scoped("", api.IPPoolScope{Namespace: "default"})), ""},
		"all of them":     {pool(scoped("", api.IPPoolScope{Namespace: "*", Project: "*", GuestCluster: "*"})), ""},
		"other namespace": {pool(scoped("", api.IPPoolScope{Namespace: "other"})), "for other namespaces"},
		"guest cluster":   {pool(scoped("", api.IPPoolScope{Namespace: "default", GuestCluster: "c"})), "for other namespaces, projects or guest clusters"},
		"network":         {pool(scoped("default/v", api.IPPoolScope{Namespace: "default"})), "in the network default/v"},
	} {
		if why, found := whyNot(test.pools, "default"); found != (test.want == "") || !strings.Contains(why, test.want) {
			t.Errorf("%s: %q, %t", name, why, found)
		}
	}
}
