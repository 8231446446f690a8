// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/defaults"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// official is the schema of the resource in the official provider 1.9: name, type, mode
// (required, optional, computed), default, and values that are taken, "" as EMPTY. It was
// written down from its documentation and checked with its source.
const official = `
id                            string computed
name                          string required
namespace                     string optional          default
description                   string optional          -        EMPTY
tags                          map    optional
labels                        map    optional
state                         string computed
message                       string computed
node_name                     string computed
machine_type                  string optional+computed -        EMPTY q35 pc
hostname                      string optional+computed -        EMPTY web
reserved_memory               string optional          -        EMPTY 256Mi
restart_after_update          bool   optional          false
run_strategy                  string optional          RerunOnFailure Always Manual Halted RerunOnFailure
start                         bool   optional
cpu                           int64  optional          1
cpu_model                     string optional          -        EMPTY host-model
memory                        string optional          1Gi      512Mi 1.5Gi 1000000000
requests                      list   optional+computed
requests.cpu                  string optional
requests.memory               string optional
ssh_keys                      list   optional
efi                           bool   optional          false
secure_boot                   bool   optional          false
cpu_pinning                   bool   optional          false
isolate_emulator_thread       bool   optional          false
node_selector                 map    optional
create_initial_snapshot       bool   optional          false
cloudinit                     block  optional
cloudinit.type                string optional          noCloud  noCloud configDrive
cloudinit.user_data           string optional          -        EMPTY
cloudinit.user_data_base64    string optional          -        EMPTY
cloudinit.user_data_secret_name string optional        -        EMPTY
cloudinit.network_data        string optional          -        EMPTY
cloudinit.network_data_base64 string optional          -        EMPTY
cloudinit.network_data_secret_name string optional     -        EMPTY
disk                          block  required
disk.name                     string required          -        rootdisk cdrom-disk disk-0
disk.type                     string optional          disk     disk cd-rom
disk.size                     string optional          -        EMPTY 10Gi
disk.bus                      string optional+computed -        EMPTY virtio sata scsi
disk.cache_mode               string optional          -        EMPTY none writeback writethrough
disk.boot_order               int64  optional
disk.image                    string optional          -        EMPTY ubuntu default/ubuntu
disk.existing_volume_name     string optional          -        EMPTY data-1
disk.container_image_name     string optional          -        EMPTY
disk.auto_delete              bool   optional+computed false
disk.hot_plug                 bool   optional+computed
disk.storage_class_name       string optional+computed -        harvester-longhorn
disk.volume_mode              string optional+computed -        Block Filesystem
disk.access_mode              string optional+computed -        ReadWriteOnce ReadOnlyMany ReadWriteMany
disk.volume_name              string optional+computed -        vm-disk-0
network_interface             block  required
network_interface.name        string required          -        nic-1 default
network_interface.type        string optional+computed -        EMPTY bridge masquerade
network_interface.model       string optional          virtio   virtio e1000 e1000e ne2k_pco pcnet rtl8139
network_interface.mac_address string optional+computed -        EMPTY 52:54:00:00:00:01
network_interface.ip_address  string computed
network_interface.interface_name string computed
network_interface.wait_for_lease bool optional         false
network_interface.network_name string optional         -        EMPTY default/vlan1
network_interface.boot_order  int64  optional
input                         block  optional
input.name                    string required
input.type                    string optional          tablet   tablet
input.bus                     string optional          usb      usb virtio
tpm                           block  optional
tpm.name                      string optional          -        EMPTY
host_device                   block  optional
host_device.name              string optional
host_device.device_name       string optional
timeouts                      block  optional
timeouts.create               string optional          -        2m
timeouts.read                 string optional          -        2m
timeouts.update               string optional          -        2m
timeouts.delete               string optional          -        5m
timeouts.default              string optional          -        2m
`

// argument is an argument as this provider has it.
type argument struct {
	kind, mode, fallback string
	validators           []validator.String
}

// arguments lists all of a schema by path.
func arguments(t *testing.T) map[string]argument {
	t.Helper()
	all := map[string]argument{}
	add := func(prefix string, attributes map[string]schema.Attribute) {
		for name, attribute := range attributes {
			all[prefix+name] = describeArgument(t, attribute)
			list, isList := attribute.GetType().(types.ListType)
			if object, isObject := list.ElemType.(types.ObjectType); isList && isObject {
				for inner := range object.AttrTypes {
					all[prefix+name+"."+inner] = argument{kind: "string", mode: "optional"}
				}
			}
		}
	}
	s := vmSchema()
	add("", s.Attributes)
	for name, block := range s.Blocks {
		mode := "optional"
		switch block := block.(type) {
		case schema.ListNestedBlock:
			if slices.ContainsFunc(block.Validators, func(v validator.List) bool {
				return strings.Contains(v.Description(context.Background()), "must have a configuration value")
			}) {
				mode = "required"
			}
			add(name+".", block.NestedObject.Attributes)
		case schema.SingleNestedBlock:
			add(name+".", block.Attributes)
		}
		all[name] = argument{kind: "block", mode: mode}
	}
	return all
}

func describeArgument(t *testing.T, attribute schema.Attribute) argument {
	t.Helper()
	ctx := context.Background()
	var result argument
	switch attribute := attribute.(type) {
	case schema.StringAttribute:
		result.kind, result.validators = "string", attribute.Validators
		if attribute.Default != nil {
			var resp defaults.StringResponse
			attribute.Default.DefaultString(ctx, defaults.StringRequest{}, &resp)
			result.fallback = resp.PlanValue.ValueString()
		}
	case schema.BoolAttribute:
		result.kind = "bool"
		if attribute.Default != nil {
			var resp defaults.BoolResponse
			attribute.Default.DefaultBool(ctx, defaults.BoolRequest{}, &resp)
			result.fallback = fmt.Sprint(resp.PlanValue.ValueBool())
		}
	case schema.Int64Attribute:
		result.kind = "int64"
		if attribute.Default != nil {
			var resp defaults.Int64Response
			attribute.Default.DefaultInt64(ctx, defaults.Int64Request{}, &resp)
			result.fallback = fmt.Sprint(resp.PlanValue.ValueInt64())
		}
	case schema.MapAttribute:
		result.kind = "map"
	case schema.ListAttribute:
		result.kind = "list"
	default:
		t.Errorf("an attribute of kind %T", attribute)
	}
	switch {
	case attribute.IsRequired():
		result.mode = "required"
	case attribute.IsOptional() && attribute.IsComputed() && result.fallback == "":
		result.mode = "optional+computed"
	case attribute.IsOptional():
		result.mode = "optional" // with a default the framework wants it computed, too
	default:
		result.mode = "computed"
	}
	return result
}

// more are the arguments that the official provider lacks, under the names that open pull requests for it propose where there are any.
var more = []string{
	"cpu_sockets", "cpu_threads", "max_cpu", "max_memory", "eviction_strategy", "termination_grace_period_seconds",
	"node_affinity", "pod_affinity", "pod_anti_affinity", "toleration",
}

// Every argument of the official provider is here, and means the same.
func TestOfficialArguments(t *testing.T) {
	t.Parallel()
	ours := arguments(t)
	known := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(official)) {
		fields := strings.Fields(line)
		name, kind, mode := fields[0], fields[1], fields[2]
		known[name] = true
		got, found := ours[name]
		if !found {
			t.Errorf("%s is missing", name)
			continue
		}
		fallback, values := "", []string(nil)
		if len(fields) > 3 {
			fallback, values = strings.TrimPrefix(fields[3], "-"), fields[4:]
		}
		// Here the default of auto_delete is in the schema, and that of size is known at plan.
		if mode == "optional+computed" && fallback != "" || name == "disk.size" {
			mode = got.mode
		}
		if got.kind != kind || got.mode != mode || got.fallback != fallback {
			t.Errorf("%s is %s, %s, with the default %q; official: %s, %s, %q", name, got.kind, got.mode, got.fallback, kind, mode, fallback)
		}
		for _, value := range values {
			takes(t, name, got.validators, strings.ReplaceAll(value, "EMPTY", ""))
		}
	}
	for name := range ours {
		if !known[name] && !slices.Contains(more, strings.SplitN(name, ".", 2)[0]) {
			t.Errorf("%s is not an official argument; if it is to stay, say so here", name)
		}
	}
}

func takes(t *testing.T, name string, validators []validator.String, value string) {
	t.Helper()
	for _, v := range validators {
		resp := &validator.StringResponse{}
		v.ValidateString(context.Background(), validator.StringRequest{Path: path.Root(name), ConfigValue: types.StringValue(value)}, resp)
		if resp.Diagnostics.HasError() {
			t.Errorf("%s: %q is refused: %v", name, value, resp.Diagnostics)
		}
	}
}
