// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func poolOf(name string, s selector, ranges ...addressRange) pool {
	p := pool{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: poolSpec{Ranges: ranges, Selector: s}}
	if p.global() {
		p.Labels = map[string]string{labelGlobal: "true"}
	}
	return p
}

// One case for each rule of the webhook for pools.
func TestJudgePool(t *testing.T) {
	t.Parallel()
	low, high := addressRange{Subnet: "192.0.2.0/25"}, addressRange{Subnet: "192.0.2.128/25"}
	of := func(priority int64, scopes ...scope) selector { return selector{Priority: priority, Scope: scopes} }
	everything := of(0, scope{all, all, all})
	held := poolOf("a", selector{}, low)
	held.Status.Allocated = map[string]string{"192.0.2.200": "default/web"}
	for name, test := range map[string]struct {
		p      pool
		others []pool
		want   string
	}{
		"fine":                 {poolOf("a", of(0, scope{Namespace: "x"}), low), []pool{poolOf("b", of(0, scope{Namespace: "y"}), high)}, ""},
		"no range":             {poolOf("a", selector{}), nil, "range can't be empty"},
		"no subnet":            {poolOf("a", selector{}, addressRange{Subnet: "x"}), nil, "invalid CIDR address: x, a valid example is 192.168.1.0/24"},
		"outside":              {poolOf("a", selector{}, addressRange{Subnet: "192.0.2.0/25", RangeStart: "10.0.0.1"}), nil, "invalid range start 10.0.0.1: IP 10.0.0.1 is out of subnet 192.0.2.0/25"},
		"network address":      {poolOf("a", selector{}, addressRange{Subnet: "192.0.2.0/25", RangeStart: "192.0.2.0"}), nil, "is the network address"},
		"broadcast address":    {poolOf("a", selector{}, addressRange{Subnet: "192.0.2.0/25", RangeEnd: "192.0.2.127"}), nil, "is the broadcast address"},
		"no gateway":           {poolOf("a", selector{}, addressRange{Subnet: "192.0.2.0/25", Gateway: "x"}), nil, "invalid gateway x"},
		"overlapping ranges":   {poolOf("a", selector{}, low, low), nil, "there are overlaps between range"},
		"overlapping pools":    {poolOf("a", selector{}, low), []pool{poolOf("b", selector{}, low)}, "overlap with other pools"},
		"itself":               {poolOf("a", selector{}, low), []pool{poolOf("a", selector{}, low)}, ""},
		"allocated":            {held, nil, "allocated IP 192.0.2.200 is excluded"},
		"second global one":    {poolOf("a", everything, low), []pool{poolOf("b", everything, high)}, "there is already a global IP pool: b"},
		"scopes":               {poolOf("a", of(0, scope{Namespace: "x"}, scope{Namespace: all}), low), nil, "scope overlaps"},
		"priority":             {poolOf("a", of(1), low), []pool{poolOf("b", of(1), high)}, "the priority can't be the same as the pool b"},
		"scope, no priority":   {poolOf("a", of(0, scope{Namespace: "x"}), low), []pool{poolOf("b", of(0, scope{Namespace: "x"}), high)}, "scope selector is same as the pool b with priority 0"},
		"global beside others": {poolOf("a", everything, low), []pool{poolOf("b", of(0, scope{Namespace: "x"}), high)}, ""},
	} {
		got := ""
		if err := judgePool(&test.p, test.others); err != nil {
			got = err.Error()
		}
		if got == "" != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q instead of %q", name, got, test.want)
		}
	}
}

// One case for each rule of the webhook for load balancers.
func TestJudgeBalancer(t *testing.T) {
	t.Parallel()
	with := func(check *healthCheck, listeners ...listener) *balancer {
		return &balancer{Spec: balancerSpec{Listeners: listeners, HealthCheck: check}}
	}
	a := listener{"a", 80, "TCP", 8080}
	cluster := with(&healthCheck{Port: 1})
	cluster.Spec.WorkloadType = workloadCluster
	for name, test := range map[string]struct {
		b    *balancer
		want string
	}{
		"fine":                 {with((&healthCheck{Port: 8080}).filled(), a), ""},
		"of a cluster":         {cluster, ""},
		"none":                 {with(nil), "at least one listener"},
		"name":                 {with(nil, a, listener{"a", 81, "TCP", 8081}), "duplicate name a"},
		"port":                 {with(nil, a, listener{"b", 80, "TCP", 8081}), "listener b has duplicate port TCP:80 with listener a"},
		"backend port":         {with(nil, a, listener{"b", 81, "TCP", 8080}), "listener b has duplicate backend port TCP:8080 with listener a"},
		"other protocol":       {with(nil, a, listener{"b", 80, "UDP", 8080}), ""},
		"port too small":       {with(nil, listener{"a", 0, "TCP", 1}), "listener port 0 must >= 1"},
		"port too large":       {with(nil, listener{"a", 1, "TCP", 65536}), "listener backend port 65536 must <= 65535"},
		"check of another":     {with((&healthCheck{Port: 1}).filled(), a), "healthcheck port 1 is not in listener backend port list"},
		"check of UDP":         {with((&healthCheck{Port: 53}).filled(), listener{"a", 53, "UDP", 53}), "healthcheck port 53 can only be a TCP backend port"},
		"check without limits": {with(&healthCheck{Port: 8080}, a), "SuccessThreshold should > 0"},
	} {
		err := judgeListeners(test.b)
		if err == nil {
			err = judgeHealthCheck(test.b)
		}
		if err == nil != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v instead of %q", name, err, test.want)
		}
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	global := poolOf("global", selector{Scope: []scope{{all, all, all}}})
	low := poolOf("low", selector{Priority: 1, Scope: []scope{{Namespace: "x"}}})
	high := poolOf("high", selector{Priority: 2, Scope: []scope{{Namespace: "x"}}})
	network := poolOf("network", selector{Priority: 3, Network: "default/v", Scope: []scope{{all, all, all}, {Namespace: "x"}}})
	bare := poolOf("bare", selector{Priority: 9})
	everything := []pool{high, low, network, bare, global}
	for name, test := range map[string]struct {
		pools []pool
		r     requirement
		loose bool
		want  string
	}{
		"highest":         {everything, requirement{Namespace: "x"}, false, "high"},
		"global":          {everything, requirement{Namespace: "y"}, false, "global"},
		"by network":      {everything, requirement{Namespace: "y", Network: "default/v", Cluster: "c"}, false, "network"},
		"none":            {[]pool{bare, low}, requirement{Namespace: "y"}, false, ""},
		"strict, cluster": {[]pool{low}, requirement{Namespace: "x", Cluster: "c"}, false, ""},
		"loose, cluster":  {[]pool{low}, requirement{Namespace: "x", Cluster: "c", Project: "p"}, true, "low"},
	} {
		if got := choose(test.pools, test.r, test.loose); got != test.want {
			t.Errorf("%s: %q instead of %q", name, got, test.want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for subnet, want := range map[string]int64{"192.0.2.0/24": 253, "192.0.2.7/32": 1, "192.0.2.0/29": 5} {
		set, err := rangeSet([]addressRange{{Subnet: subnet}})
		if err != nil {
			t.Fatal(err)
		}
		if got := count(&set[0]); got != want {
			t.Errorf("%s: %d addresses instead of %d", subnet, got, want)
		}
	}
}
