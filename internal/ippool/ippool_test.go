// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package ippool

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// P4: addresses were unchecked until apply. The rules and the defaults are the server's.
func TestUnderstand(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		r         api.IPPoolRange
		want      string // the span, or the argument to blame
		addresses int64
	}{
		"all given":         {api.IPPoolRange{Subnet: "192.0.2.0/24", RangeStart: "192.0.2.10", RangeEnd: "192.0.2.19", Gateway: "192.0.2.1"}, "192.0.2.10 to 192.0.2.19", 10},
		"gateway inside":    {api.IPPoolRange{Subnet: "192.0.2.0/24", RangeStart: "192.0.2.10", RangeEnd: "192.0.2.19", Gateway: "192.0.2.12"}, "192.0.2.10 to 192.0.2.19", 9},
		"defaults":          {api.IPPoolRange{Subnet: "192.0.2.0/29"}, "192.0.2.1 to 192.0.2.6", 5},
		"host bits":         {api.IPPoolRange{Subnet: "192.0.2.5/29"}, "192.0.2.1 to 192.0.2.6", 5},
		"single address":    {api.IPPoolRange{Subnet: "192.0.2.7/32"}, "192.0.2.7 to 192.0.2.7", 1},
		"swapped":           {api.IPPoolRange{Subnet: "192.0.2.0/24", RangeStart: "192.0.2.19", RangeEnd: "192.0.2.10"}, "192.0.2.10 to 192.0.2.19", 10},
		"IPv6":              {api.IPPoolRange{Subnet: "2001:db8::/64", RangeStart: "2001:db8::10", RangeEnd: "2001:db8:0::1f"}, "2001:db8::10 to 2001:db8::1f", 16},
		"no subnet":         {api.IPPoolRange{Subnet: "192.0.2.0"}, "subnet", 0},
		"bad subnet":        {api.IPPoolRange{Subnet: "192.0.300.0/24"}, "subnet", 0},
		"bad start":         {api.IPPoolRange{Subnet: "192.0.2.0/24", RangeStart: "ten"}, "start", 0},
		"end outside":       {api.IPPoolRange{Subnet: "192.0.2.0/24", RangeEnd: "192.0.3.10"}, "end", 0},
		"other family":      {api.IPPoolRange{Subnet: "192.0.2.0/24", RangeStart: "::1"}, "start", 0},
		"network address":   {api.IPPoolRange{Subnet: "192.0.2.0/24", RangeStart: "192.0.2.0"}, "start", 0},
		"broadcast address": {api.IPPoolRange{Subnet: "192.0.2.0/24", RangeEnd: "192.0.2.255"}, "end", 0},
		"gateway outside":   {api.IPPoolRange{Subnet: "192.0.2.0/24", Gateway: "198.51.100.1"}, "gateway", 0},
	} {
		one, wrong := understand(test.r)
		switch {
		case wrong != nil && wrong.argument != test.want:
			t.Errorf("%s: %s is to blame: %s", name, wrong.argument, wrong.reason)
		case wrong == nil && (one.String() != test.want || one.count() != test.addresses):
			t.Errorf("%s: %s, %d addresses", name, one, one.count())
		}
	}
}

func pool(name string, selector *api.IPPoolSelector, ranges ...api.IPPoolRange) *api.IPPool {
	p := &api.IPPool{Spec: api.IPPoolSpec{Ranges: ranges, Selector: selector}}
	p.Name = name
	return p
}

// The rules of the webhook between two pools.
func TestConflict(t *testing.T) {
	t.Parallel()
	low, high := api.IPPoolRange{Subnet: "192.0.2.0/25"}, api.IPPoolRange{Subnet: "192.0.2.128/25"}
	scoped := func(priority int64, namespace string) *api.IPPoolSelector {
		return &api.IPPoolSelector{Priority: priority, Scope: []api.IPPoolScope{{Namespace: namespace}}}
	}
	whole := &api.IPPoolSelector{Scope: []api.IPPoolScope{{Project: all, Namespace: all, GuestCluster: all}}}
	elsewhere := scoped(0, "a")
	elsewhere.Network = "default/vlan"
	for name, test := range map[string]struct {
		mine, other *api.IPPool
		want        string
	}{
		"apart":             {pool("a", nil, low), pool("b", nil, high), ""},
		"itself":            {pool("a", nil, low), pool("a", nil, low), ""},
		"overlapping":       {pool("a", nil, high, low), pool("b", nil, low), "Overlapping IP ranges"},
		"two global ones":   {pool("a", whole, low), pool("b", whole, high), "Second global IP pool"},
		"global and scoped": {pool("a", whole, low), pool("b", scoped(0, "a"), high), ""},
		"same priority":     {pool("a", scoped(1, "a"), low), pool("b", scoped(1, "b"), high), "Priority already taken"},
		"other priority":    {pool("a", scoped(1, "a"), low), pool("b", scoped(2, "a"), high), ""},
		"same scope":        {pool("a", scoped(0, "a"), low), pool("b", scoped(0, all), high), "Scope already taken"},
		"other scope":       {pool("a", scoped(0, "a"), low), pool("b", scoped(0, "b"), high), ""},
		"other network":     {pool("a", scoped(0, "a"), low), pool("b", elsewhere, high), ""},
	} {
		got := ""
		if found := conflict(test.mine, test.other); found != nil {
			got = found.Summary()
		}
		if got != test.want {
			t.Errorf("%s: %q instead of %q", name, got, test.want)
		}
	}
}

func modelOf(t *testing.T, p *api.IPPool) *model {
	t.Helper()
	m := &model{Ranges: types.ListNull(rangeType), Selector: types.ListNull(selectorType)}
	m.Tags, m.Labels = types.MapNull(types.StringType), types.MapNull(types.StringType)
	fill(t, m, p)
	return m
}

func fill(t *testing.T, m *model, p *api.IPPool) {
	t.Helper()
	if diags := tfbase.Fill[model, api.IPPool, *model, *api.IPPool](t.Context(), m, p); diags.HasError() {
		t.Fatal(diags)
	}
}

// P1: only the name was read. C3: the labels of the server are not those of the user. What means the same keeps its spelling.
func TestRead(t *testing.T) {
	t.Parallel()
	p := pool("a", &api.IPPoolSelector{Priority: 3, Scope: []api.IPPoolScope{{Namespace: "x"}}}, api.IPPoolRange{Subnet: "2001:db8::/64", RangeStart: "2001:db8::1"})
	p.Spec.Description = "lab"
	p.Labels = map[string]string{api.LabelGlobalPool: "false", "team": "blue"}
	p.Status = api.IPPoolStatus{Total: 4, Available: 3, LastAllocated: "2001:db8::2", Allocated: map[string]string{"2001:db8::2": "default/web"}, Conditions: []api.Condition{{Type: "Ready", Status: "True"}}}
	m := modelOf(t, p)
	if m.Description.ValueString() != "lab" || m.State.ValueString() != stateReady || m.Total.ValueInt64() != 4 || len(m.Allocated.Elements()) != 1 || len(m.Labels.Elements()) != 1 {
		t.Errorf("%+v", m)
	}
	imported := *m
	p.Spec.Ranges[0].RangeStart = "2001:db8:0:0::1"
	if fill(t, m, p); !m.Ranges.Equal(imported.Ranges) {
		t.Errorf("another spelling shows as %s", m.Ranges)
	}
	p.Spec.Ranges[0].RangeStart = "2001:db8::9"
	if fill(t, m, p); !strings.Contains(m.Ranges.String(), "2001:db8::9") {
		t.Errorf("a change by others does not show: %s", m.Ranges)
	}
}

// P5, C1: nothing could be unset. C2: labels of others are left alone.
func TestChanges(t *testing.T) {
	t.Parallel()
	full := pool("a", &api.IPPoolSelector{Priority: 3, Network: "default/v", Scope: []api.IPPoolScope{{Namespace: "x"}}}, api.IPPoolRange{Subnet: "192.0.2.0/24", Gateway: "192.0.2.1"})
	full.Spec.Description = "lab"
	bare := pool("a", nil, api.IPPoolRange{Subnet: "192.0.2.0/24"})
	for name, test := range map[string]struct {
		before, plan *api.IPPool
		want         string
	}{
		"nothing": {full, full, `null`},
		"removed": {full, bare, `{"spec":{"description":"","ranges":[{"subnet":"192.0.2.0/24"}],"selector":{"network":"","priority":0,"scope":[]}}}`},
		"added": {bare, full, `{"spec":{"description":"lab","ranges":[{"subnet":"192.0.2.0/24","gateway":"192.0.2.1"}],` +
			`"selector":{"network":"default/v","priority":3,"scope":[{"namespace":"x"}]}}}`},
	} {
		patch, diags := tfbase.Changes[model, api.IPPool](t.Context(), modelOf(t, test.plan), modelOf(t, test.before))
		got, err := json.Marshal(patch)
		if err != nil || diags.HasError() || string(got) != test.want {
			t.Errorf("%s: %s (%v, %v)", name, got, err, diags)
		}
	}
}

func TestJudgeScopes(t *testing.T) {
	t.Parallel()
	text := types.StringValue
	judge := func(network types.String, scopes ...scopeBlock) diag.Diagnostics {
		return blocks{selectors: []selectorBlock{{Network: network, Scope: types.ListNull(scopeType)}}, scopes: scopes}.judgeScopes()
	}
	for name, test := range map[string]struct {
		got  diag.Diagnostics
		want string
	}{
		"none":                     {judge(types.StringNull()), "Selector without scope"},
		"alike":                    {judge(types.StringNull(), scopeBlock{Namespace: text("a")}, scopeBlock{Namespace: text("*")}), "Overlapping scopes"},
		"apart":                    {judge(types.StringNull(), scopeBlock{Namespace: text("a")}, scopeBlock{Namespace: text("b")}), ""},
		"not known yet":            {judge(types.StringNull(), scopeBlock{Namespace: text("a")}, scopeBlock{Namespace: types.StringUnknown()}), ""},
		"network without clusters": {judge(text("default/v"), scopeBlock{Namespace: text("a")}), "Network of a pool for virtual machines"},
		"network with clusters":    {judge(text("default/v"), scopeBlock{Namespace: text("a"), GuestCluster: text("*")}), ""},
	} {
		got := ""
		if len(test.got) > 0 {
			got = test.got[0].Summary()
		}
		if got != test.want {
			t.Errorf("%s: %q instead of %q", name, got, test.want)
		}
	}
}
