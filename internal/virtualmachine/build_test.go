// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares an object with testdata/<name>.json.
func golden(t *testing.T, name string, object any) {
	t.Helper()
	got, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != strings.TrimSpace(string(want)) {
		t.Errorf("%s differs; look at the difference, and if it is right run the test with -update. Got:\n%s", file, got)
	}
}

func built(t *testing.T, m machine, wanted *cloudinit.Seed) *kubevirtv1.VirtualMachine {
	t.Helper()
	vm := blank(m.Namespace.ValueString(), m.Name.ValueString())
	noError(t, m.onto(context.Background(), vm, nil, wanted))
	return vm
}

// rich uses most of what a machine can have.
func rich() machine {
	m := basic()
	m.Description, m.Tags, m.Labels = text("a web server"), tags(map[string]string{"ssh-user": "ubuntu"}), tags(map[string]string{"team": "web"})
	m.CPU, m.Memory, m.ReservedMemory, m.CPUModel = types.Int64Value(4), text("4Gi"), text("256Mi"), text("host-passthrough")
	m.EFI, m.SecureBoot, m.MachineType, m.Hostname = types.BoolValue(true), types.BoolValue(true), text("q35"), text("web")
	m.CPUPinning, m.IsolateEmulatorThread = types.BoolValue(true), types.BoolValue(true)
	m.NodeSelector = tags(map[string]string{"zone": "a"})
	m.SSHKeys, _ = types.ListValueFrom(context.Background(), types.StringType, []string{"mine"})
	m.sshKeys = []string{"mine"}
	root := volumeDisk("rootdisk", "vm-rootdisk-abcde")
	root.BootOrder, root.AutoDelete, root.CacheMode = types.Int64Value(1), types.BoolValue(true), text("none")
	data := blankDisk("data")
	data.Settle(nil, "default")
	data.Complete("vm", nil, "longhorn")
	data.VolumeName, data.Size = text("vm-data-fghij"), text("20Gi")
	mounted := blankDisk("mounted")
	mounted.ExistingVolumeName, mounted.HotPlug = text("shared"), types.BoolValue(true)
	mounted.Settle(nil, "default")
	drive := blankDisk("drive")
	drive.Type = text(disk.TypeCDROM)
	drive.Settle(nil, "default")
	container := blankDisk("container")
	container.ContainerImageName = text("quay.io/disks/tools:1")
	container.Settle(nil, "default")
	m.disks = []disk.Disk{root, data, mounted, drive, container}
	second := card("nic-2")
	second.NetworkName, second.Model, second.MACAddress, second.WaitForLease = text("default/vlan1"), text(nic.ModelMisspelt), text("52:54:00:00:00:01"), types.BoolValue(true)
	m.interfaces = append(m.interfaces, second)
	m.cloudInit = userData("#cloud-config\npackages: [nginx]")
	m.inputs = []device.Input{{Name: text("tablet"), Type: text("tablet"), Bus: text("usb")}}
	m.tpm = &device.TPM{}
	return m
}

func TestBuildGolden(t *testing.T) {
	t.Run("basic", func(t *testing.T) {
		m := basic()
		m.disks = []disk.Disk{volumeDisk("rootdisk", "vm-rootdisk-abcde")}
		golden(t, "basic", built(t, m, &cloudinit.Seed{}))
	})
	t.Run("rich", func(t *testing.T) {
		m := rich()
		wanted := cloudinit.SeedOf(m.cloudInit)
		wanted.UserData = cloudinit.WithLogin(wanted.UserData, "ubuntu", []string{"ssh-ed25519 AAAA me"})
		golden(t, "rich", built(t, m, &wanted))
	})
}

// live is a machine that others have added things to.
func live(t *testing.T, m machine) *kubevirtv1.VirtualMachine {
	t.Helper()
	wanted := cloudinit.SeedOf(m.cloudInit)
	vm := built(t, m, &wanted)
	vm.Labels["theirs"], vm.Annotations["theirs"] = "stays", "stays"
	spec := &vm.Spec.Template.Spec
	spec.Domain.Firmware = &kubevirtv1.Firmware{UUID: "known-to-the-guest", Bootloader: &kubevirtv1.Bootloader{EFI: &kubevirtv1.EFI{}}}
	spec.Domain.Features = &kubevirtv1.Features{SMM: &kubevirtv1.FeatureState{}, ACPI: kubevirtv1.FeatureState{}}
	spec.Domain.Devices.Disks[0].Serial = "S1"
	spec.Domain.Devices.Interfaces[0].MacAddress = "52:54:00:aa:aa:aa"
	spec.Domain.Devices.Interfaces[0].Ports = []kubevirtv1.Port{{Port: 22}}
	spec.Domain.Devices.Disks = append(spec.Domain.Devices.Disks, kubevirtv1.Disk{Name: "sysprep", DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{}}})
	spec.Volumes = append(spec.Volumes, kubevirtv1.Volume{Name: "sysprep", VolumeSource: kubevirtv1.VolumeSource{Sysprep: &kubevirtv1.SysprepSource{}}})
	return vm
}

// A second writing of the same machine changes nothing, whatever others added.
func TestBuildIsStable(t *testing.T) {
	m := rich()
	vm := live(t, m)
	desired := vm.DeepCopy()
	noError(t, m.onto(context.Background(), desired, &m, nil))
	if patch := patchOf(t, vm, desired); len(patch) > 0 {
		t.Errorf("unexpected patch: %v", patch)
	}
}

func patchOf(t *testing.T, was, is *kubevirtv1.VirtualMachine) map[string]any {
	t.Helper()
	before, err := runtime.DefaultUnstructuredConverter.ToUnstructured(was)
	if err != nil {
		t.Fatal(err)
	}
	after, err := runtime.DefaultUnstructuredConverter.ToUnstructured(is)
	if err != nil {
		t.Fatal(err)
	}
	return difference(before, after)
}

// Zero values reach the cluster, and what others did stays.
func TestBuildTurnsOff(t *testing.T) {
	before := rich()
	vm := live(t, before)
	after := basic()
	after.disks = []disk.Disk{before.disks[1], before.disks[0]}
	after.Hostname, after.MachineType = text(""), text("q35")
	noError(t, after.onto(context.Background(), vm, &before, &cloudinit.Seed{}))

	spec := vm.Spec.Template.Spec
	if vm.Labels["team"] != "" || vm.Labels["tag.harvesterhci.io/ssh-user"] != "" || vm.Spec.Template.ObjectMeta.Labels["team"] != "" {
		t.Errorf("labels: %v, template %v", vm.Labels, vm.Spec.Template.ObjectMeta.Labels)
	}
	if vm.Annotations[api.AnnotationDescription] != "" || vm.Annotations[annotationReservedMemory] != "" {
		t.Errorf("annotations: %v", vm.Annotations)
	}
	if vm.Labels["theirs"] != "stays" || vm.Annotations["theirs"] != "stays" {
		t.Error("what others added is gone")
	}
	if cpu := spec.Domain.CPU; cpu.Model != "" || cpu.DedicatedCPUPlacement || cpu.IsolateEmulatorThread || cpu.Cores != 1 {
		t.Errorf("cpu: %+v", cpu)
	}
	if spec.NodeSelector != nil || spec.Hostname != "" || spec.Domain.Devices.TPM != nil || spec.Domain.Devices.Inputs != nil {
		t.Errorf("spec: %+v", spec)
	}
	if efi(&spec.Domain) || spec.Domain.Firmware.UUID != "known-to-the-guest" || spec.Domain.Features.SMM != nil {
		t.Errorf("firmware: %+v, features: %+v", spec.Domain.Firmware, spec.Domain.Features)
	}
	var names []string
	for _, d := range spec.Domain.Devices.Disks {
		names = append(names, d.Name)
	}
	if got := strings.Join(names, " "); got != "data rootdisk sysprep" {
		t.Errorf("disks: %s", got)
	}
	if len(disk.ParseTemplates(vm)) != 2 {
		t.Errorf("templates: %s", vm.Annotations[api.AnnotationVolumeClaimTemplates])
	}
	if nics := spec.Domain.Devices.Interfaces; len(nics) != 1 || nics[0].MacAddress != "52:54:00:aa:aa:aa" || len(nics[0].Ports) != 1 {
		t.Errorf("interfaces: %+v", nics)
	}
}

func TestDisksKeepTheirVolumes(t *testing.T) {
	before := rich()
	vm := live(t, before)
	order := func() string {
		var names []string
		for _, d := range vm.Spec.Template.Spec.Domain.Devices.Disks {
			names = append(names, d.Name)
		}
		return strings.Join(names, " ")
	}
	added := volumeDisk("added", "vm-added-zzzzz")
	after := before
	after.disks = append(append([]disk.Disk{}, before.disks...), added)
	noError(t, after.onto(context.Background(), vm, &before, nil))
	if got := order(); got != "rootdisk data mounted drive container cloudinitdisk sysprep added" {
		t.Errorf("added at the end: %s", got)
	}
	again := after
	again.disks = append([]disk.Disk{added}, before.disks[1:]...)
	noError(t, again.onto(context.Background(), vm, &after, nil))
	if got := order(); got != "added data mounted drive container cloudinitdisk sysprep" {
		t.Errorf("moved to the front, without rootdisk: %s", got)
	}
	for name, want := range map[string]string{"added": "vm-added-zzzzz", "data": "vm-data-fghij", "mounted": "shared", "rootdisk": ""} {
		got := ""
		if volume := disk.VolumeNamed(vm.Spec.Template.Spec.Volumes, name); volume != nil {
			got = disk.Claim(volume)
		}
		if got != want {
			t.Errorf("%s has the volume %q, not %q", name, got, want)
		}
	}
	if disk.ParseTemplates(vm).Of("vm-rootdisk-abcde") != nil {
		t.Error("the template of the detached disk stays")
	}
}

// A disk that was attached since the last look is not the state's to remove.
func TestUnknownDisksStay(t *testing.T) {
	m := rich()
	vm := live(t, m)
	spec := &vm.Spec.Template.Spec
	spec.Domain.Devices.Disks = append(spec.Domain.Devices.Disks, kubevirtv1.Disk{Name: "hotplugged"})
	spec.Volumes = append(spec.Volumes, *mountedAt("hotplugged", "theirs"))
	noError(t, m.onto(context.Background(), vm, &m, nil))
	if disk.VolumeNamed(vm.Spec.Template.Spec.Volumes, "hotplugged") == nil {
		t.Error("the disk is gone")
	}
}

func mountedAt(name, volume string) *kubevirtv1.Volume {
	return &kubevirtv1.Volume{Name: name, VolumeSource: kubevirtv1.VolumeSource{PersistentVolumeClaim: &kubevirtv1.PersistentVolumeClaimVolumeSource{
		PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: volume},
	}}}
}

func TestRunStrategies(t *testing.T) {
	yes := true
	halted := kubevirtv1.RunStrategyHalted
	for name, test := range map[string]struct {
		vm         kubevirtv1.VirtualMachineSpec
		wanted     string
		annotation string
		older      bool
		kept       bool
	}{
		"start":                  {kubevirtv1.VirtualMachineSpec{RunStrategy: &halted}, "Always", "Always", false, false},
		"halt leaves the memory": {kubevirtv1.VirtualMachineSpec{RunStrategy: &halted}, "Halted", "", false, false},
		"the older way stays":    {kubevirtv1.VirtualMachineSpec{Running: &yes}, "Always", "", true, false},
		"the older way goes":     {kubevirtv1.VirtualMachineSpec{Running: &yes}, "Manual", "Manual", false, false},
		"stopped elsewhere":      {kubevirtv1.VirtualMachineSpec{RunStrategy: &halted}, "Manual", "", false, true},
		"manual from now on":     {kubevirtv1.VirtualMachineSpec{RunStrategy: &halted}, "Manual", "Manual", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			vm := &kubevirtv1.VirtualMachine{Spec: test.vm}
			m := basic()
			m.RunStrategy = text(test.wanted)
			m.ontoRunStrategy(vm, test.kept)
			want := test.wanted
			if test.kept {
				want = string(halted)
			}
			got, err := vm.RunStrategy()
			if err != nil || string(got) != want || vm.Annotations[annotationRunStrategy] != test.annotation || (vm.Spec.Running != nil) != test.older {
				t.Errorf("got %s (%v), annotations %v", got, err, vm.Annotations)
			}
		})
	}
}

func TestTopology(t *testing.T) {
	quantity := func(s string) *resource.Quantity { q := resource.MustParse(s); return &q }
	machineOf := func(cpu *kubevirtv1.CPU, hotplug bool) *kubevirtv1.VirtualMachine {
		vm := blank("default", "vm")
		vm.Spec.Template.Spec.Domain = kubevirtv1.DomainSpec{
			CPU: cpu, Memory: &kubevirtv1.Memory{Guest: quantity("2Gi")},
			Resources: kubevirtv1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: *quantity("8"), corev1.ResourceMemory: *quantity("8Gi")}},
		}
		if hotplug {
			vm.Annotations = map[string]string{annotationHotplug: "true"}
		}
		return vm
	}
	for name, test := range map[string]struct {
		vm            *kubevirtv1.VirtualMachine
		cpus          int64
		memory        string
		want          kubevirtv1.CPU
		limit         string
		guest, memmax string
	}{
		"same number keeps sockets": {machineOf(&kubevirtv1.CPU{Cores: 2, Sockets: 2, Threads: 1}, false), 4, "8Gi", kubevirtv1.CPU{Cores: 2, Sockets: 2, Threads: 1}, "8", "2Gi", "8Gi"},
		"other number":              {machineOf(&kubevirtv1.CPU{Cores: 2, Sockets: 2, Threads: 1}, false), 6, "4Gi", kubevirtv1.CPU{Cores: 6, Sockets: 1, Threads: 1}, "6", "2Gi", "4Gi"},
		"hotplug adds sockets":      {machineOf(&kubevirtv1.CPU{Cores: 2, Sockets: 1, MaxSockets: 4}, true), 4, "3Gi", kubevirtv1.CPU{Cores: 2, Sockets: 2, MaxSockets: 4}, "8", "3Gi", "8Gi"},
		"hotplug, odd number":       {machineOf(&kubevirtv1.CPU{Cores: 2, Sockets: 1, MaxSockets: 4}, true), 3, "2Gi", kubevirtv1.CPU{Cores: 1, Sockets: 3, MaxSockets: 8}, "8", "2Gi", "8Gi"},
		"nothing said":              {machineOf(nil, false), 1, "8Gi", kubevirtv1.CPU{Cores: 1, Sockets: 1, Threads: 1}, "1", "2Gi", "8Gi"},
	} {
		t.Run(name, func(t *testing.T) {
			m := basic()
			m.CPU, m.Memory = types.Int64Value(test.cpus), text(test.memory)
			if test.vm.Spec.Template.Spec.Domain.CPU == nil {
				delete(test.vm.Spec.Template.Spec.Domain.Resources.Limits, corev1.ResourceCPU)
			}
			m.ontoCompute(test.vm, test.vm.Spec.Template.Spec.Domain.CPU == nil)
			domain := test.vm.Spec.Template.Spec.Domain
			if got := *domain.CPU; got.Cores != test.want.Cores || got.Sockets != test.want.Sockets || got.Threads != test.want.Threads || got.MaxSockets != test.want.MaxSockets {
				t.Errorf("cpu: %+v", got)
			}
			if domain.Resources.Limits.Cpu().String() != test.limit || domain.Memory.Guest.String() != test.guest || domain.Resources.Limits.Memory().String() != test.memmax {
				t.Errorf("limits %v, guest %v", domain.Resources.Limits, domain.Memory.Guest)
			}
			if topologyOf(test.vm).cpus() != test.cpus || memory(test.vm).String() != test.memory {
				t.Errorf("reads as %d, %s", topologyOf(test.vm).cpus(), memory(test.vm))
			}
		})
	}
}
