// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

// asking is the argument requests; "" leaves open.
func asking(cpu, memory string) types.List {
	object := types.ObjectValueMust(requestsType.AttrTypes, map[string]attr.Value{"cpu": arg.TextOrNull(cpu), "memory": arg.TextOrNull(memory)})
	return types.ListValueMust(requestsType, []attr.Value{object})
}

// booted is a disk with a place in the boot order.
func booted(name string, order int64) disk.Disk {
	d := blankDisk(name)
	d.BootOrder = types.Int64Value(order)
	return d
}

func TestValidateConfig(t *testing.T) {
	ctx := context.Background()
	keys := func(names ...string) types.List {
		list, _ := types.ListValueFrom(ctx, types.StringType, names)
		return list
	}
	for name, test := range map[string]struct {
		change func(*machine)
		want   string // attribute: summary
	}{
		"right":                  {func(*machine) {}, ""},
		"secure boot, no EFI":    {func(m *machine) { m.SecureBoot = types.BoolValue(true) }, "secure_boot: Secure boot needs EFI"},
		"secure boot, EFI later": {func(m *machine) { m.SecureBoot, m.EFI = types.BoolValue(true), types.BoolUnknown() }, ""},
		"isolation alone":        {func(m *machine) { m.IsolateEmulatorThread = types.BoolValue(true) }, "isolate_emulator_thread: Isolation needs CPU pinning"},
		"start against strategy": {func(m *machine) { m.Start, m.RunStrategy = types.BoolValue(true), text("Halted") }, "start: Contradicting arguments"},
		"start like strategy":    {func(m *machine) { m.Start, m.RunStrategy = types.BoolValue(true), text("Always") }, ""},
		"disk twice":             {func(m *machine) { m.disks = append(m.disks, m.disks[0]) }, "disk[1].name: Name used twice"},
		"interface twice":        {func(m *machine) { m.interfaces = append(m.interfaces, m.interfaces[0]) }, "network_interface[1].name: Name used twice"},
		"cloud-init as disk": {func(m *machine) {
			m.cloudInit = userData("#cloud-config")
			m.disks = append(m.disks, blankDisk(cloudinit.DiskName))
		}, "disk[1].name: Name reserved"},
		"two sources": {func(m *machine) { m.disks[0].ContainerImageName = text("c") }, "disk[0].container_image_name: Contradicting arguments"},
		"deletes a volume of others": {func(m *machine) {
			m.disks[0].Image, m.disks[0].ExistingVolumeName, m.disks[0].AutoDelete = types.StringNull(), text("v"), types.BoolValue(true)
		}, "disk[0].auto_delete: Volume of others"},
		"keys without cloud-init": {func(m *machine) { m.SSHKeys = keys("mine") }, "ssh_keys: SSH keys need cloud-init"},
		"keys with cloud-init":    {func(m *machine) { m.SSHKeys, m.cloudInit = keys("mine"), userData("") }, ""},
		"two kinds of data": {func(m *machine) {
			m.cloudInit = userData("#cloud-config")
			m.cloudInit.UserDataSecretName = text("s")
		}, "cloudinit[0].user_data_secret_name: Contradicting arguments"},
		"two kinds, one empty": {func(m *machine) {
			m.cloudInit = userData("")
			m.cloudInit.UserDataSecretName = text("s")
		}, ""},
		"no base64":        {func(m *machine) { m.cloudInit = userData(""); m.cloudInit.UserDataBase64 = text("%") }, "cloudinit[0].user_data_base64: Invalid base64"},
		"no data":          {func(m *machine) { m.cloudInit = userData("") }, "cloudinit: Empty cloud-init"},
		"data later":       {func(m *machine) { m.cloudInit = userData(""); m.cloudInit.UserData = types.StringUnknown() }, ""},
		"no cloud-config":  {func(m *machine) { m.cloudInit = userData("packages: [a]") }, "cloudinit[0].user_data: User data may not work"},
		"no YAML, encoded": {func(m *machine) { m.cloudInit = userData(""); m.cloudInit.NetworkDataBase64 = text("LSBhCg==") }, "cloudinit[0].network_data_base64: Network data may not work"},
		"boot order twice": {func(m *machine) { m.disks = append(m.disks, booted("b", 2), booted("c", 2)) }, "disk[2].boot_order: Boot order used twice"},
		"boot order of both": {func(m *machine) {
			m.disks = append(m.disks, booted("b", 2))
			m.interfaces[0].BootOrder = types.Int64Value(2)
		}, "network_interface[0].boot_order: Boot order used twice"},
		"no boot order twice": {func(m *machine) { m.disks = append(m.disks, booted("b", 0), booted("c", 0)) }, ""},
		"CD drive on virtio":  {func(m *machine) { m.disks[0].Type, m.disks[0].Bus = text("cd-rom"), text("virtio") }, "disk[0].bus: Bus not possible for a CD drive"},
		"hot-plug on sata":    {func(m *machine) { m.disks[0].HotPlug, m.disks[0].Bus = types.BoolValue(true), text("sata") }, "disk[0].bus: Bus not possible with hot-plug"},
		"CD drive with hot-plug": {func(m *machine) {
			m.disks[0].Type, m.disks[0].HotPlug, m.disks[0].Bus = text("cd-rom"), types.BoolValue(true), text("sata")
		}, ""},
		"masquerade on a VLAN": {func(m *machine) {
			m.interfaces[0].Type, m.interfaces[0].NetworkName = text("masquerade"), text("default/vlan")
		}, "network_interface[0].type: Type not possible on this network"},
		"two on the management network": {func(m *machine) { m.interfaces = append(m.interfaces, card("b")) }, "network_interface[1].network_name: Two interfaces on the management network"},
		"another network, unknown": {func(m *machine) {
			m.interfaces = append(m.interfaces, card("b"))
			m.interfaces[1].NetworkName = types.StringUnknown()
		}, ""},
		"reserved MAC address": {func(m *machine) {
			m.interfaces[0].Type, m.interfaces[0].MACAddress = types.StringNull(), text("02-00-00-00-00-00")
		}, "network_interface[0].mac_address: MAC address reserved"},
		"reserved MAC address, bridged": {func(m *machine) {
			m.interfaces[0].Type, m.interfaces[0].MACAddress = text("bridge"), text("02:00:00:00:00:00")
		}, ""},
		"pinned, other requests":    {func(m *machine) { m.CPUPinning, m.Requests = types.BoolValue(true), asking("500m", "") }, "requests[0]: Requests do not fit CPU pinning"},
		"pinned, the same requests": {func(m *machine) { m.CPUPinning, m.Requests = types.BoolValue(true), asking("1", "") }, ""},
		"requests without a unit":   {func(m *machine) { m.Requests = asking("", "512") }, "requests[0]: Too little memory requested"},
		"user by tag":               {func(m *machine) { m.cloudInit, m.Tags = userData(""), tags(map[string]string{tagSSHUser: "me"}) }, ""},
		"unknown keys":              {func(m *machine) { m.SSHKeys = types.ListUnknown(types.StringType) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := basic()
			m.RunStrategy = types.StringNull()
			test.change(&m)
			noError(t, m.pack(ctx))
			s := vmSchema()
			config := tfsdk.Plan{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(ctx), nil)}
			noError(t, config.Set(ctx, m.model))
			resp := &resource.ValidateConfigResponse{}
			(&Resource{}).ValidateConfig(ctx, resource.ValidateConfigRequest{Config: tfsdk.Config{Schema: s, Raw: config.Raw}}, resp)
			var got []string
			for _, d := range resp.Diagnostics {
				line := d.Summary()
				if at, ok := d.(diag.DiagnosticWithPath); ok {
					line = at.Path().String() + ": " + line
				}
				got = append(got, line)
			}
			if strings.Join(got, "; ") != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
