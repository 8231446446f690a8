// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
)

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
			m.cloudInit = userData("a: b")
			m.disks = append(m.disks, blankDisk(cloudinit.DiskName))
		}, "disk[1].name: Name reserved"},
		"two sources": {func(m *machine) { m.disks[0].ContainerImageName = text("c") }, "disk[0].container_image_name: Contradicting arguments"},
		"deletes a volume of others": {func(m *machine) {
			m.disks[0].Image, m.disks[0].ExistingVolumeName, m.disks[0].AutoDelete = types.StringNull(), text("v"), types.BoolValue(true)
		}, "disk[0].auto_delete: Volume of others"},
		"keys without cloud-init": {func(m *machine) { m.SSHKeys = keys("mine") }, "ssh_keys: SSH keys need cloud-init"},
		"keys with cloud-init":    {func(m *machine) { m.SSHKeys, m.cloudInit = keys("mine"), userData("") }, ""},
		"two kinds of data": {func(m *machine) {
			m.cloudInit = userData("a: b")
			m.cloudInit.UserDataSecretName = text("s")
		}, "cloudinit[0].user_data_secret_name: Contradicting arguments"},
		"two kinds, one empty": {func(m *machine) {
			m.cloudInit = userData("")
			m.cloudInit.UserDataSecretName = text("s")
		}, ""},
		"no base64":    {func(m *machine) { m.cloudInit = userData(""); m.cloudInit.UserDataBase64 = text("%") }, "cloudinit[0].user_data_base64: Invalid base64"},
		"no data":      {func(m *machine) { m.cloudInit = userData("") }, "cloudinit: Empty cloud-init"},
		"data later":   {func(m *machine) { m.cloudInit = userData(""); m.cloudInit.UserData = types.StringUnknown() }, ""},
		"user by tag":  {func(m *machine) { m.cloudInit, m.Tags = userData(""), tags(map[string]string{tagSSHUser: "me"}) }, ""},
		"unknown keys": {func(m *machine) { m.SSHKeys = types.ListUnknown(types.StringType) }, ""},
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
