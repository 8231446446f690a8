// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

// planned runs ModifyPlan, without a cluster, on a plan as the framework hands
// it over: what is computed and not configured is unknown. The configuration is
// the plan with null for unknown.
func planned(t *testing.T, plan machine, state *machine) (machine, *resource.ModifyPlanResponse) {
	t.Helper()
	return plannedWith(t, plan, state, nil)
}

func plannedWith(t *testing.T, plan machine, state *machine, configure func(*model)) (machine, *resource.ModifyPlanResponse) {
	t.Helper()
	ctx := context.Background()
	s := vmSchema()
	null := tftypes.NewValue(s.Type().TerraformType(ctx), nil)
	req := resource.ModifyPlanRequest{
		Plan: tfsdk.Plan{Schema: s, Raw: null}, State: tfsdk.State{Schema: s, Raw: null}, Config: tfsdk.Config{Schema: s, Raw: null},
	}
	noError(t, plan.pack(ctx))
	noError(t, req.Plan.Set(ctx, plan.model))
	config := tfsdk.Plan{Schema: s, Raw: null}
	noError(t, config.Set(ctx, plan.model))
	if configure != nil {
		configured := *plan.model
		configure(&configured)
		noError(t, config.Set(ctx, &configured))
	}
	var err error
	req.Config.Raw, err = tftypes.Transform(config.Raw, func(_ *tftypes.AttributePath, value tftypes.Value) (tftypes.Value, error) {
		if !value.IsKnown() {
			return tftypes.NewValue(value.Type(), nil), nil
		}
		return value, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if state != nil {
		noError(t, state.pack(ctx))
		noError(t, req.State.Set(ctx, state.model))
	}
	resp := &resource.ModifyPlanResponse{Plan: req.Plan}
	(&Resource{}).ModifyPlan(ctx, req, resp)
	var result model
	noError(t, resp.Plan.Get(ctx, &result))
	back, diags := result.machine(ctx)
	noError(t, diags)
	return back, resp
}

// stored is a state as Read leaves it.
func stored(disks ...disk.Disk) *machine {
	m := basic()
	m.ID, m.State, m.Message, m.NodeName = text("default/vm"), text(stateReady), types.StringNull(), text("node-1")
	m.Hostname, m.MachineType = types.StringNull(), text("q35")
	m.disks = disks
	m.interfaces[0].Type, m.interfaces[0].MACAddress = text(nic.TypeMasquerade), text("52:54:00:00:00:01")
	m.interfaces[0].IPAddress, m.interfaces[0].InterfaceName = text("10.0.0.1"), types.StringNull()
	return &m
}

func TestPlanCarriesByName(t *testing.T) {
	state := stored(volumeDisk("a", "v-a"), volumeDisk("b", "v-b"))
	plan := basic()
	plan.CPU = types.Int64Value(2)
	plan.disks = []disk.Disk{imageDisk("new"), imageDisk("b"), imageDisk("a")}
	plan.interfaces = []nic.Interface{card("new"), card("nic-1")}
	got, resp := planned(t, plan, state)
	noError(t, resp.Diagnostics)
	if len(resp.RequiresReplace) > 0 {
		t.Errorf("replaced by %s", resp.RequiresReplace)
	}
	for i, want := range []string{"<unknown>", `"v-b"`, `"v-a"`} {
		if volume := got.disks[i].VolumeName.String(); volume != want {
			t.Errorf("disk %s has the volume %s, want %s", got.disks[i].Name, volume, want)
		}
	}
	if !got.interfaces[0].MACAddress.IsUnknown() || got.interfaces[1].MACAddress.ValueString() != "52:54:00:00:00:01" ||
		got.interfaces[1].Type.ValueString() != nic.TypeMasquerade || got.interfaces[1].IPAddress.ValueString() != "10.0.0.1" || !got.interfaces[0].IPAddress.IsUnknown() {
		t.Errorf("interfaces: %+v", got.interfaces)
	}
}

// Another spelling of a MAC address is no change.
func TestPlanMACSpelling(t *testing.T) {
	for spelling, want := range map[string]string{"52-54-00-00-00-01": "52:54:00:00:00:01", "52-54-00-00-00-02": "52-54-00-00-00-02"} {
		plan := basic()
		plan.disks = []disk.Disk{imageDisk("a")}
		plan.interfaces[0].MACAddress = text(spelling)
		got, resp := planned(t, plan, stored(volumeDisk("a", "v-a")))
		noError(t, resp.Diagnostics)
		if mac := got.interfaces[0].MACAddress.ValueString(); mac != want {
			t.Errorf("%s is planned as %s, want %s", spelling, mac, want)
		}
	}
}

func TestPlanReplaces(t *testing.T) {
	state := stored(volumeDisk("a", "v-a"), volumeDisk("b", "v-b"))
	changed := imageDisk("b")
	changed.Image = text("default/debian")
	plan := basic()
	plan.disks = []disk.Disk{imageDisk("a"), changed}
	_, resp := planned(t, plan, state)
	if got := resp.RequiresReplace.String(); got != "[disk[1].image]" {
		t.Errorf("got %s", got)
	}
	// At another place in the list Terraform would compare with another disk.
	plan.disks = []disk.Disk{changed, imageDisk("a")}
	_, resp = planned(t, plan, state)
	if got := resp.RequiresReplace.String(); got != "[disk[0].image,disk]" {
		t.Errorf("moved: got %s", got)
	}
	// A volume that stays must not be found by the new machine.
	changed.VolumeName = text("v-b")
	plan.disks = []disk.Disk{imageDisk("a"), changed}
	if _, resp = planned(t, plan, state); !resp.Diagnostics.HasError() || resp.Diagnostics[0].Summary() != "Volume would stay in the way" {
		t.Errorf("got %v", resp.Diagnostics)
	}
	doomed := volumeDisk("b", "v-b")
	doomed.AutoDelete = types.BoolValue(true)
	if _, resp = planned(t, plan, stored(volumeDisk("a", "v-a"), doomed)); resp.Diagnostics.HasError() {
		t.Errorf("the volume goes with the machine: %v", resp.Diagnostics)
	}
}

// A medium changes in place, unless its volume were to have the name of the old one's.
func TestPlanSwapsMedium(t *testing.T) {
	old := volumeDisk("cd", "v-cd")
	old.Type, old.Bus = text(disk.TypeCDROM), text(disk.BusSATA)
	state := stored(volumeDisk("a", "v-a"), old)
	plan := basic()
	other := imageDisk("cd")
	other.Type, other.Image = text(disk.TypeCDROM), text("default/debian")
	plan.disks = []disk.Disk{imageDisk("a"), other}
	got, resp := planned(t, plan, state)
	noError(t, resp.Diagnostics)
	if len(resp.RequiresReplace) > 0 || got.disks[0].VolumeName.ValueString() != "v-a" || !got.disks[1].VolumeName.IsUnknown() || !got.disks[1].StorageClassName.IsUnknown() {
		t.Errorf("replaced by %s: %+v", resp.RequiresReplace, got.disks)
	}
	plan.disks[1].VolumeName = text("v-cd")
	if _, resp = planned(t, plan, state); len(resp.Diagnostics) != 1 || resp.Diagnostics[0].Summary() != "Volume would stay in the way" {
		t.Errorf("under the same name: %v", resp.Diagnostics)
	}
}

func TestPlanLeavesVolumesBehind(t *testing.T) {
	doomed, data := volumeDisk("a", "v-a"), volumeDisk("data", "v-data")
	doomed.AutoDelete = types.BoolValue(true)
	mounted := blankDisk("data")
	mounted.ExistingVolumeName = text("v-data")
	renamed := func(name string, disks ...disk.Disk) machine {
		plan := basic()
		plan.Name, plan.disks = text(name), disks
		return plan
	}
	moved := renamed("vm", imageDisk("a"), imageDisk("data"))
	moved.Namespace = text("other")
	named := imageDisk("data")
	named.VolumeName = text("v-data")
	movedNamed := renamed("vm", imageDisk("a"), named)
	movedNamed.Namespace = text("other")
	replaced := imageDisk("a")
	replaced.Image = text("default/debian")
	for name, test := range map[string]struct {
		plan machine
		want string // severity: what is named
	}{
		"the same machine":     {renamed("vm", imageDisk("a"), imageDisk("data")), ""},
		"renamed":              {renamed("new", imageDisk("a"), imageDisk("data")), `Warning: "v-data" of the disk "data"`},
		"without the disk":     {renamed("new", imageDisk("a")), `Warning: "v-data" of the disk "data"`},
		"with another image":   {renamed("vm", replaced, imageDisk("data")), `Warning: "v-data" of the disk "data"`},
		"its data are kept":    {renamed("new", imageDisk("a"), mounted), ""},
		"moved":                {moved, `Warning: "v-data" of the disk "data"`},
		"in the way":           {renamed("new", imageDisk("a"), named), `Error: existing_volume_name = "v-data"`},
		"moved, the same name": {movedNamed, `Warning: "v-data" of the disk "data"`},
	} {
		_, resp := planned(t, test.plan, stored(doomed, data))
		got := ""
		if len(resp.Diagnostics) > 0 {
			got = resp.Diagnostics[0].Severity().String() + ": " + resp.Diagnostics[0].Detail()
		}
		severity, names, _ := strings.Cut(test.want, ": ")
		if len(resp.Diagnostics) > 1 || !strings.HasPrefix(got, severity) || !strings.Contains(got, names) || (got == "") != (test.want == "") || strings.Contains(got, "v-a\"") {
			t.Errorf("%s: %v", name, resp.Diagnostics)
		}
	}
}

func TestPlanSizes(t *testing.T) {
	state := stored(volumeDisk("a", "v-a"))
	sized := func(size string) machine {
		plan := basic()
		d := imageDisk("a")
		d.Size = text(size)
		plan.disks = []disk.Disk{d}
		return plan
	}
	if _, resp := planned(t, sized("20Gi"), state); resp.Diagnostics.HasError() || len(resp.RequiresReplace) > 0 {
		t.Errorf("growing: %v %v", resp.Diagnostics, resp.RequiresReplace)
	}
	_, resp := planned(t, sized("5Gi"), state)
	if !resp.Diagnostics.HasError() || resp.Diagnostics[0].Summary() != "Volume cannot shrink" || !strings.Contains(resp.Diagnostics[0].Detail(), "at least 10Gi") {
		t.Errorf("shrinking: %v", resp.Diagnostics)
	}
	other := sized("5Gi")
	other.Name = text("another")
	if _, resp := planned(t, other, state); resp.Diagnostics.HasError() {
		t.Errorf("a new machine can have any size: %v", resp.Diagnostics)
	}
}

func TestPlanStart(t *testing.T) {
	plan := basic()
	for start, want := range map[types.Bool]string{types.BoolValue(true): "RerunOnFailure", types.BoolValue(false): "Halted", types.BoolNull(): "RerunOnFailure"} {
		plan.Start = start
		got, resp := plannedWith(t, plan, nil, func(m *model) { m.RunStrategy = types.StringNull() })
		noError(t, resp.Diagnostics)
		if got.RunStrategy.ValueString() != want {
			t.Errorf("start = %s: got %s, want %s", start, got.RunStrategy, want)
		}
	}
	plan.Start, plan.RunStrategy = types.BoolValue(true), text("Always")
	if got, _ := planned(t, plan, nil); got.RunStrategy.ValueString() != "Always" {
		t.Errorf("run_strategy is set and wins, but got %s", got.RunStrategy)
	}
}

// The default of run_strategy makes a difference that start takes back: then
// nothing is to do.
func TestPlanWithoutEffectIsDropped(t *testing.T) {
	state := stored(volumeDisk("a", "v-a"))
	state.Start, state.RunStrategy = types.BoolValue(false), text("Halted")
	plan := basic()
	plan.disks = []disk.Disk{imageDisk("a")}
	plan.Start = types.BoolValue(false)
	// As attribute plan modifiers have it.
	plan.ID, plan.Hostname, plan.MachineType = state.ID, state.Hostname, state.MachineType
	got, resp := plannedWith(t, plan, state, func(m *model) { m.RunStrategy = types.StringNull() })
	noError(t, resp.Diagnostics)
	if got.NodeName.IsUnknown() || got.RunStrategy.ValueString() != "Halted" {
		t.Errorf("still planned: node %s, strategy %s", got.NodeName, got.RunStrategy)
	}
	plan.CPU = types.Int64Value(2)
	if got, _ := planned(t, plan, state); !got.NodeName.IsUnknown() {
		t.Error("a change was dropped")
	}
}

func TestPlanUnknownLists(t *testing.T) {
	ctx := context.Background()
	s := vmSchema()
	plan := basic()
	noError(t, plan.pack(ctx))
	plan.Disk = types.ListUnknown(disk.Block().NestedObject.Type())
	plan.NetworkInterface = types.ListUnknown(nic.Block().NestedObject.Type())
	plan.CloudInit = types.ListUnknown(cloudinit.Block().NestedObject.Type())
	plan.SSHKeys = types.ListUnknown(types.StringType)
	plan.Tags = types.MapUnknown(types.StringType)
	raw := tfsdk.Plan{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(ctx), nil)}
	noError(t, raw.Set(ctx, plan.model))
	state := stored(volumeDisk("a", "v-a"))
	noError(t, state.pack(ctx))
	prior := tfsdk.State{Schema: s, Raw: raw.Raw}
	noError(t, prior.Set(ctx, state.model))
	resp := &resource.ModifyPlanResponse{Plan: raw}
	(&Resource{}).ModifyPlan(ctx, resource.ModifyPlanRequest{Plan: raw, State: prior, Config: tfsdk.Config{Schema: s, Raw: raw.Raw}}, resp)
	noError(t, resp.Diagnostics)
	if !resp.Plan.Raw.Equal(raw.Raw) || len(resp.RequiresReplace) > 0 {
		t.Error("the plan was changed")
	}
}

func TestPlanDestroy(t *testing.T) {
	s := vmSchema()
	null := tftypes.NewValue(s.Type().TerraformType(context.Background()), nil)
	resp := &resource.ModifyPlanResponse{Plan: tfsdk.Plan{Schema: s, Raw: null}}
	(&Resource{}).ModifyPlan(context.Background(), resource.ModifyPlanRequest{Plan: resp.Plan}, resp)
	noError(t, resp.Diagnostics)
}
