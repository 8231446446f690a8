// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

// What a change does not move of what the cluster shows stays known.
func TestPlanStaysCalm(t *testing.T) {
	t.Parallel()
	const all = "state message node_name requests ip_address interface_name"
	hot := func() disk.Disk {
		d := blankDisk("hot")
		d.HotPlug = types.BoolValue(true)
		return d
	}
	leased := card("second")
	leased.WaitForLease = types.BoolValue(true)
	for name, test := range map[string]struct {
		before  func(*machine)
		change  func(*machine)
		unknown string // of what the cluster shows; those of the first interface
	}{
		"description": {change: func(m *machine) { m.Description = text("new") }},
		"labels and tags": {change: func(m *machine) {
			m.Labels, m.Tags = tags(map[string]string{"a": "b"}), tags(map[string]string{"a": "b"})
		}},
		"auto_delete":           {change: func(m *machine) { m.disks[0].AutoDelete = types.BoolValue(true) }},
		"a larger disk":         {change: func(m *machine) { m.disks[0].Size = text("20Gi") }},
		"wait, address known":   {change: func(m *machine) { m.interfaces[0].WaitForLease = types.BoolValue(true) }},
		"restarts switched on":  {change: func(m *machine) { m.RestartAfterUpdate = types.BoolValue(true) }},
		"a disk more":           {change: func(m *machine) { m.disks = append(m.disks, blankDisk("more")) }, unknown: "message"},
		"a hot-plugged disk":    {change: func(m *machine) { m.disks = append(m.disks, hot()) }, unknown: "message"},
		"boot order":            {change: func(m *machine) { m.disks[0].BootOrder = types.Int64Value(1) }, unknown: "message"},
		"another CPU":           {change: func(m *machine) { m.CPU = types.Int64Value(2) }, unknown: "message node_name requests"},
		"cloud-init":            {change: func(m *machine) { m.cloudInit = userData("#cloud-config") }, unknown: "message"},
		"an interface more":     {change: func(m *machine) { m.interfaces = append(m.interfaces, card("second")) }, unknown: "message node_name"},
		"one that waits":        {change: func(m *machine) { m.interfaces = append(m.interfaces, leased) }, unknown: "state message node_name"},
		"it stops":              {change: func(m *machine) { m.RunStrategy = text("Halted") }, unknown: "state message node_name ip_address interface_name"},
		"a CPU, with a restart": {change: func(m *machine) { m.CPU, m.RestartAfterUpdate = types.Int64Value(2), types.BoolValue(true) }, unknown: all},
		"a description, with restarts": {
			before: func(m *machine) {
				m.Message, m.RestartAfterUpdate = text("A restart is needed: a field was changed."), types.BoolValue(true)
			},
			change: func(m *machine) { m.Description, m.RestartAfterUpdate = text("new"), types.BoolValue(true) },
		},
		"a pending restart is switched on": {
			before:  func(m *machine) { m.Message = text("A restart is needed: a field was changed.") },
			change:  func(m *machine) { m.RestartAfterUpdate = types.BoolValue(true) },
			unknown: "state message node_name ip_address interface_name",
		},
		"wait for an address": {
			before:  func(m *machine) { m.interfaces[0].IPAddress = types.StringNull() },
			change:  func(m *machine) { m.interfaces[0].WaitForLease = types.BoolValue(true) },
			unknown: "state ip_address interface_name",
		},
		"not at rest": {
			before:  func(m *machine) { m.State = text(stateStarting) },
			change:  func(m *machine) { m.Description = text("new") },
			unknown: "state message node_name ip_address interface_name",
		},
		"powered off by its guest": {
			before: func(m *machine) {
				m.State, m.NodeName, m.interfaces[0].IPAddress = text(stateOff), types.StringNull(), types.StringNull()
			},
			change: func(m *machine) {
				m.Hostname, m.RestartAfterUpdate = text("new"), types.BoolValue(true)
				m.interfaces[0].WaitForLease = types.BoolValue(true)
			},
		},
		"off, but always to run": {
			before:  func(m *machine) { m.State, m.RunStrategy = text(stateOff), text("Always") },
			change:  func(m *machine) { m.Description, m.RunStrategy = text("new"), text("Always") },
			unknown: "state message node_name ip_address interface_name",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := stored(volumeDisk("a", "v-a"))
			state.Requests = asking("100m", "682Mi")
			if test.before != nil {
				test.before(state)
			}
			plan := basic()
			plan.disks = []disk.Disk{imageDisk("a")}
			plan.ID, plan.Hostname, plan.MachineType = state.ID, state.Hostname, state.MachineType
			test.change(&plan)
			got, resp := planned(t, plan, state)
			noError(t, resp.Diagnostics)
			var unknown []string
			first := nic.Named(got.interfaces, "nic-1")
			for _, shown := range []struct {
				name    string
				unknown bool
			}{
				{"state", got.State.IsUnknown()},
				{"message", got.Message.IsUnknown()},
				{"node_name", got.NodeName.IsUnknown()},
				{"requests", got.Requests.IsUnknown()},
				{"ip_address", first.IPAddress.IsUnknown()},
				{"interface_name", first.InterfaceName.IsUnknown()},
			} {
				if shown.unknown {
					unknown = append(unknown, shown.name)
				}
			}
			if !slices.Equal(unknown, strings.Fields(test.unknown)) {
				t.Errorf("unknown are %q, want %q", unknown, test.unknown)
			}
		})
	}
}

// What was planned as known is what apply returns, whatever moved by itself in the meantime; the rest is the truth.
func TestAsPlanned(t *testing.T) {
	t.Parallel()
	plan := *stored(volumeDisk("a", "v-a"))
	plan.Message, plan.Requests = types.StringUnknown(), asking("100m", "682Mi")
	added := card("new")
	plan.interfaces = append(plan.interfaces, added)
	noError(t, plan.pack(t.Context()))
	wanted := *plan.model
	plan.model = &wanted

	seen := *stored(volumeDisk("a", "v-a"))
	seen.State, seen.Message, seen.NodeName, seen.Requests = text(stateRunning), text("new"), text("node-2"), asking("1", "1Gi")
	seen.interfaces[0].IPAddress = text("10.0.0.2")
	added.IPAddress, added.InterfaceName = text("10.0.0.3"), text("eth1")
	seen.interfaces = append(seen.interfaces, added)
	noError(t, seen.pack(t.Context()))
	noError(t, seen.asPlanned(t.Context(), plan))
	back, diags := seen.model.machine(t.Context())
	noError(t, diags)
	if back.State.ValueString() != stateReady || back.NodeName.ValueString() != "node-1" || !back.Requests.Equal(wanted.Requests) || back.interfaces[0].IPAddress.ValueString() != "10.0.0.1" {
		t.Errorf("what was planned is not kept: %s %s %s %s", back.State, back.NodeName, back.Requests, back.interfaces[0].IPAddress)
	}
	if back.Message.ValueString() != "new" || back.interfaces[1].IPAddress.ValueString() != "10.0.0.3" || back.interfaces[1].InterfaceName.ValueString() != "eth1" {
		t.Errorf("the truth is hidden: %s %+v", back.Message, back.interfaces[1])
	}
}
