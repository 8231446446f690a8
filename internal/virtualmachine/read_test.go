// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

func readInto(t *testing.T, m machine, seen sight) machine {
	t.Helper()
	ctx := context.Background()
	noError(t, m.pack(ctx))
	noError(t, m.model.read(ctx, seen))
	back, diags := m.model.machine(ctx)
	noError(t, diags)
	return back
}

// What was planned and known comes back as it was planned.
func TestReadRoundTrip(t *testing.T) {
	m := rich()
	wanted := cloudinit.SeedOf(m.cloudInit)
	wanted.UserData = cloudinit.WithLogin(wanted.UserData, "ubuntu", []string{"ssh-ed25519 AAAA me"})
	vm := built(t, m, &wanted)
	planned := *m.model
	disks, interfaces, seeds := append([]disk.Disk{}, m.disks...), append([]nic.Interface{}, m.interfaces...), *m.cloudInit

	back := readInto(t, m, sight{vm: vm})
	for name, pair := range map[string][2]interface{ String() string }{
		"cpu": {planned.CPU, back.CPU}, "memory": {planned.Memory, back.Memory}, "reserved_memory": {planned.ReservedMemory, back.ReservedMemory},
		"cpu_model": {planned.CPUModel, back.CPUModel}, "cpu_pinning": {planned.CPUPinning, back.CPUPinning}, "efi": {planned.EFI, back.EFI},
		"secure_boot": {planned.SecureBoot, back.SecureBoot}, "machine_type": {planned.MachineType, back.MachineType}, "hostname": {planned.Hostname, back.Hostname},
		"run_strategy": {planned.RunStrategy, back.RunStrategy}, "ssh_keys": {planned.SSHKeys, back.SSHKeys}, "tags": {planned.Tags, back.Tags},
		"labels": {planned.Labels, back.Labels}, "description": {planned.Description, back.Description}, "node_selector": {planned.NodeSelector, back.NodeSelector},
		"isolate_emulator_thread": {planned.IsolateEmulatorThread, back.IsolateEmulatorThread},
	} {
		if pair[0].String() != pair[1].String() {
			t.Errorf("%s: planned %s, read %s", name, pair[0], pair[1])
		}
	}
	if len(back.disks) != len(disks) {
		t.Fatalf("disks: %+v", back.disks)
	}
	for i := range disks {
		if back.disks[i] != disks[i] {
			t.Errorf("disk %d:\nplanned %+v\nread    %+v", i, disks[i], back.disks[i])
		}
	}
	for i := range interfaces {
		if got := back.interfaces[i]; got.Model != interfaces[i].Model || got.NetworkName != interfaces[i].NetworkName || got.WaitForLease != interfaces[i].WaitForLease {
			t.Errorf("interface %d: planned %+v, read %+v", i, interfaces[i], got)
		}
	}
	if *back.cloudInit != seeds {
		t.Errorf("cloudinit: planned %+v, read %+v", seeds, *back.cloudInit)
	}
	if len(back.inputs) != 1 || back.tpm == nil || back.ID.ValueString() != "default/vm" || back.State.ValueString() != stateOff {
		t.Errorf("got %+v", back)
	}
}

// imported is what Read gets after an import.
func imported() machine {
	return machine{model: &model{
		ID: text("default/vm"), Name: text("vm"), Namespace: text("default"),
		Tags: types.MapNull(types.StringType), Labels: types.MapNull(types.StringType), NodeSelector: types.MapNull(types.StringType),
		SSHKeys: types.ListNull(types.StringType), Requests: types.ListNull(requestsType),
	}}
}

// Machines made by kubectl can lack nearly everything.
func TestReadOddMachines(t *testing.T) {
	meta := metav1.ObjectMeta{Name: "vm", Namespace: "default"}
	running := true
	for name, test := range map[string]struct {
		vm    kubevirtv1.VirtualMachine
		check func(machine) bool
	}{
		"no template": {kubevirtv1.VirtualMachine{ObjectMeta: meta}, func(m machine) bool {
			return m.CPU.ValueInt64() == 1 && m.Memory.IsNull() && !m.EFI.ValueBool() && len(m.disks) == 0 && m.RunStrategy.ValueString() == "Halted"
		}},
		"running instead of a strategy": {kubevirtv1.VirtualMachine{ObjectMeta: meta, Spec: kubevirtv1.VirtualMachineSpec{Running: &running}}, func(m machine) bool {
			return m.RunStrategy.ValueString() == "Always"
		}},
		"EFI without a word on secure boot": {withDomain(kubevirtv1.DomainSpec{
			Firmware: &kubevirtv1.Firmware{Bootloader: &kubevirtv1.Bootloader{EFI: &kubevirtv1.EFI{}}},
		}), func(m machine) bool { return m.EFI.ValueBool() && m.SecureBoot.ValueBool() }},
		"lists that are none": {func() kubevirtv1.VirtualMachine {
			vm := withDomain(kubevirtv1.DomainSpec{})
			vm.Spec.Template.ObjectMeta.Annotations = map[string]string{annotationSSHNames: "", nic.AnnotationLeases: "{", "x": "y"}
			vm.Annotations = map[string]string{api.AnnotationVolumeClaimTemplates: "nonsense"}
			return vm
		}(), func(m machine) bool { return m.SSHKeys.IsNull() }},
		"interfaces of other kinds": {withDomain(kubevirtv1.DomainSpec{Devices: kubevirtv1.Devices{Interfaces: []kubevirtv1.Interface{
			{Name: "a", InterfaceBindingMethod: kubevirtv1.InterfaceBindingMethod{SRIOV: &kubevirtv1.InterfaceSRIOV{}}},
			{Name: "b", Binding: &kubevirtv1.PluginBinding{Name: "passt"}},
			{Name: "c", Binding: &kubevirtv1.PluginBinding{Name: nic.BindingManagedTap}},
			{Name: "d"},
		}}}), func(m machine) bool {
			return m.interfaces[0].Type.IsNull() && m.interfaces[1].Type.IsNull() &&
				m.interfaces[2].Type.ValueString() == nic.TypeBridge && m.interfaces[3].Type.IsNull()
		}},
		"volumes of other kinds": {func() kubevirtv1.VirtualMachine {
			vm := withDomain(kubevirtv1.DomainSpec{Devices: kubevirtv1.Devices{Disks: []kubevirtv1.Disk{
				{Name: "secret"},
				{Name: "lun", DiskDevice: kubevirtv1.DiskDevice{LUN: &kubevirtv1.LunTarget{}}},
				{Name: "seed"},
				{Name: "nothing"},
				{Name: "dv"},
				{Name: "drive", DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{}}},
			}}})
			vm.Spec.Template.Spec.Volumes = []kubevirtv1.Volume{
				{Name: "secret", VolumeSource: kubevirtv1.VolumeSource{Secret: &kubevirtv1.SecretVolumeSource{}}},
				*mountedAt("lun", "x"),
				{Name: "seed", VolumeSource: kubevirtv1.VolumeSource{CloudInitConfigDrive: &kubevirtv1.CloudInitConfigDriveSource{UserDataSecretRef: &corev1.LocalObjectReference{Name: "theirs"}}}},
				{Name: "dv", VolumeSource: kubevirtv1.VolumeSource{DataVolume: &kubevirtv1.DataVolumeSource{Name: "data"}}},
			}
			return vm
		}(), func(m machine) bool {
			return len(m.disks) == 2 && m.disks[0].ExistingVolumeName.ValueString() == "data" && m.disks[1].Type.ValueString() == disk.TypeCDROM &&
				m.cloudInit.Type.ValueString() == cloudinit.TypeConfigDrive && m.cloudInit.UserDataSecretName.ValueString() == "theirs" && m.cloudInit.UserData.IsNull()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if back := readInto(t, imported(), sight{vm: &test.vm}); !test.check(back) {
				t.Errorf("got %+v\n%+v\ndisks %+v\ninterfaces %+v", back.model, back.cloudInit, back.disks, back.interfaces)
			}
		})
	}
}

func withDomain(domain kubevirtv1.DomainSpec) kubevirtv1.VirtualMachine {
	vm := blank("default", "vm")
	vm.Spec.Template.Spec.Domain = domain
	return *vm
}

func TestReadImport(t *testing.T) {
	m := rich()
	vm := live(t, m)
	back := readInto(t, imported(), sight{vm: vm})
	root := back.disks[0]
	if root.Image.ValueString() != "default/ubuntu" || root.Size.ValueString() != "10Gi" || !root.AutoDelete.ValueBool() || root.StorageClassName.ValueString() != "lh-1" {
		t.Errorf("rootdisk: %+v", root)
	}
	if back.Labels.Elements()["team"] == nil || len(back.Labels.Elements()) != 2 || back.Tags.Elements()["ssh-user"] == nil {
		t.Errorf("labels %s, tags %s", back.Labels, back.Tags)
	}
	if back.disks[2].ExistingVolumeName.ValueString() != "shared" || back.disks[2].AutoDelete.ValueBool() {
		t.Errorf("mounted: %+v", back.disks[2])
	}
	if got := back.cloudInit.UserData.ValueString(); got != "#cloud-config\npackages: [nginx]" {
		t.Errorf("user data %q", got)
	}
}

// Spelling is the configuration's, meaning the server's.
func TestReadKeepsSpelling(t *testing.T) {
	m := basic()
	m.Memory = text("1024Mi")
	d := volumeDisk("rootdisk", "volume-1")
	d.Image, d.Size, d.BootOrder, d.CacheMode, d.Bus = text("ubuntu"), text("10240Mi"), types.Int64Value(0), text(""), text("")
	m.disks = []disk.Disk{d}
	m.interfaces[0].Type, m.interfaces[0].NetworkName = text(""), text("")
	m.SSHKeys, _ = types.ListValueFrom(context.Background(), types.StringType, []string{})
	back := readInto(t, m, sight{vm: built(t, m, &cloudinit.Seed{})})
	if got := back.disks[0]; got != d {
		t.Errorf("disk:\ngot  %+v\nwant %+v", got, d)
	}
	if back.Memory.ValueString() != "1024Mi" || back.SSHKeys.IsNull() {
		t.Errorf("memory %s, keys %s", back.Memory, back.SSHKeys)
	}
	if nic := back.interfaces[0]; nic.Type.IsNull() || nic.Type.ValueString() != "" || nic.NetworkName.IsNull() {
		t.Errorf("interface: %+v", nic)
	}
}

func TestReadDrift(t *testing.T) {
	m := basic()
	m.disks = []disk.Disk{volumeDisk("rootdisk", "volume-1")}
	vm := built(t, m, &cloudinit.Seed{})
	template := func(text string) { vm.Annotations[api.AnnotationVolumeClaimTemplates] = text }
	read := func() disk.Disk {
		copied := m
		model := *m.model
		copied.model = &model
		return readInto(t, copied, sight{vm: vm}).disks[0]
	}
	template(`[{"metadata":{"name":"volume-1","annotations":{"harvesterhci.io/imageId":"default/debian"}},"spec":{"resources":{"requests":{"storage":"30Gi"}}}}]`)
	if d := read(); d.Image.ValueString() != "default/debian" || d.Size.ValueString() != "30Gi" {
		t.Errorf("another image: %+v", d)
	}
	template(`[{"metadata":{"name":"volume-1"},"spec":{"resources":{"requests":{"storage":"10Gi"}}}}]`)
	if d := read(); d.Image.ValueString() != "default/ubuntu" {
		t.Errorf("a template without an image proves nothing: %+v", d)
	}
	template("[]")
	if d := read(); d.Image.ValueString() != "default/ubuntu" || arg.Set(d.ExistingVolumeName) {
		t.Errorf("a lost template proves nothing: %+v", d)
	}
	vm.Spec.Template.Spec.Volumes = []kubevirtv1.Volume{*mountedAt("rootdisk", "someone-elses")}
	if d := read(); d.ExistingVolumeName.ValueString() != "someone-elses" || arg.Set(d.Image) || d.AutoDelete.ValueBool() || d.Owns() {
		t.Errorf("another volume: %+v", d)
	}
	vm.Spec.Template.Spec.Volumes = []kubevirtv1.Volume{{Name: "rootdisk", VolumeSource: kubevirtv1.VolumeSource{ContainerDisk: &kubevirtv1.ContainerDiskSource{Image: "c"}}}}
	if d := read(); d.ContainerImageName.ValueString() != "c" || arg.Set(d.Image) || arg.Set(d.VolumeName) {
		t.Errorf("a container: %+v", d)
	}
}

func TestMessage(t *testing.T) {
	vm := blank("default", "vm")
	vm.Status.Conditions = []kubevirtv1.VirtualMachineCondition{{Type: kubevirtv1.VirtualMachineRestartRequired, Status: corev1.ConditionTrue, Message: "a field changed"}}
	if got := messageOf(vm, nil); !strings.Contains(got, "restart is needed: a field changed.") {
		t.Errorf("got %q", got)
	}
	vm.Status.PrintableStatus = kubevirtv1.VirtualMachineStatusUnschedulable
	vm.Status.Conditions = []kubevirtv1.VirtualMachineCondition{{Type: kubevirtv1.VirtualMachineFailure, Status: corev1.ConditionTrue, Message: "0/3 nodes"}}
	if got := messageOf(vm, nil); got != "ErrorUnschedulable (no node can run it): 0/3 nodes" {
		t.Errorf("got %q", got)
	}
}
