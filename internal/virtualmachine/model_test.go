// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

func text(s string) types.String { return types.StringValue(s) }

// basic is a plan with nothing but defaults, as apply gets it.
func basic() machine {
	return machine{
		model: &model{
			ID: types.StringUnknown(), Name: text("vm"), Namespace: text("default"), Description: types.StringNull(),
			Tags: types.MapNull(types.StringType), Labels: types.MapNull(types.StringType),
			State: types.StringUnknown(), Message: types.StringUnknown(), NodeName: types.StringUnknown(),
			CPU: types.Int64Value(1), Memory: text("1Gi"), ReservedMemory: types.StringNull(), CPUModel: types.StringNull(),
			CPUPinning: types.BoolValue(false), IsolateEmulatorThread: types.BoolValue(false), NodeSelector: types.MapNull(types.StringType),
			MachineType: types.StringUnknown(), EFI: types.BoolValue(false), SecureBoot: types.BoolValue(false), Hostname: types.StringUnknown(),
			RunStrategy: text("RerunOnFailure"), Start: types.BoolNull(), RestartAfterUpdate: types.BoolValue(false), SSHKeys: types.ListNull(types.StringType),
			Requests: types.ListUnknown(requestsType), CreateInitialSnapshot: types.BoolValue(false),
		},
		disks:      []disk.Disk{imageDisk("rootdisk")},
		interfaces: []nic.Interface{card("nic-1")},
	}
}

// imageDisk is planned: all that only apply can know is unknown.
func imageDisk(name string) disk.Disk {
	d := blankDisk(name)
	d.Image = text("default/ubuntu")
	return d
}

func blankDisk(name string) disk.Disk {
	return disk.Disk{
		Name: text(name), Type: text(disk.TypeDisk), Bus: types.StringUnknown(), CacheMode: types.StringNull(), BootOrder: types.Int64Null(),
		HotPlug: types.BoolUnknown(), Image: types.StringNull(), ExistingVolumeName: types.StringNull(), ContainerImageName: types.StringNull(),
		Size: types.StringUnknown(), AutoDelete: types.BoolValue(false), StorageClassName: types.StringUnknown(),
		VolumeMode: types.StringUnknown(), AccessMode: types.StringUnknown(), VolumeName: types.StringUnknown(),
	}
}

// volumeDisk is a disk as the state has it.
func volumeDisk(name, volume string) disk.Disk {
	d := imageDisk(name)
	d.Bus, d.HotPlug, d.Size = text(disk.BusVirtio), types.BoolValue(false), text("10Gi")
	d.StorageClassName, d.VolumeMode, d.AccessMode, d.VolumeName = text("lh-1"), text("Block"), text("ReadWriteMany"), text(volume)
	return d
}

func card(name string) nic.Interface {
	return nic.Interface{
		Name: text(name), Type: types.StringUnknown(), Model: text("virtio"), MACAddress: types.StringUnknown(), IPAddress: types.StringUnknown(),
		InterfaceName: types.StringUnknown(), WaitForLease: types.BoolValue(false), NetworkName: types.StringNull(), BootOrder: types.Int64Null(),
	}
}

func userData(data string) *cloudinit.Model {
	return &cloudinit.Model{
		Type: text(cloudinit.TypeNoCloud), UserData: text(data), UserDataBase64: types.StringNull(), UserDataSecretName: types.StringNull(),
		NetworkData: types.StringNull(), NetworkDataBase64: types.StringNull(), NetworkDataSecretName: types.StringNull(),
	}
}

func noError(t *testing.T, diags diag.Diagnostics) {
	t.Helper()
	for _, d := range diags {
		t.Errorf("%s: %s: %s", d.Severity(), d.Summary(), d.Detail())
	}
	if diags.HasError() {
		t.FailNow()
	}
}

func tags(values map[string]string) types.Map { return tfbase.StringMap(values) }

func TestMachineAndBack(t *testing.T) {
	m := basic()
	m.cloudInit = userData("#cloud-config\n")
	m.tpm = &device.TPM{}
	m.SSHKeys, _ = types.ListValueFrom(context.Background(), types.StringType, []string{"mine", "other/theirs"})
	noError(t, m.pack(context.Background()))
	back, diags := m.model.machine(context.Background())
	noError(t, diags)
	if len(back.disks) != 1 || back.disks[0] != m.disks[0] || len(back.interfaces) != 1 || *back.cloudInit != *m.cloudInit || back.tpm == nil {
		t.Errorf("got %+v", back)
	}
	if ids := back.keyIDs(); len(ids) != 2 || ids[0] != "default/mine" || ids[1] != "other/theirs" {
		t.Errorf("keys: %q", ids)
	}
}

func TestSchemaIsValid(t *testing.T) {
	noError(t, vmSchema().ValidateImplementation(context.Background()))
}
