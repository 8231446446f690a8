// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

// A state as the official provider 1.8 writes it, with the cloud-init disk among
// the disks and "" for what is not set.
func TestUpgradeOfficialState(t *testing.T) {
	ctx := context.Background()
	state, err := os.ReadFile("testdata/official_state.json")
	if err != nil {
		t.Fatal(err)
	}
	resp := &resource.UpgradeStateResponse{}
	(&Resource{}).UpgradeState(ctx)[0].StateUpgrader(ctx, resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: state}}, resp)
	noError(t, resp.Diagnostics)
	s := vmSchema()
	raw, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(ctx))
	if err != nil {
		t.Fatal(err)
	}
	var upgraded model
	noError(t, tfsdk.State{Schema: s, Raw: raw}.Get(ctx, &upgraded))
	m, diags := upgraded.machine(ctx)
	noError(t, diags)

	if len(m.disks) != 2 || m.disks[0].Name.ValueString() != "rootdisk" || m.disks[1].Name.ValueString() != "drive" {
		t.Fatalf("disks: %+v", m.disks)
	}
	want := volumeDisk("rootdisk", "vm-rootdisk-abcde")
	want.Image, want.AutoDelete, want.BootOrder = text("default/ubuntu20"), m.disks[0].AutoDelete, m.disks[0].BootOrder
	if m.disks[0] != want || !want.AutoDelete.ValueBool() || want.BootOrder.ValueInt64() != 1 {
		t.Errorf("rootdisk:\ngot  %+v\nwant %+v", m.disks[0], want)
	}
	if d := m.disks[1]; !d.VolumeName.IsNull() || !d.Size.IsNull() || !d.Image.IsNull() || !d.BootOrder.IsNull() {
		t.Errorf("drive: %+v", d)
	}
	if !m.Hostname.IsNull() || !m.ReservedMemory.IsNull() || !m.CPUModel.IsNull() || !m.SSHKeys.IsNull() || !m.Labels.IsNull() || !m.NodeSelector.IsNull() || !m.Description.IsNull() {
		t.Errorf("values that were not set: %+v", m.model)
	}
	if m.CPU.ValueInt64() != 2 || !m.EFI.ValueBool() || m.tpm == nil || len(m.inputs) != 1 || m.Timeouts != nil || m.sshUser() != "ubuntu" {
		t.Errorf("values that were: %+v", m.model)
	}
	if !m.cloudInit.UserDataBase64.IsNull() || m.cloudInit.UserData.ValueString() == "" {
		t.Errorf("cloudinit: %+v", m.cloudInit)
	}
}

// The official provider's state always holds what the machine asks of a node, whether the
// configuration says so or not. Either way nothing is to do.
func TestRequestsOfOfficialState(t *testing.T) {
	t.Parallel()
	list := func(cpu, memory types.String) types.List {
		object := types.ObjectValueMust(requestsType.AttrTypes, map[string]attr.Value{"cpu": cpu, "memory": memory})
		return types.ListValueMust(requestsType, []attr.Value{object})
	}
	state := stored(volumeDisk("a", "v-a"))
	state.Requests = list(text("125m"), text("1365Mi"))
	for name, test := range map[string]struct {
		requests types.List
		empty    bool
	}{
		"absent":       {types.ListUnknown(requestsType), true},
		"the same":     {list(text("125m"), text("1365Mi")), true},
		"in part":      {list(text("0.125"), types.StringNull()), true},
		"an empty one": {list(types.StringNull(), text("")), true},
		"another":      {list(text("250m"), types.StringNull()), false},
	} {
		plan := basic()
		plan.disks = []disk.Disk{imageDisk("a")}
		plan.ID, plan.Hostname, plan.MachineType, plan.Requests = state.ID, state.Hostname, state.MachineType, test.requests
		got, resp := planned(t, plan, state)
		noError(t, resp.Diagnostics)
		if empty := !got.NodeName.IsUnknown() && got.Requests.Equal(state.Requests); empty != test.empty {
			t.Errorf("%s: planned %s", name, got.Requests)
		}
	}
	for text, want := range map[string]string{
		`{"requests":[{"cpu":"","memory":""}]}`: `{"requests":[{"cpu":null,"memory":null}]}`, `{"requests":null}`: `{"requests":null}`,
	} {
		var state map[string]any
		if err := json.Unmarshal([]byte(text), &state); err != nil {
			t.Fatal(err)
		}
		cleanOfficial(state)
		if got, err := json.Marshal(state); err != nil || !strings.Contains(string(got), want[1:len(want)-1]) {
			t.Errorf("%s becomes %s (%v)", text, got, err)
		}
	}
}

// A drive without a medium looks like a cloud-init disk, but is none.
func TestSeedDisk(t *testing.T) {
	for name, test := range map[string]struct {
		disk   map[string]any
		seeded bool
		want   bool
	}{
		"usual name":          {map[string]any{"name": "cloudinitdisk", "type": "cd-rom"}, true, true},
		"other name":          {map[string]any{"name": "seed", "type": "disk", "volume_name": ""}, true, true},
		"drive":               {map[string]any{"name": "drive", "type": "cd-rom"}, true, false},
		"disk":                {map[string]any{"name": "root", "type": "disk", "size": "10Gi"}, true, false},
		"no cloud-init block": {map[string]any{"name": "cloudinitdisk", "type": "disk"}, false, false},
	} {
		if got := isSeedDisk(test.disk, test.seeded); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}
