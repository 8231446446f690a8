// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package device

import (
	"reflect"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

func text(s string) types.String { return types.StringValue(s) }

func host(name string) Host { return Host{text(name), text("vendor/" + name)} }

func names(devices []kubevirtv1.HostDevice) (names []string) {
	for _, d := range devices {
		names = append(names, d.Name+d.Tag)
	}
	return names
}

func TestHosts(t *testing.T) {
	t.Parallel()
	devices := &kubevirtv1.Devices{}
	HostsOnto(devices, []Host{host("a"), host("b")})
	if got := names(devices.HostDevices); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Fatalf("got %q", got)
	}
	devices.HostDevices[1].Tag = "-tagged"
	HostsOnto(devices, []Host{host("b"), host("c")})
	if got := names(devices.HostDevices); !reflect.DeepEqual(got, []string{"b-tagged", "c"}) {
		t.Errorf("changed: %q", got)
	}
	HostsOnto(devices, nil)
	if devices.HostDevices != nil {
		t.Errorf("V5: removed devices stay: %q", names(devices.HostDevices))
	}
}

func TestReadHosts(t *testing.T) {
	t.Parallel()
	live := []kubevirtv1.HostDevice{{Name: "a", DeviceName: "vendor/a"}, {Name: "b", DeviceName: "vendor/b"}, {Name: "a", DeviceName: "vendor/a"}}
	if got := ReadHosts(nil, live); !reflect.DeepEqual(got, []Host{host("a"), host("b")}) {
		t.Errorf("V5: imported: %v", got)
	}
	if got := ReadHosts([]Host{host("b"), host("gone"), host("a")}, live); !reflect.DeepEqual(got, []Host{host("b"), host("a")}) {
		t.Errorf("V5: in the order of the configuration: %v", got)
	}
}

func TestValidateHosts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hosts []Host
		want  int
	}{
		"none":            {nil, 0},
		"two":             {[]Host{host("a"), host("b")}, 0},
		"twice":           {[]Host{host("a"), host("a")}, 1},
		"nothing":         {[]Host{{}}, 2},
		"no device name":  {[]Host{{Name: text("a")}}, 1},
		"not known yet":   {[]Host{{types.StringUnknown(), types.StringUnknown()}}, 0},
		"empty, official": {[]Host{{text(""), text("x")}}, 1},
	} {
		if got := ValidateHosts(test.hosts, path.Root("host_device")); len(got) != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Place keeps what others added where it is.
func TestPlace(t *testing.T) {
	t.Parallel()
	spec := &kubevirtv1.VirtualMachineInstanceSpec{}
	spec.Domain.Devices.Disks = []kubevirtv1.Disk{{Name: "a"}, {Name: "theirs"}, {Name: "b"}}
	managed := func(name string) bool { return name != "theirs" }
	Place(spec, []kubevirtv1.Disk{{Name: "new"}, {Name: "a"}, {Name: "b"}}, nil, managed)
	var got []string
	for _, d := range spec.Domain.Devices.Disks {
		got = append(got, d.Name)
	}
	if !reflect.DeepEqual(got, []string{"new", "theirs", "a", "b"}) {
		t.Errorf("got %q", got)
	}
}
