// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"encoding/base64"
	"strings"
	"testing"

	kubevirtv1 "kubevirt.io/api/core/v1"
)

func TestWithLogin(t *testing.T) {
	keys := []string{"ssh-ed25519 AAAA me", "ssh-rsa BBBB you"}
	const both = "ssh_authorized_keys:\n  - ssh-ed25519 AAAA me\n  - ssh-rsa BBBB you"
	for name, test := range map[string]struct {
		data, user string
		keys       []string
		want       string
	}{
		"nothing":        {"#cloud-config\n", "", nil, "#cloud-config\n"},
		"only keys":      {"", "", keys, "#cloud-config\n" + both},
		"only a user":    {"", "me", nil, "#cloud-config\nuser: me\n"},
		"both":           {"", "me", keys, "#cloud-config\nuser: me\n\n" + both},
		"after data":     {"#cloud-config\na: b", "me", keys, "#cloud-config\na: b\nuser: me\n\n" + both},
		"user there":     {"#cloud-config\nuser: you\n", "me", nil, "#cloud-config\nuser: you\n"},
		"keys there":     {"#cloud-config\nssh_authorized_keys:\n- x", "", keys, "#cloud-config\nssh_authorized_keys:\n- x"},
		"not at a start": {"#cloud-config\nusers:\n  - user: x", "me", nil, "#cloud-config\nusers:\n  - user: x\nuser: me\n"},
	} {
		got := withLogin(test.data, test.user, test.keys)
		if got != test.want {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, test.want)
		}
		if !addedTo(test.data, got) {
			t.Errorf("%s: %q is not seen as %q with additions", name, got, test.data)
		}
		if withLogin(got, test.user, test.keys) != got {
			t.Errorf("%s: a second time adds more", name)
		}
	}
}

func TestAddedTo(t *testing.T) {
	for _, test := range []struct {
		configured, live string
		want             bool
	}{
		{"", "", true},
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"a", "", false},
		{"", "#cloud-config\na: b", false},
		{"a", "a\nssh_authorized_keys:\n  - k\nruncmd: x", false},
	} {
		if got := addedTo(test.configured, test.live); got != test.want {
			t.Errorf("%q, %q: got %t", test.configured, test.live, got)
		}
	}
}

func TestInjectable(t *testing.T) {
	for data, want := range map[string]bool{
		"": true, "#cloud-config\na: b": true, "a: b\n": true, "#!/bin/sh\necho": false, "Content-Type: multipart/mixed; boundary=x\n\n--x": false,
	} {
		if got := injectable(data); got != want {
			t.Errorf("%q: got %t", data, got)
		}
	}
}

func TestOffload(t *testing.T) {
	fits, long := strings.Repeat("x", maxInline), strings.Repeat("x", maxInline+1)
	inline := seed{kind: typeNoCloud, userData: fits, networkData: fits}
	if data := inline.offload("s"); data != nil || inline.userData != fits {
		t.Errorf("data that fit were moved: %v", data)
	}
	plain := seed{kind: typeNoCloud, userData: long, networkData: "short"}
	if data := plain.offload("s"); string(data[keyUserData]) != long || len(data) != 1 || plain.userData != "" || plain.userDataSecret != "s" || plain.networkData != "short" {
		t.Errorf("got %v, left %+v", len(data), plain.userDataSecret)
	}
	encoded := seed{kind: typeNoCloud, userDataBase64: base64.StdEncoding.EncodeToString([]byte(long)), networkData: long}
	if data := encoded.offload("s"); string(data[keyUserData]) != long || string(data[keyNetworkData]) != long || encoded.userDataBase64 != "" || encoded.networkDataSecret != "s" {
		t.Errorf("got %d entries", len(data))
	}
}

func TestSeedOnto(t *testing.T) {
	spec := &kubevirtv1.VirtualMachineInstanceSpec{}
	spec.Domain.Devices.Disks = []kubevirtv1.Disk{{Name: "root"}}
	seed{kind: typeNoCloud, userData: "a"}.onto(spec)
	if d := spec.Domain.Devices.Disks; len(d) != 2 || d[1].Name != cloudInitDisk || d[1].Disk == nil || seedVolume(spec) == nil {
		t.Fatalf("added: %+v", d)
	}
	spec.Domain.Devices.Disks[1].Serial = "kept"
	seed{kind: typeNoCloud, userData: "b"}.onto(spec)
	if d := spec.Domain.Devices.Disks[1]; d.Serial != "kept" || readSeed(seedVolume(spec)).userData != "b" {
		t.Errorf("changed: %+v", d)
	}
	seed{kind: typeConfigDrive, userData: "b"}.onto(spec)
	if d := spec.Domain.Devices.Disks[1]; d.CDRom == nil || readSeed(seedVolume(spec)).kind != typeConfigDrive {
		t.Errorf("other kind: %+v", d)
	}
	seed{}.onto(spec)
	if len(spec.Domain.Devices.Disks) != 1 || seedVolume(spec) != nil {
		t.Errorf("removed: %+v", spec.Domain.Devices.Disks)
	}
}

func TestSeedOntoKeepsItsName(t *testing.T) {
	spec := &kubevirtv1.VirtualMachineInstanceSpec{Volumes: []kubevirtv1.Volume{
		{Name: "theirs", VolumeSource: kubevirtv1.VolumeSource{CloudInitNoCloud: &kubevirtv1.CloudInitNoCloudSource{UserData: "a"}}},
	}}
	spec.Domain.Devices.Disks = []kubevirtv1.Disk{{Name: "theirs"}, {Name: "root"}}
	seed{kind: typeNoCloud, userData: "b"}.onto(spec)
	if len(spec.Volumes) != 1 || spec.Volumes[0].Name != "theirs" || len(spec.Domain.Devices.Disks) != 2 || spec.Domain.Devices.Disks[0].Name != "theirs" {
		t.Errorf("got %+v", spec)
	}
}
