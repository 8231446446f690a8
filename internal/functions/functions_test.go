// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package functions_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/qcow2img"
)

type object = map[string]knownvalue.Check

func TestAccFunctions(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", folder)
	write := func(name string, data []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	disk := qcow2(t, 3<<30)
	info := func(format string, compressed bool, size, virtual int, quantity string) object {
		return object{
			"format": knownvalue.StringExact(format), "compressed": knownvalue.Bool(compressed), "size": knownvalue.Int64Exact(int64(size)),
			"virtual_size": knownvalue.Int64Exact(int64(virtual)), "virtual_size_quantity": knownvalue.StringExact(quantity),
		}
	}
	raw := bytes.Repeat([]byte{7}, 1<<20+1)
	for name, test := range map[string]struct {
		call  string
		value object
		says  string
	}{
		"an id":             {call: `parse_id("default/ubuntu")`, value: object{"namespace": knownvalue.StringExact("default"), "name": knownvalue.StringExact("ubuntu")}},
		"a storage class":   {call: `parse_id("longhorn-encrypted")`, value: object{"namespace": knownvalue.Null(), "name": knownvalue.StringExact("longhorn-encrypted")}},
		"no id":             {call: `parse_id("default/")`, says: `The id is wrong: expected namespace/name, for example "default/ubuntu", but got "default/"\.`},
		"qcow2":             {call: call(write("a.qcow2", disk)), value: info("qcow2", false, len(disk), 3<<30, "3Gi")},
		"packed qcow2":      {call: call(write("a.qcow2.gz", packed(t, disk))), value: info("qcow2", true, len(packed(t, disk)), 3<<30, "3Gi")},
		"raw":               {call: call(write("a.raw", raw)), value: info("raw", false, len(raw), 1<<20+512, "2Mi")},
		"packed raw":        {call: call(write("a.raw.gz", packed(t, raw))), value: info("raw", true, len(packed(t, raw)), 1<<20+512, "2Mi")},
		"no file":           {call: call(filepath.Join(folder, "absent")), says: `The image is not usable: the file ".*absent" does not exist`},
		"another format":    {call: call(write("a.vmdk", append([]byte("KDMV"), make([]byte, 1<<16)...))), says: `qemu-img convert`},
		"a file half there": {call: call(write("b.qcow2", disk[:1<<16])), says: `The image is not usable`},
	} {
		t.Run(name, func(t *testing.T) {
			step := resource.TestStep{Config: fmt.Sprintf("output \"it\" {\n  value = provider::harvester::%s\n}\n", test.call)}
			if test.says != "" {
				step.ExpectError = acctest.Said(test.says)
			} else {
				step.ConfigStateChecks = []statecheck.StateCheck{statecheck.ExpectKnownOutputValue("it", knownvalue.ObjectExact(test.value))}
			}
			resource.Test(t, resource.TestCase{
				TerraformVersionChecks:   []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_8_0)},
				ProtoV6ProviderFactories: acctest.Factories, Steps: []resource.TestStep{step},
			})
		})
	}
}

func call(path string) string { return fmt.Sprintf("image_info(%q)", path) }

func qcow2(t *testing.T, size int64) []byte {
	t.Helper()
	var image bytes.Buffer
	if _, err := (qcow2img.Image{VirtualSize: size, DataSize: 1 << 20}).WriteTo(&image); err != nil {
		t.Fatal(err)
	}
	return image.Bytes()
}

func packed(t *testing.T, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
