// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

func text(s string) types.String { return types.StringValue(s) }

// imageDisk is planned: all that only apply can know is unknown.
func imageDisk(name string) Disk {
	d := blankDisk(name)
	d.Image = text("default/ubuntu")
	return d
}

func blankDisk(name string) Disk {
	return Disk{
		Name: text(name), Type: text(TypeDisk), Bus: types.StringUnknown(), CacheMode: types.StringNull(), BootOrder: types.Int64Null(),
		HotPlug: types.BoolUnknown(), Image: types.StringNull(), ExistingVolumeName: types.StringNull(), ContainerImageName: types.StringNull(),
		Size: types.StringUnknown(), AutoDelete: types.BoolValue(false), StorageClassName: types.StringUnknown(),
		VolumeMode: types.StringUnknown(), AccessMode: types.StringUnknown(), VolumeName: types.StringUnknown(),
	}
}

// volumeDisk is a disk as the state has it.
func volumeDisk(name, volume string) Disk {
	d := imageDisk(name)
	d.Bus, d.HotPlug, d.Size = text(BusVirtio), types.BoolValue(false), text("10Gi")
	d.StorageClassName, d.VolumeMode, d.AccessMode, d.VolumeName = text("lh-1"), text("Block"), text("ReadWriteMany"), text(volume)
	return d
}

func TestDiskSource(t *testing.T) {
	drive := blankDisk("d")
	drive.Type = text(TypeCDROM)
	empty := blankDisk("d")
	empty.Image = text("")
	unknown := blankDisk("d")
	unknown.Image = types.StringUnknown()
	existing := blankDisk("d")
	existing.ExistingVolumeName = types.StringUnknown()
	container := blankDisk("d")
	container.ContainerImageName = text("image")
	for name, test := range map[string]struct {
		disk Disk
		want source
	}{
		"blank": {blankDisk("d"), sourceBlank}, "image": {imageDisk("d"), sourceImage}, "empty image": {empty, sourceBlank},
		"unknown image": {unknown, sourceImage}, "drive": {drive, sourceNothing}, "existing": {existing, sourceExisting}, "container": {container, sourceContainer},
	} {
		if got := test.disk.source(); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}

func TestDiskSettle(t *testing.T) {
	old := volumeDisk("d", "volume-1")
	sata := old
	sata.Bus = text(BusSATA)
	hot := imageDisk("d")
	hot.HotPlug = types.BoolValue(true)
	drive := blankDisk("d")
	drive.Type = text(TypeCDROM)
	mounted := blankDisk("d")
	mounted.ExistingVolumeName = text("shared")
	debian := imageDisk("d")
	debian.Image = text("debian")
	medium, another, filesystem := volumeDisk("d", "volume-1"), debian, imageDisk("d")
	medium.Type, medium.Bus, another.Type, filesystem.Type = text(TypeCDROM), text(BusSATA), text(TypeCDROM), text(TypeCDROM)
	filesystem.VolumeMode = text("Filesystem")
	same := imageDisk("d")
	same.Type = text(TypeCDROM)
	left := volumeDisk("d", "volume-1")
	left.Bus = types.StringNull()
	undecided := blankDisk("d")
	undecided.ExistingVolumeName = types.StringUnknown()
	for name, test := range map[string]struct {
		disk Disk
		old  *Disk
		want string // bus hot_plug size class mode access volume
	}{
		"new from an image":     {imageDisk("d"), nil, `"virtio" false <unknown> <unknown> "Block" "ReadWriteMany" <unknown>`},
		"new and blank":         {blankDisk("d"), nil, `"virtio" false "10Gi" <unknown> "Block" "ReadWriteMany" <unknown>`},
		"carried over":          {imageDisk("d"), &old, `"virtio" false "10Gi" "lh-1" "Block" "ReadWriteMany" "volume-1"`},
		"another image":         {debian, &old, `"virtio" false <unknown> <unknown> "Block" "ReadWriteMany" <unknown>`},
		"keeps its bus":         {imageDisk("d"), &sata, `"sata" false "10Gi" "lh-1" "Block" "ReadWriteMany" "volume-1"`},
		"hot plug changes bus":  {hot, &old, `"scsi" true "10Gi" "lh-1" "Block" "ReadWriteMany" "volume-1"`},
		"drive":                 {drive, nil, `"sata" false <null> <null> <null> <null> <null>`},
		"drive instead of disk": {drive, &old, `"sata" false <null> <null> <null> <null> <null>`},
		"the same medium":       {same, &medium, `"sata" false "10Gi" "lh-1" "Block" "ReadWriteMany" "volume-1"`},
		"another medium":        {another, &medium, `"sata" false <unknown> <unknown> "Block" "ReadWriteMany" <unknown>`},
		"another mode":          {filesystem, &medium, `"sata" false <unknown> <unknown> "Filesystem" "ReadWriteMany" <unknown>`},
		"bus left to KubeVirt":  {imageDisk("d"), &left, `<null> false "10Gi" "lh-1" "Block" "ReadWriteMany" "volume-1"`},
		"mounted":               {mounted, nil, `"virtio" false <null> <null> <null> <null> "shared"`},
		"undecided":             {undecided, nil, `"virtio" false <unknown> <unknown> <unknown> <unknown> <unknown>`},
	} {
		d := test.disk
		d.Settle(test.old, "default")
		got := strings.Join([]string{
			d.Bus.String(), d.HotPlug.String(), d.Size.String(), d.StorageClassName.String(), d.VolumeMode.String(), d.AccessMode.String(), d.VolumeName.String(),
		}, " ")
		if got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, test.want)
		}
	}
}

func TestDiskReplaces(t *testing.T) {
	old := volumeDisk("d", "volume-1")
	with := func(change func(*Disk)) Disk {
		d := old
		change(&d)
		return d
	}
	for name, test := range map[string]struct {
		disk Disk
		want string
	}{
		"same":              {old, ""},
		"same image, short": {with(func(d *Disk) { d.Image = text("ubuntu") }), ""},
		"other image":       {with(func(d *Disk) { d.Image = text("default/debian") }), "image"},
		"image of another":  {with(func(d *Disk) { d.Image = text("other/ubuntu") }), "image"},
		"image made anew":   {with(func(d *Disk) { d.Image = types.StringUnknown() }), "image"},
		"no image any more": {with(func(d *Disk) { d.Image = types.StringNull() }), "image"},
		"class and modes": {with(func(d *Disk) {
			d.StorageClassName, d.VolumeMode, d.AccessMode = text("other"), text("Filesystem"), text("ReadWriteOnce")
		}), "storage_class_name volume_mode access_mode"},
		"larger":                  {with(func(d *Disk) { d.Size = text("20Gi") }), ""},
		"another volume":          {with(func(d *Disk) { d.VolumeName = text("volume-2") }), ""},
		"mounted from now on":     {with(func(d *Disk) { d.Image, d.ExistingVolumeName = types.StringNull(), text("shared") }), ""},
		"class to be known later": {with(func(d *Disk) { d.StorageClassName = types.StringUnknown() }), "storage_class_name"},
	} {
		if got := strings.Join(test.disk.Replaces(old, "default"), " "); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// A CD drive never replaces the machine: another medium needs another volume, and that is all.
func TestDiskSwaps(t *testing.T) {
	old := volumeDisk("d", "volume-1")
	old.Type = text(TypeCDROM)
	with := func(change func(*Disk)) Disk {
		d := old
		change(&d)
		return d
	}
	for name, test := range map[string]struct {
		disk Disk
		want bool
	}{
		"same":              {old, false},
		"same image, short": {with(func(d *Disk) { d.Image = text("ubuntu") }), false},
		"other image":       {with(func(d *Disk) { d.Image = text("default/debian") }), true},
		"image made anew":   {with(func(d *Disk) { d.Image = types.StringUnknown() }), true},
		"mode":              {with(func(d *Disk) { d.VolumeMode = text("Filesystem") }), true},
		"larger":            {with(func(d *Disk) { d.Size = text("20Gi") }), false},
		"ejected":           {with(func(d *Disk) { d.Image = types.StringNull() }), false},
		"a disk":            {with(func(d *Disk) { d.Type, d.Image = text(TypeDisk), text("default/debian") }), false},
	} {
		if got := test.disk.Swaps(old, "default"); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
		if got := test.disk.Replaces(old, "default"); got != nil && name != "a disk" {
			t.Errorf("%s: the machine is replaced because of %q", name, got)
		}
	}
}

func TestDiskShrinks(t *testing.T) {
	old := volumeDisk("d", "volume-1")
	for size, want := range map[string]bool{"10Gi": false, "10240Mi": false, "11Gi": false, "9Gi": true, "": false} {
		d := old
		d.Size = text(size)
		if got := d.Shrinks(old); got != want {
			t.Errorf("%q: got %t", size, got)
		}
	}
	other := old
	other.Size, other.VolumeName = text("1Gi"), text("volume-2")
	if other.Shrinks(old) {
		t.Error("another volume can have any size")
	}
}

func TestDiskComplete(t *testing.T) {
	image := &api.VirtualMachineImage{Status: api.VirtualMachineImageStatus{StorageClassName: "lh-uid", VirtualSize: 12<<30 + 1}}
	d := imageDisk("root")
	d.Complete("vm", image, "longhorn")
	if d.StorageClassName.ValueString() != "lh-uid" || d.Size.ValueString() != "13Gi" || !strings.HasPrefix(d.VolumeName.ValueString(), "vm-root-") ||
		d.VolumeMode.ValueString() != "Block" || d.AccessMode.ValueString() != "ReadWriteMany" {
		t.Errorf("got %+v", d)
	}
	image.Status.VirtualSize = 1 << 20
	small := imageDisk("root")
	small.Complete("vm", image, "longhorn")
	if small.Size.ValueString() != "10Gi" {
		t.Errorf("size %s", small.Size)
	}
	chosen := imageDisk("root")
	chosen.VolumeName, chosen.Size, chosen.AccessMode = text("mine"), text("40Gi"), text("ReadWriteOnce")
	chosen.Complete("vm", image, "longhorn")
	if chosen.VolumeName.ValueString() != "mine" || chosen.Size.ValueString() != "40Gi" || chosen.AccessMode.ValueString() != "ReadWriteOnce" {
		t.Errorf("got %+v", chosen)
	}
}

// A drive without a medium, and a container image, have no volume that could tell: what is planned stays.
func TestReadKeepsHotPlug(t *testing.T) {
	t.Parallel()
	spec := kubevirtv1.VirtualMachineInstanceSpec{Volumes: []kubevirtv1.Volume{
		{Name: "container", VolumeSource: kubevirtv1.VolumeSource{ContainerDisk: &kubevirtv1.ContainerDiskSource{Image: "a"}}},
	}}
	spec.Domain.Devices.Disks = []kubevirtv1.Disk{{Name: "drive", DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{}}}, {Name: "container"}}
	vm := &kubevirtv1.VirtualMachine{Spec: kubevirtv1.VirtualMachineSpec{Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{Spec: spec}}}
	for _, want := range []types.Bool{types.BoolValue(true), types.BoolValue(false)} {
		prior := []Disk{{Name: types.StringValue("drive"), HotPlug: want}, {Name: types.StringValue("container"), HotPlug: want}}
		for _, d := range Read(prior, vm) {
			if !d.HotPlug.Equal(want) {
				t.Errorf("%s: got %s, want %s", d.Name, d.HotPlug, want)
			}
		}
	}
}
