// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinit

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

func TestSeedOnto(t *testing.T) {
	spec := &kubevirtv1.VirtualMachineInstanceSpec{}
	spec.Domain.Devices.Disks = []kubevirtv1.Disk{{Name: "root"}}
	Seed{Kind: TypeNoCloud, UserData: "a"}.Onto(spec)
	if d := spec.Domain.Devices.Disks; len(d) != 2 || d[1].Name != DiskName || d[1].Disk == nil || Volume(spec) == nil {
		t.Fatalf("added: %+v", d)
	}
	spec.Domain.Devices.Disks[1].Serial = "kept"
	Seed{Kind: TypeNoCloud, UserData: "b"}.Onto(spec)
	if d := spec.Domain.Devices.Disks[1]; d.Serial != "kept" || Read(Volume(spec)).UserData != "b" {
		t.Errorf("changed: %+v", d)
	}
	Seed{Kind: TypeConfigDrive, UserData: "b"}.Onto(spec)
	if d := spec.Domain.Devices.Disks[1]; d.CDRom == nil || Read(Volume(spec)).Kind != TypeConfigDrive {
		t.Errorf("other kind: %+v", d)
	}
	Seed{}.Onto(spec)
	if len(spec.Domain.Devices.Disks) != 1 || Volume(spec) != nil {
		t.Errorf("removed: %+v", spec.Domain.Devices.Disks)
	}
}

func TestSeedOntoKeepsItsName(t *testing.T) {
	spec := &kubevirtv1.VirtualMachineInstanceSpec{Volumes: []kubevirtv1.Volume{
		{Name: "theirs", VolumeSource: kubevirtv1.VolumeSource{CloudInitNoCloud: &kubevirtv1.CloudInitNoCloudSource{UserData: "a"}}},
	}}
	spec.Domain.Devices.Disks = []kubevirtv1.Disk{{Name: "theirs"}, {Name: "root"}}
	Seed{Kind: TypeNoCloud, UserData: "b"}.Onto(spec)
	if len(spec.Volumes) != 1 || spec.Volumes[0].Name != "theirs" || len(spec.Domain.Devices.Disks) != 2 || spec.Domain.Devices.Disks[0].Name != "theirs" {
		t.Errorf("got %+v", spec)
	}
}

func text(s string) types.String { return types.StringValue(s) }

func userData(data string) *Model {
	return &Model{
		Type: text(TypeNoCloud), UserData: text(data), UserDataBase64: types.StringNull(), UserDataSecretName: types.StringNull(),
		NetworkData: types.StringNull(), NetworkDataBase64: types.StringNull(), NetworkDataSecretName: types.StringNull(),
	}
}

// machineWith is a machine with these cloud-init data and nothing else.
func machineWith(s Seed) *kubevirtv1.VirtualMachine {
	vm := &kubevirtv1.VirtualMachine{Spec: kubevirtv1.VirtualMachineSpec{Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{}}}
	vm.Namespace, vm.Name = "default", "vm"
	s.Onto(&vm.Spec.Template.Spec)
	return vm
}

func TestReadCloudInit(t *testing.T) {
	const long = "#cloud-config\n# long"
	secret := &corev1.Secret{Data: map[string][]byte{KeyUserData: []byte(long)}}
	own := Seed{Kind: TypeNoCloud, UserDataSecret: SecretPrefix("vm") + "abcde"}
	encoded := userData("")
	encoded.UserData, encoded.UserDataBase64 = types.StringNull(), text("I2Nsb3VkLWNvbmZpZwojIGxvbmc=")
	for name, test := range map[string]struct {
		prior  *Model
		vm     *kubevirtv1.VirtualMachine
		secret *corev1.Secret
		want   *Model
	}{
		"none":                  {userData("x"), machineWith(Seed{}), nil, nil},
		"as configured":         {userData("a: b"), machineWith(Seed{Kind: TypeNoCloud, UserData: "a: b"}), nil, userData("a: b")},
		"with keys":             {userData("a: b"), machineWith(Seed{Kind: TypeNoCloud, UserData: WithLogin("a: b", "me", []string{"k1", "k2"})}), nil, userData("a: b")},
		"changed":               {userData("a: b"), machineWith(Seed{Kind: TypeNoCloud, UserData: "a: c"}), nil, userData("a: c")},
		"added by others":       {userData("a: b"), machineWith(Seed{Kind: TypeNoCloud, UserData: "a: b\nruncmd: [evil]"}), nil, userData("a: b\nruncmd: [evil]")},
		"long":                  {userData(long), machineWith(own), secret, userData(long)},
		"long, unreadable":      {userData(long), machineWith(own), nil, userData(long)},
		"long, changed":         {userData("short"), machineWith(own), secret, userData(long)},
		"long, base64":          {encoded, machineWith(own), secret, encoded},
		"long, after an import": {nil, machineWith(own), secret, userData(long)},
	} {
		t.Run(name, func(t *testing.T) {
			got := ReadBlock(test.prior, test.vm, test.secret)
			switch {
			case got == nil || test.want == nil:
				if got != test.want {
					t.Errorf("got %+v", got)
				}
			case *got != *test.want:
				t.Errorf("got  %+v\nwant %+v", *got, *test.want)
			}
		})
	}
}
