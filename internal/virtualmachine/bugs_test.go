// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

// The bugs of the official provider's virtual machine, by number, each of which a test keeps out.
// What takes a cluster to show is in acceptance tests, which have the number in their name.
func TestOfficialBugs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T){
		"V2: no default storage class":                 noDefaultClass,
		"V3: other image, class, mode, smaller size":   silentChanges,
		"V4: zero values are not sent":                 zeroValues,
		"V5: host devices add up and are not read":     hostDevices,
		"V6: keys of other namespaces":                 foreignKeys,
		"V7: parts of a machine that are not there":    missingParts,
		"V8: no list of SSH keys":                      noKeyList,
		"V9: sockets and threads":                      keepsTopology,
		"V10: cloud-init and other volumes as disks":   otherVolumes,
		"V11: references without a namespace":          shortReferences,
		"V12: a disk without a size":                   noSize,
		"V13: keys in the user data":                   keysInUserData,
		"V14: ready before it has an address":          noAddressYet,
		"V15: failures are waited for, without a word": failures,
		"V16: a limit of two minutes":                  limitsAreGenerous,
		"V17: volumes of others are deleted":           volumesOfOthers,
		"V18: no annotations at deletion":              noAnnotations,
		"V19: nothing is read with Manual":             manual,
		"V20: the initial snapshot is not retried":     owedSnapshot,
		"V21: interfaces of other types":               otherInterfaces,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

// settledDown is basic with a disk as the state has it.
func settledDown() machine {
	m := basic()
	m.disks = []disk.Disk{volumeDisk("rootdisk", "vm-rootdisk-abcde")}
	return m
}

// answering is a resource that talks to a cluster which answers by path; the rest is not found.
func answering(t *testing.T, answers map[string]any) *Resource {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, found := answers[r.URL.Path]
		w.Header().Set("Content-Type", "application/json")
		if !found {
			w.WriteHeader(http.StatusNotFound)
			answer = map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	client, err := kube.Connect(kube.Connection{Host: server.URL, Token: "t"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	r := &Resource{}
	r.connect(session.New(client, session.ChecksError, 1))
	return r
}

func noDefaultClass(t *testing.T) {
	t.Helper()
	r := answering(t, map[string]any{"/apis/storage.k8s.io/v1/storageclasses": map[string]any{
		"kind": "StorageClassList", "apiVersion": "storage.k8s.io/v1", "items": []any{map[string]any{"metadata": map[string]any{"name": "other"}}},
	}})
	class, diags := (&checking{Resource: r, applying: true}).defaultClass(context.Background(), 0)
	if class != "" || !diags.HasError() || diags[0].Summary() != "No default storage class" {
		t.Errorf("got %q, %v", class, diags)
	}
}

func silentChanges(t *testing.T) {
	t.Helper()
	state := stored(volumeDisk("a", "v-a"))
	for attribute, change := range map[string]func(*disk.Disk){
		"image":              func(d *disk.Disk) { d.Image = text("default/debian") },
		"storage_class_name": func(d *disk.Disk) { d.StorageClassName = text("other") },
		"volume_mode":        func(d *disk.Disk) { d.VolumeMode = text("Filesystem") },
		"access_mode":        func(d *disk.Disk) { d.AccessMode = text("ReadWriteOnce") },
	} {
		plan, changed := basic(), imageDisk("a")
		change(&changed)
		plan.disks = []disk.Disk{changed}
		if _, resp := planned(t, plan, state); resp.RequiresReplace.String() != "[disk[0]."+attribute+"]" {
			t.Errorf("%s: %s, %v", attribute, resp.RequiresReplace, resp.Diagnostics)
		}
	}
	smaller, plan := imageDisk("a"), basic()
	smaller.Size = text("1Gi")
	plan.disks = []disk.Disk{smaller}
	if _, resp := planned(t, plan, state); !resp.Diagnostics.HasError() {
		t.Error("a smaller size is planned")
	}
}

func zeroValues(t *testing.T) {
	t.Helper()
	before := rich()
	vm := live(t, before)
	noError(t, settledDown().onto(context.Background(), vm, &before, nil))
	domain := vm.Spec.Template.Spec.Domain
	if domain.CPU.DedicatedCPUPlacement || domain.CPU.IsolateEmulatorThread || domain.CPU.Model != "" || secureBoot(&domain) || vm.Spec.Template.Spec.NodeSelector != nil {
		t.Errorf("got %+v, %v", domain, vm.Spec.Template.Spec.NodeSelector)
	}
}

func hostDevices(t *testing.T) {
	t.Helper()
	m := settledDown()
	m.hosts = []device.Host{{Name: text("a"), DeviceName: text("vendor/a")}}
	vm := built(t, m, &cloudinit.Seed{})
	noError(t, m.onto(context.Background(), vm, &m, nil))
	if got := vm.Spec.Template.Spec.Domain.Devices.HostDevices; len(got) != 1 {
		t.Errorf("after an update: %+v", got)
	}
	if back := readInto(t, imported(), sight{vm: vm}); len(back.hosts) != 1 || back.hosts[0] != m.hosts[0] {
		t.Errorf("read: %+v", back.hosts)
	}
}

func foreignKeys(t *testing.T) {
	t.Helper()
	r := answering(t, map[string]any{"/apis/harvesterhci.io/v1beta1/namespaces/other/keypairs/theirs": map[string]any{
		"kind": "KeyPair", "apiVersion": "harvesterhci.io/v1beta1", "metadata": map[string]any{"name": "theirs", "namespace": "other"},
		"spec": map[string]any{"publicKey": "ssh-ed25519 AAAA them"},
	}})
	m := basic()
	m.sshKeys = []string{"other/theirs"}
	keys, diags := (&checking{Resource: r, applying: true}).publicKeys(context.Background(), m)
	noError(t, diags)
	if len(keys) != 1 || keys[0] != "ssh-ed25519 AAAA them" {
		t.Errorf("got %q", keys)
	}
}

func missingParts(t *testing.T) {
	t.Helper()
	for name, vm := range map[string]kubevirtv1.VirtualMachine{
		"no template": {}, "no domain": withDomain(kubevirtv1.DomainSpec{}),
		"no word on secure boot": withDomain(kubevirtv1.DomainSpec{Firmware: &kubevirtv1.Firmware{Bootloader: &kubevirtv1.Bootloader{EFI: &kubevirtv1.EFI{}}}}),
		"no bootloader":          withDomain(kubevirtv1.DomainSpec{Firmware: &kubevirtv1.Firmware{}, Features: &kubevirtv1.Features{}}),
	} {
		vm.Namespace, vm.Name = "default", "vm"
		back := readInto(t, imported(), sight{vm: &vm})
		if back.CPU.ValueInt64() != 1 || back.EFI.ValueBool() != strings.Contains(name, "secure boot") {
			t.Errorf("%s: %+v", name, back.model)
		}
	}
}

func noKeyList(t *testing.T) {
	t.Helper()
	for _, annotation := range []string{"", "no JSON", "null"} {
		vm := withDomain(kubevirtv1.DomainSpec{})
		vm.Spec.Template.ObjectMeta.Annotations = map[string]string{annotationSSHNames: annotation}
		if back := readInto(t, imported(), sight{vm: &vm}); !back.SSHKeys.IsNull() {
			t.Errorf("%q: %s", annotation, back.SSHKeys)
		}
	}
}

func keepsTopology(t *testing.T) {
	t.Helper()
	vm := withDomain(kubevirtv1.DomainSpec{CPU: &kubevirtv1.CPU{Sockets: 2, Cores: 3, Threads: 2}})
	back := readInto(t, imported(), sight{vm: &vm})
	if back.CPU.ValueInt64() != 12 {
		t.Errorf("read as %s", back.CPU)
	}
	noError(t, back.onto(context.Background(), &vm, &back, nil))
	if cpu := vm.Spec.Template.Spec.Domain.CPU; cpu.Sockets != 2 || cpu.Cores != 3 || cpu.Threads != 2 {
		t.Errorf("rewritten as %+v", cpu)
	}
}

func otherVolumes(t *testing.T) {
	t.Helper()
	vm := withDomain(kubevirtv1.DomainSpec{})
	spec := &vm.Spec.Template.Spec
	cloudinit.Seed{Kind: cloudinit.TypeNoCloud, UserData: "a: b"}.Onto(spec)
	for name, source := range map[string]kubevirtv1.VolumeSource{
		"secret": {Secret: &kubevirtv1.SecretVolumeSource{}}, "settings": {ConfigMap: &kubevirtv1.ConfigMapVolumeSource{}}, "sysprep": {Sysprep: &kubevirtv1.SysprepSource{}},
	} {
		spec.Volumes = append(spec.Volumes, kubevirtv1.Volume{Name: name, VolumeSource: source})
		spec.Domain.Devices.Disks = append(spec.Domain.Devices.Disks, kubevirtv1.Disk{Name: name})
	}
	back := readInto(t, imported(), sight{vm: &vm})
	if len(back.disks) != 0 || back.cloudInit.UserData.ValueString() != "a: b" {
		t.Errorf("got %+v, %+v", back.disks, back.cloudInit)
	}
	noError(t, back.onto(context.Background(), &vm, &back, nil))
	if len(spec.Volumes) != 4 || len(spec.Domain.Devices.Disks) != 4 {
		t.Errorf("after an update: %+v", spec.Volumes)
	}
}

func shortReferences(t *testing.T) {
	t.Helper()
	state := stored(volumeDisk("a", "v-a")) // the image is default/ubuntu
	state.SSHKeys, _ = types.ListValueFrom(context.Background(), types.StringType, []string{"default/mine"})
	plan := basic()
	short := imageDisk("a")
	short.Image = text("ubuntu")
	plan.disks = []disk.Disk{short}
	plan.SSHKeys, _ = types.ListValueFrom(context.Background(), types.StringType, []string{"mine"})
	plan.ID, plan.Hostname, plan.MachineType, plan.Requests = state.ID, state.Hostname, state.MachineType, state.Requests
	got, resp := planned(t, plan, state)
	if resp.Diagnostics.HasError() || len(resp.RequiresReplace) > 0 || got.NodeName.IsUnknown() || got.disks[0].Image.ValueString() != "default/ubuntu" {
		t.Errorf("planned: %v %s, node %s, image %s", resp.Diagnostics, resp.RequiresReplace, got.NodeName, got.disks[0].Image)
	}
}

func noSize(t *testing.T) {
	t.Helper()
	m := basic()
	d := blankDisk("a")
	d.Settle(nil, "default")
	d.Complete("vm", nil, "longhorn")
	planned := d.Size
	m.disks = []disk.Disk{d}
	if back := readInto(t, m, sight{vm: built(t, m, &cloudinit.Seed{})}); planned.ValueString() != "10Gi" || !back.disks[0].Size.Equal(planned) {
		t.Errorf("planned %s, read %s", planned, back.disks[0].Size)
	}
}

func keysInUserData(t *testing.T) {
	t.Helper()
	m := settledDown()
	m.cloudInit = userData("#cloud-config\n")
	seed := cloudinit.SeedOf(m.cloudInit)
	seed.UserData = cloudinit.WithLogin(seed.UserData, "ubuntu", []string{"ssh-ed25519 AAAA me"})
	if back := readInto(t, m, sight{vm: built(t, m, &seed)}); back.cloudInit.UserData.ValueString() != "#cloud-config\n" {
		t.Errorf("read %s", back.cloudInit.UserData)
	}
}

func noAddressYet(t *testing.T) {
	t.Helper()
	vm, vmi := machineIn("Always", "Running", "nic-1"), instanceIn(kubevirtv1.Running)
	if got := stateOf(vm, vmi); got != stateRunning {
		t.Errorf("state %s", got)
	}
	if (goal{running: true}).judge(vm, vmi).done {
		t.Error("the wait is over")
	}
}

func failures(t *testing.T) {
	t.Helper()
	vm := machineIn("Always", "ErrorUnschedulable")
	now := goal{running: true}.judge(vm, instanceIn(kubevirtv1.Scheduling))
	spell := trouble{now.trouble, time.Now().Add(-now.patience)}
	if err := spell.check(now, time.Now()); err == nil || !strings.Contains(err.Error(), "no node can run it") {
		t.Errorf("got %v", err)
	}
}

func limitsAreGenerous(t *testing.T) {
	t.Helper()
	if limits.Create < 10*time.Minute || limits.Update < 10*time.Minute {
		t.Errorf("got %+v", limits)
	}
	timeouts := &tfbase.Timeouts{Default: text("1h")}
	ctx, cancel := timeouts.Creating(context.Background(), limits)
	defer cancel()
	if deadline, _ := ctx.Deadline(); time.Until(deadline) < 50*time.Minute {
		t.Errorf("default = 1h ends at %s", deadline)
	}
}

func volumesOfOthers(t *testing.T) {
	t.Helper()
	m := rich()
	vm := live(t, m)
	spec := &vm.Spec.Template.Spec
	spec.Volumes = append(spec.Volumes, *mountedAt("attached-since", "theirs"))
	if got := disk.Doomed(m.disks, vm); strings.Join(got, " ") != "vm-rootdisk-abcde" {
		t.Errorf("to be deleted: %q", got)
	}
}

func noAnnotations(t *testing.T) {
	t.Helper()
	vm := withDomain(kubevirtv1.DomainSpec{})
	vm.Annotations = nil
	if got := disk.Doomed(rich().disks, &vm); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	if got := disk.Doomed(rich().disks, withTemplate(&kubevirtv1.VirtualMachine{})); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func manual(t *testing.T) {
	t.Helper()
	m := settledDown()
	m.RunStrategy = text("Manual")
	if goalOf(m.model, "") != nil {
		t.Error("creation waits")
	}
	back := readInto(t, m, sight{vm: built(t, m, &cloudinit.Seed{})})
	if back.State.ValueString() != stateOff || !back.NodeName.IsNull() || !back.Message.IsNull() || back.ID.IsUnknown() {
		t.Errorf("got %+v", back.model)
	}
}

func owedSnapshot(t *testing.T) {
	t.Helper()
	vm := blank("default", "vm")
	vm.UID = "1"
	snapshot := initialSnapshot(vm)
	if snapshot.Name != "vm-initial" || snapshot.Spec.Type != api.TypeSnapshot {
		t.Errorf("got %+v", snapshot)
	}
	other := vm.UID + "2"
	snapshot.Status.SourceUID = &other
	if _, err := snapshotProgress(snapshot, vm); err == nil {
		t.Error("the snapshot of another machine counts")
	}
	snapshot.Status.SourceUID = &vm.UID
	problem := "no space"
	snapshot.Status.Error = &api.BackupError{Message: &problem}
	if now, err := snapshotProgress(snapshot, vm); err != nil || now.Done || now.Message != problem {
		t.Errorf("got %+v, %v", now, err)
	}
	usable := true
	snapshot.Status.ReadyToUse = &usable
	if now, err := snapshotProgress(snapshot, vm); err != nil || !now.Done {
		t.Errorf("got %+v, %v", now, err)
	}
}

func otherInterfaces(t *testing.T) {
	t.Helper()
	m := settledDown()
	vm := withDomain(kubevirtv1.DomainSpec{Devices: kubevirtv1.Devices{Interfaces: []kubevirtv1.Interface{
		{Name: "a", InterfaceBindingMethod: kubevirtv1.InterfaceBindingMethod{SRIOV: &kubevirtv1.InterfaceSRIOV{}}},
		{Name: "b", Binding: &kubevirtv1.PluginBinding{Name: "passt"}},
	}}})
	back := readInto(t, imported(), sight{vm: &vm})
	if !back.interfaces[0].Type.IsNull() || !back.interfaces[1].Type.IsNull() {
		t.Fatalf("got %+v", back.interfaces)
	}
	m.interfaces = append([]nic.Interface{}, back.interfaces...)
	noError(t, m.onto(context.Background(), &vm, &back, nil))
	if live := vm.Spec.Template.Spec.Domain.Devices.Interfaces; live[0].SRIOV == nil || live[1].Binding == nil {
		t.Errorf("after an update: %+v", live)
	}
}
