// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

// stir is what a change may move of what the cluster shows of a machine. All else stays known in the plan: people
// run provisioners over addresses, and those must not run again for a new description.
type stir struct {
	all     bool // the machine starts, stops or restarts, or has not come to rest
	message bool // KubeVirt may say that a restart is needed
	node    bool // the machine may migrate: so are CPUs, memory and interfaces added while it runs
}

// stirs judges the planned change of a machine.
func (m machine) stirs(before machine) stir {
	switch {
	case !before.rests(), !m.RunStrategy.Equal(before.RunStrategy), m.mayRestart(before):
		return stir{all: true}
	case before.State.ValueString() == stateOff || !m.reshapes(before):
		return stir{}
	}
	return stir{
		message: true,
		node: !m.CPU.Equal(before.CPU) || m.resizes(before.model) || !m.Memory.Equal(before.Memory) || !m.NodeSelector.Equal(before.NodeSelector) || m.moves(before) ||
			!slices.Equal(shapesOf(m.interfaces), shapesOf(before.interfaces)),
	}
}

// rests says that the machine, as the state has it, is where its run strategy leaves it.
func (m machine) rests() bool {
	switch m.State.ValueString() {
	case stateReady:
		return m.RunStrategy.ValueString() != string(kubevirtv1.RunStrategyHalted)
	case stateOff: // with RerunOnFailure the guest has shut it down
		return m.RunStrategy.ValueString() != string(kubevirtv1.RunStrategyAlways)
	}
	return false
}

// mayRestart says that the change may bring a restart with it. Whether KubeVirt takes a change as it is, apply finds out.
func (m machine) mayRestart(before machine) bool {
	if !m.RestartAfterUpdate.IsUnknown() && !m.RestartAfterUpdate.ValueBool() || before.State.ValueString() == stateOff {
		return false
	}
	pending := strings.HasPrefix(before.Message.ValueString(), restartNeeded) && !before.RestartAfterUpdate.ValueBool()
	return pending || m.reshapes(before)
}

// reshapes says that the change is one of the machine itself, not only of what is noted about it. What is
// unknown counts as changed.
func (m machine) reshapes(before machine) bool {
	for _, pair := range [][2]attr.Value{
		{m.CPU, before.CPU},
		{m.Memory, before.Memory},
		{m.ReservedMemory, before.ReservedMemory},
		{m.Requests, before.Requests},
		{m.CPUModel, before.CPUModel},
		{m.CPUPinning, before.CPUPinning},
		{m.IsolateEmulatorThread, before.IsolateEmulatorThread},
		{m.NodeSelector, before.NodeSelector},
		{m.MachineType, before.MachineType},
		{m.EFI, before.EFI},
		{m.SecureBoot, before.SecureBoot},
		{m.Hostname, before.Hostname},
		{settled(m.EvictionStrategy, before.EvictionStrategy), before.EvictionStrategy},
		{settled(m.TerminationGracePeriodSeconds, before.TerminationGracePeriodSeconds), before.TerminationGracePeriodSeconds},
		{m.Input, before.Input},
		{m.TPM, before.TPM},
		{m.HostDevice, before.HostDevice},
	} {
		if !pair[0].Equal(pair[1]) {
			return true
		}
	}
	return m.moves(before) || m.resizes(before.model) || m.Disk.IsUnknown() || m.NetworkInterface.IsUnknown() || m.Tags.IsUnknown() || !m.seedsLike(before) ||
		!slices.Equal(diskShapes(m.disks), diskShapes(before.disks)) || !slices.Equal(shapesOf(m.interfaces), shapesOf(before.interfaces))
}

// settled is a planned value; what is unknown only because the state does not have it yet is no change.
func settled(planned, old attr.Value) attr.Value {
	if planned.IsUnknown() && old.IsNull() {
		return old
	}
	return planned
}

// moves says that the change is about the nodes that the machine may run on, in a block.
func (m machine) moves(before machine) bool {
	for _, pair := range [][2]types.List{
		{m.NodeAffinity, before.NodeAffinity},
		{m.PodAffinity, before.PodAffinity},
		{m.PodAntiAffinity, before.PodAntiAffinity},
		{m.Toleration, before.Toleration},
	} {
		if len(pair[0].Elements())+len(pair[1].Elements()) > 0 && !pair[0].Equal(pair[1]) || pair[0].IsUnknown() {
			return true
		}
	}
	return false
}

// diskShapes are the disks without what only their volumes and templates have.
func diskShapes(disks []disk.Disk) []disk.Disk {
	shapes := slices.Clone(disks)
	for i := range shapes {
		shapes[i].AutoDelete, shapes[i].Size = types.BoolNull(), types.StringNull()
	}
	return shapes
}

// shapesOf are the interfaces without what the cluster shows of them, and without the wish to wait.
func shapesOf(interfaces []nic.Interface) []nic.Interface {
	shapes := slices.Clone(interfaces)
	for i := range shapes {
		shapes[i].IPAddress, shapes[i].InterfaceName, shapes[i].WaitForLease = types.StringNull(), types.StringNull(), types.BoolNull()
	}
	return shapes
}

// calm plans what the cluster shows of the machine as the state has it, but for what the change may move.
func (p *planning) calm(ctx context.Context) {
	if p.before == nil || p.replaced() {
		return
	}
	stir := p.machine.stirs(*p.before)
	if stir.all {
		return
	}
	keep := func(at path.Path, planned *types.String, old types.String, moves bool) {
		if planned.IsUnknown() && !moves {
			*planned = old
			p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, at, old)...)
		}
	}
	runs := p.before.State.ValueString() != stateOff
	awaits := runs && p.machine.NetworkInterface.IsUnknown()
	for i := range p.machine.interfaces {
		n := &p.machine.interfaces[i]
		old := nic.Named(p.before.interfaces, n.Name.ValueString())
		if old == nil {
			awaits = awaits || runs && !n.WaitForLease.Equal(types.BoolValue(false))
			continue
		}
		waits := runs && !n.WaitForLease.Equal(types.BoolValue(false)) && old.IPAddress.ValueString() == ""
		awaits = awaits || waits
		block := path.Root("network_interface").AtListIndex(i)
		keep(block.AtName("ip_address"), &n.IPAddress, old.IPAddress, waits)
		keep(block.AtName("interface_name"), &n.InterfaceName, old.InterfaceName, waits)
	}
	keep(path.Root("state"), &p.machine.State, p.before.State, awaits)
	keep(path.Root("message"), &p.machine.Message, p.before.Message, stir.message)
	keep(path.Root("node_name"), &p.machine.NodeName, p.before.NodeName, stir.node)
}

// asPlanned keeps what was planned as known: by the next look, what has moved by itself is in the state.
func (m *model) asPlanned(ctx context.Context, planned machine) diag.Diagnostics {
	for _, pair := range [][2]*types.String{{&m.State, &planned.State}, {&m.Message, &planned.Message}, {&m.NodeName, &planned.NodeName}} {
		keepKnown(pair[0], *pair[1])
	}
	if !planned.MaxCPU.IsUnknown() && !planned.MaxMemory.IsUnknown() {
		m.MaxCPU, m.MaxMemory = planned.MaxCPU, planned.MaxMemory
	}
	if tfbase.Known(planned.Requests) {
		m.Requests = planned.Requests
	}
	seen, diags := m.machine(ctx)
	for i := range seen.interfaces {
		n := &seen.interfaces[i]
		if old := nic.Named(planned.interfaces, n.Name.ValueString()); old != nil {
			keepKnown(&n.IPAddress, old.IPAddress)
			keepKnown(&n.InterfaceName, old.InterfaceName)
		}
	}
	return append(diags, seen.pack(ctx)...)
}

func keepKnown(value *types.String, planned types.String) {
	if !planned.IsUnknown() {
		*value = planned
	}
}
