// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8stypes "k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

func claimed(volume string) kubevirtv1.Volume {
	v := kubevirtv1.Volume{Name: "d"}
	Disk{}.claimVolume(&v, volume)
	return v
}

func TestForeign(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "vm", UID: "1", CreationTimestamp: metav1.NewTime(made)}}
	volume := func(age time.Duration, annotations ...string) *corev1.PersistentVolumeClaim {
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "v", CreationTimestamp: metav1.NewTime(made.Add(age)), Annotations: map[string]string{},
		}}
		for _, key := range annotations {
			claim.Annotations[key] = "x"
		}
		return claim
	}
	machine := func(namespace, uid, volume string) api.MachineVolumes {
		m := api.MachineVolumes{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "m" + uid}}
		m.UID = k8stypes.UID(uid)
		m.Spec.Template = &api.MachineVolumesTemplate{Spec: api.MachineVolumesInstance{Volumes: []kubevirtv1.Volume{claimed(volume)}}}
		return m
	}
	for name, test := range map[string]struct {
		volume   *corev1.PersistentVolumeClaim
		machines []api.MachineVolumes
		want     string
	}{
		"made for it":                {volume(time.Second, api.AnnotationImageID), []api.MachineVolumes{machine("default", "1", "v"), machine("default", "2", "other")}, ""},
		"made at once":               {volume(0), nil, ""},
		"there before":               {volume(-time.Hour), nil, "it is older than the machine"},
		"made by a harvester_volume": {volume(time.Second, api.AnnotationOrigin), nil, "a harvester_volume made it"},
		"another machine has it":     {volume(time.Second), []api.MachineVolumes{machine("default", "2", "v")}, `the virtual machine "default/m2" has it too`},
		"elsewhere":                  {volume(time.Second), []api.MachineVolumes{machine("other", "2", "v")}, ""},
	} {
		if got := Foreign(test.volume, vm, test.machines); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestEjected(t *testing.T) {
	t.Parallel()
	old := volumeDisk("cd", "v-cd")
	old.Type, old.AutoDelete = text(TypeCDROM), types.BoolValue(true)
	with := func(d Disk, change func(*Disk)) Disk {
		change(&d)
		return d
	}
	empty := with(old, func(d *Disk) { d.Image, d.VolumeName = types.StringNull(), types.StringNull() })
	swapped := with(old, func(d *Disk) { d.Image, d.VolumeName = text("default/debian"), text("v-new") })
	system := with(old, func(d *Disk) { d.Name, d.Type, d.VolumeName = text("root"), text(TypeDisk), text("v-root") })
	for name, test := range map[string]struct {
		disks, before []Disk
		want          string
	}{
		"ejected":             {[]Disk{system, empty}, []Disk{system, old}, "v-cd"},
		"another medium":      {[]Disk{swapped}, []Disk{old}, "v-cd"},
		"a volume of others":  {[]Disk{with(empty, func(d *Disk) { d.ExistingVolumeName, d.AutoDelete = text("theirs"), types.BoolValue(false) })}, []Disk{old}, "v-cd"},
		"the same":            {[]Disk{old}, []Disk{old}, ""},
		"kept by auto_delete": {[]Disk{empty}, []Disk{with(old, func(d *Disk) { d.AutoDelete = types.BoolValue(false) })}, ""},
		"to be kept from now": {[]Disk{with(empty, func(d *Disk) { d.AutoDelete = types.BoolValue(false) })}, []Disk{old}, ""},
		"drive removed":       {[]Disk{system}, []Disk{system, old}, ""},
		"in another drive":    {[]Disk{empty, with(old, func(d *Disk) { d.Name = text("cd-2") })}, []Disk{old}, ""},
		"a disk":              {[]Disk{with(system, func(d *Disk) { d.VolumeName = text("v-other") })}, []Disk{system}, ""},
	} {
		machine := func(disks []Disk) *kubevirtv1.VirtualMachine {
			vm := &kubevirtv1.VirtualMachine{Spec: kubevirtv1.VirtualMachineSpec{Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{}}}
			if err := Onto(vm, disks, nil); err != nil {
				t.Fatal(err)
			}
			return vm
		}
		if got := strings.Join(Ejected(test.disks, test.before, machine(test.before), machine(test.disks)), " "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
