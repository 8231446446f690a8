// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinit

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8stypes "k8s.io/apimachinery/pkg/types"
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
	vm.Namespace, vm.Name, vm.UID = "default", "vm", "uid-vm"
	s.Onto(&vm.Spec.Template.Spec)
	return vm
}

// secretOf is a Secret that belongs to the machine of that UID; to nobody if there is none.
func secretOf(uid, name, user, network string) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Data:       map[string][]byte{KeyUserData: []byte(user), KeyNetworkData: []byte(network)},
	}
	if uid != "" {
		secret.OwnerReferences = []metav1.OwnerReference{{Kind: "VirtualMachine", Name: "vm", UID: k8stypes.UID(uid)}}
	}
	return secret
}

func TestOwns(t *testing.T) {
	vm := machineWith(Seed{})
	pod := secretOf("uid-vm", "s", "", "")
	pod.OwnerReferences[0].Kind = "Pod"
	for name, test := range map[string]struct {
		secret *corev1.Secret
		want   bool
	}{
		"the machine's own":              {secretOf("uid-vm", "any", "", ""), true},
		"with a name like ours":          {secretOf("", "vm-cloudinit-data", "", ""), false},
		"of an earlier machine vm":       {secretOf("uid-before", "vm-cloudinit-abcde", "", ""), false},
		"of an object of the same UID":   {pod, false},
		"one that could not be read":     {nil, false},
		"of nobody, and of another name": {secretOf("", "team", "", ""), false},
	} {
		if got := Owns(vm, test.secret); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if Owns(&kubevirtv1.VirtualMachine{}, secretOf("", "s", "", "")) {
		t.Error("a machine without UID owns nothing")
	}
}

func TestReadCloudInit(t *testing.T) {
	const long, lookalike = "#cloud-config\n# long", "vm-cloudinit-data"
	ours, theirs := SecretPrefix("vm")+"abcde", secretOf("", lookalike, "their: data", "their: net")
	secret := secretOf("uid-vm", ours, long, "net")
	own := machineWith(Seed{Kind: TypeNoCloud, UserDataSecret: ours})
	foreign := machineWith(Seed{Kind: TypeNoCloud, UserDataSecret: lookalike})
	encoded, naming := userData(""), userData("")
	encoded.UserData, encoded.UserDataBase64 = types.StringNull(), text("I2Nsb3VkLWNvbmZpZwojIGxvbmc=")
	naming.UserData, naming.UserDataSecretName = types.StringNull(), text(lookalike)
	namingOwn, emptied, mixed := *naming, *naming, *naming
	namingOwn.UserDataSecretName = text(ours)
	emptied.UserData = text("")
	mixed.NetworkData = text("net")
	for name, test := range map[string]struct {
		prior   *Model
		vm      *kubevirtv1.VirtualMachine
		secrets []*corev1.Secret
		want    *Model
	}{
		"none":                    {userData("x"), machineWith(Seed{}), nil, nil},
		"as configured":           {userData("a: b"), machineWith(Seed{Kind: TypeNoCloud, UserData: "a: b"}), nil, userData("a: b")},
		"with keys":               {userData("a: b"), machineWith(Seed{Kind: TypeNoCloud, UserData: WithLogin("a: b", "me", []string{"k1", "k2"})}), nil, userData("a: b")},
		"changed":                 {userData("a: b"), machineWith(Seed{Kind: TypeNoCloud, UserData: "a: c"}), nil, userData("a: c")},
		"added by others":         {userData("a: b"), machineWith(Seed{Kind: TypeNoCloud, UserData: "a: b\nruncmd: [evil]"}), nil, userData("a: b\nruncmd: [evil]")},
		"long":                    {userData(long), own, []*corev1.Secret{secret}, userData(long)},
		"long, unreadable":        {userData(long), own, nil, userData(long)},
		"long, changed":           {userData("short"), own, []*corev1.Secret{secret}, userData(long)},
		"long, base64":            {encoded, own, []*corev1.Secret{secret}, encoded},
		"long, after an import":   {nil, own, []*corev1.Secret{secret}, userData(long)},
		"named":                   {naming, foreign, nil, naming},
		"named, and read":         {naming, foreign, []*corev1.Secret{theirs}, naming},
		"theirs, after an import": {nil, foreign, []*corev1.Secret{theirs}, naming},
		"unreadable import":       {nil, own, nil, &namingOwn},
		"given another Secret":    {userData("a: b"), foreign, []*corev1.Secret{theirs}, &emptied},
		"one theirs, one own": {
			naming, machineWith(Seed{Kind: TypeNoCloud, UserDataSecret: lookalike, NetworkDataSecret: ours}), []*corev1.Secret{theirs, secret}, &mixed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := ReadBlock(test.prior, test.vm, test.secrets)
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

func TestSecretsOf(t *testing.T) {
	for want, seed := range map[string]Seed{
		"[]": {}, "[u]": {Kind: TypeNoCloud, UserDataSecret: "u"}, "[n]": {Kind: TypeNoCloud, NetworkDataSecret: "n", UserData: "x"},
		"[u n]": {Kind: TypeNoCloud, UserDataSecret: "u", NetworkDataSecret: "n"}, "[s]": {Kind: TypeNoCloud, UserDataSecret: "s", NetworkDataSecret: "s"},
	} {
		if got := fmt.Sprint(SecretsOf(machineWith(seed))); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := SecretsOf(&kubevirtv1.VirtualMachine{}); got != nil {
		t.Errorf("without a template: %q", got)
	}
}
