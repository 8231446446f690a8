// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

// planning is one call of ModifyPlan on the way through its steps.
type planning struct {
	resource.ModifyPlanRequest
	resp    *resource.ModifyPlanResponse
	machine machine
	before  *machine // nil on creation
}

// ModifyPlan fills in what is known beforehand, plans a replacement where only
// another volume will do, and passes new uses of images through the gate. It
// runs in the plan walk and again, with everything known, in the apply walk.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	p := planning{ModifyPlanRequest: req, resp: resp}
	defer func() { r.tell(&p) }()
	if p.load(ctx); req.Plan.Raw.IsNull() {
		return
	}
	for _, step := range []func(context.Context){p.strategy, p.growth, p.spelling, p.terminating, p.disks, p.leavesBehind, p.interfaces, p.requests, p.calm, p.settle} {
		if resp.Diagnostics.HasError() {
			return
		}
		step(ctx)
	}
	if r.Session != nil && !resp.Diagnostics.HasError() && !resp.Plan.Raw.Equal(req.State.Raw) {
		resp.Diagnostics.Append(r.Session.Within(ctx, func(ctx context.Context) diag.Diagnostics { return p.check(ctx, r) })...)
	}
}

func (p *planning) load(ctx context.Context) {
	if !p.Plan.Raw.IsNull() {
		var plan model
		p.resp.Diagnostics.Append(p.Plan.Get(ctx, &plan)...)
		var diags diag.Diagnostics
		p.machine, diags = plan.machine(ctx)
		p.resp.Diagnostics.Append(diags...)
	}
	if p.State.Raw.IsNull() {
		return
	}
	var state model
	p.resp.Diagnostics.Append(p.State.Get(ctx, &state)...)
	before, diags := state.machine(ctx)
	p.resp.Diagnostics.Append(diags...)
	p.before = &before
}

// tell lets the volumes of this walk know which of them the machine lets go of.
func (r *Resource) tell(p *planning) {
	if r.Session != nil && p.before != nil {
		r.Session.Machines.Plan(session.MachineID(tfbase.KeyID(p.before)), p.released())
	}
}

// released are the volumes that the machine has and will not have. One that is deleted lets go by ending.
func (p *planning) released() []string {
	if p.Plan.Raw.IsNull() {
		return nil
	}
	var released []string
	for _, name := range p.before.volumes() {
		kept := slices.ContainsFunc(p.machine.disks, func(d disk.Disk) bool {
			return d.VolumeName.ValueString() == name || d.ExistingVolumeName.ValueString() == name
		})
		if !kept {
			released = append(released, name)
		}
	}
	return released
}

// volumes are the volumes that the disks have.
func (m machine) volumes() (names []string) {
	for _, d := range m.disks {
		if name := d.VolumeName.ValueString(); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// unset says that the configuration has null for an argument.
func (p *planning) unset(ctx context.Context, attribute string) bool {
	var configured types.String
	p.resp.Diagnostics.Append(p.Config.GetAttribute(ctx, path.Root(attribute), &configured)...)
	return configured.IsNull()
}

// strategy lets the deprecated start stand for a run strategy.
func (p *planning) strategy(ctx context.Context) {
	start := p.machine.Start
	if start.IsNull() || !p.unset(ctx, "run_strategy") {
		return
	}
	strategy := types.StringUnknown()
	if !start.IsUnknown() {
		strategy = types.StringValue(strategyFor(start.ValueBool()))
	}
	p.machine.RunStrategy = strategy
	p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, path.Root("run_strategy"), strategy)...)
}

func strategyFor(start bool) string {
	if start {
		return string(kubevirtv1.RunStrategyRerunOnFailure)
	}
	return string(kubevirtv1.RunStrategyHalted)
}

// growth plans how far CPUs and memory can grow: as they can, if the configuration does not say.
func (p *planning) growth(ctx context.Context) {
	m, open := p.machine.model, types.Int64{}
	p.resp.Diagnostics.Append(p.Config.GetAttribute(ctx, path.Root("max_cpu"), &open)...)
	switch {
	case open.IsNull() && p.before != nil:
		m.MaxCPU, m.MaxMemory = p.before.MaxCPU, p.before.MaxMemory
	case arg.Known(m.MaxCPU) && !m.grows() && p.unset(ctx, "max_memory"):
		m.MaxMemory = types.StringNull()
	default:
		return
	}
	p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, path.Root("max_cpu"), m.MaxCPU)...)
	p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, path.Root("max_memory"), m.MaxMemory)...)
}

// spelling keeps a value as the state has it if the configuration says the same in other words:
// an import, and the state of the official provider, can only guess at the words.
func (p *planning) spelling(ctx context.Context) {
	if p.before == nil {
		return
	}
	keep := func(at path.Path, planned *types.String, old types.String, equal bool) {
		if equal && arg.Set(*planned) && arg.Set(old) && !planned.Equal(old) {
			*planned = old
			p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, at, old)...)
		}
	}
	m, before := &p.machine, p.before
	namespace := m.Namespace.ValueString()
	if before.Memory.IsNull() && p.unset(ctx, "memory") {
		m.Memory = before.Memory // a machine made elsewhere may have it from an instance type
		p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, path.Root("memory"), before.Memory)...)
	}
	keep(path.Root("memory"), &m.Memory, before.Memory, sameQuantity(m.Memory.ValueString(), before.Memory.ValueString()))
	keep(path.Root("max_memory"), &m.MaxMemory, before.MaxMemory, sameQuantity(m.MaxMemory.ValueString(), before.MaxMemory.ValueString()))
	keep(path.Root("reserved_memory"), &m.ReservedMemory, before.ReservedMemory, sameQuantity(m.ReservedMemory.ValueString(), before.ReservedMemory.ValueString()))
	for i := range m.disks[:min(len(m.disks), len(before.disks))] {
		d, old := &m.disks[i], before.disks[i]
		if !d.Name.Equal(old.Name) {
			continue // Terraform compares by place in the list
		}
		keep(diskPath(i, "image"), &d.Image, old.Image, arg.Qualified(d.Image, namespace) == arg.Qualified(old.Image, namespace))
		keep(diskPath(i, "size"), &d.Size, old.Size, sameQuantity(d.Size.ValueString(), old.Size.ValueString()))
	}
	for i := range m.interfaces[:min(len(m.interfaces), len(before.interfaces))] {
		n, old := &m.interfaces[i], before.interfaces[i]
		keep(path.Root("network_interface").AtListIndex(i).AtName("mac_address"), &n.MACAddress, old.MACAddress, n.Name.Equal(old.Name) && n.SameMAC(old))
	}
	if arg.Known(m.SSHKeys) && arg.Known(before.SSHKeys) && len(m.sshKeys) == len(m.SSHKeys.Elements()) && slices.Equal(m.keyIDs(), before.keyIDs()) {
		m.SSHKeys = before.SSHKeys
		p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, path.Root("ssh_keys"), before.SSHKeys)...)
	}
}

// terminating plans a new machine in the place of one that is being deleted.
func (p *planning) terminating(ctx context.Context) {
	if p.before != nil {
		tfbase.ReplaceTerminating(ctx, p.before.State, p.resp)
	}
}

// disks carries what the state knows of each disk over to the disk of the same
// name in the plan, wherever it is in the list.
func (p *planning) disks(ctx context.Context) {
	for i := range p.machine.disks {
		d := &p.machine.disks[i]
		planned, old := *d, p.before.disk(*d)
		d.Settle(old, p.machine.Namespace.ValueString())
		if *d != planned {
			p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, path.Root("disk").AtListIndex(i), *d)...)
		}
		if old == nil {
			continue
		}
		p.replacement(i, *d, *old)
		p.swap(i, *d, *old)
		if d.Shrinks(*old) && !p.replaced() {
			p.resp.Diagnostics.AddAttributeError(diskPath(i, "size"), "Volume cannot shrink",
				fmt.Sprintf("The disk %q has %s, and the configuration asks for %s. A volume can grow but not shrink.\n\n"+
					"Set the size to at least %s, or give the disk another name to get a new volume; the old one is detached then and stays.",
					d.Name.ValueString(), old.Size.ValueString(), d.Size.ValueString(), old.Size.ValueString()))
		}
	}
}

// replacement plans a new machine where a disk wants what its volume can never be.
func (p *planning) replacement(i int, d, old disk.Disk) {
	changed := d.Replaces(old, p.machine.Namespace.ValueString())
	if len(changed) == 0 {
		return
	}
	for _, attribute := range changed {
		p.resp.RequiresReplace.Append(diskPath(i, attribute))
	}
	if named := p.before.disks; i >= len(named) || !named[i].Name.Equal(d.Name) {
		// Terraform compares by place in the list, and the disk is at another place now.
		p.resp.RequiresReplace.Append(path.Root("disk"))
	}
}

// swap refuses another medium under the name of the volume that holds the old one.
func (p *planning) swap(i int, d, old disk.Disk) {
	if !d.Swaps(old, p.machine.Namespace.ValueString()) || !arg.Set(d.VolumeName) || !d.VolumeName.Equal(old.VolumeName) {
		return
	}
	p.resp.Diagnostics.AddAttributeError(diskPath(i, "volume_name"), "Volume would stay in the way",
		fmt.Sprintf("The CD drive %q is to have another medium, which needs a volume of its own, and the volume %q holds the old one.\n\n"+
			"Give the new volume another volume_name, or leave it out.", d.Name.ValueString(), old.VolumeName.ValueString()))
}

// leavesBehind tells which volumes a replacement of the machine leaves in the cluster, and refuses a new machine
// that would find one of them under the name of its own.
func (p *planning) leavesBehind(context.Context) {
	if p.before == nil || !p.replaced() {
		return
	}
	var kept []string
	for _, old := range p.before.disks {
		name := old.VolumeName.ValueString()
		if name == "" || !old.Owns() || old.AutoDelete.ValueBool() {
			continue
		}
		if i, taken := p.takes(name); taken {
			p.resp.Diagnostics.AddAttributeError(diskPath(i, "volume_name"), "Volume would stay in the way",
				fmt.Sprintf("The machine would be replaced. Its volume %q is not deleted with it (auto_delete is off), and the new machine would find it under the name of its own.\n\n"+
					"To go on with the volume and its data, set existing_volume_name = %q in place of volume_name. For a new volume choose another volume_name, or leave it out.", name, name))
			continue
		}
		if !p.attaches(name) {
			kept = append(kept, fmt.Sprintf("%q of the disk %q", name, old.Name.ValueString()))
		}
	}
	if len(kept) > 0 {
		p.resp.Diagnostics.AddAttributeWarning(path.Root("disk"), "Volumes are left behind", fmt.Sprintf(
			"The %s is replaced, and the new machine gets new volumes. These volumes of the old one stay in the cluster with their data, because auto_delete is off: %s.\n\n"+
				"To go on with the data of one, name it as existing_volume_name in its disk, in place of image, size and volume_name. "+
				"Delete those that are not needed any more after the apply.", p.before.title(), strings.Join(kept, ", ")))
	}
}

// takes finds the disk that the configuration gives a new volume of that name.
func (p *planning) takes(volume string) (int, bool) {
	for i, d := range p.machine.disks {
		if d.Owns() && d.VolumeName.ValueString() == volume && p.stays() && p.configures(i, "volume_name") {
			return i, true
		}
	}
	return 0, false
}

// attaches says that a disk has the volume as one that is there already.
func (p *planning) attaches(volume string) bool {
	return p.stays() && slices.ContainsFunc(p.machine.disks, func(d disk.Disk) bool { return d.ExistingVolumeName.ValueString() == volume })
}

// stays says that the machine stays in its namespace, where its volumes are.
func (p *planning) stays() bool { return p.machine.Namespace.Equal(p.before.Namespace) }

// configures says whether the configuration itself sets an argument of a disk.
func (p *planning) configures(i int, attribute string) bool {
	var value types.String
	diags := p.Config.GetAttribute(context.Background(), diskPath(i, attribute), &value)
	return !diags.HasError() && !value.IsNull()
}

// replaced says that the machine is planned to be replaced.
func (p *planning) replaced() bool {
	return len(p.resp.RequiresReplace) > 0 || !p.machine.Name.Equal(p.before.Name) || !p.machine.Namespace.Equal(p.before.Namespace)
}

func (p *planning) interfaces(ctx context.Context) {
	for i := range p.machine.interfaces {
		n := &p.machine.interfaces[i]
		planned := *n
		var old *nic.Interface
		if p.before != nil {
			old = nic.Named(p.before.interfaces, n.Name.ValueString())
		}
		n.Settle(old)
		if *n != planned {
			p.resp.Diagnostics.Append(p.resp.Plan.SetAttribute(ctx, path.Root("network_interface").AtListIndex(i), *n)...)
		}
	}
}

// settle drops a plan whose only differences are values to be computed anew:
// nothing would be done.
func (p *planning) settle(context.Context) {
	if p.before == nil || p.replaced() || !p.Config.Raw.IsFullyKnown() {
		return
	}
	plan, err := tftypes.Transform(p.resp.Plan.Raw, func(at *tftypes.AttributePath, value tftypes.Value) (tftypes.Value, error) {
		if value.IsKnown() {
			return value, nil
		}
		if old, _, err := tftypes.WalkAttributePath(p.State.Raw, at); err == nil {
			if old, ok := old.(tftypes.Value); ok {
				return old, nil
			}
		}
		return value, nil
	})
	if err == nil && plan.Equal(p.State.Raw) {
		p.resp.Plan.Raw = p.State.Raw
	}
}

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return tfbase.FromOfficial(vmSchema(), cleanOfficial)
}
