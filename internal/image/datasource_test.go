// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

func dataSource(t *testing.T, steps ...resource.TestStep) {
	t.Helper()
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: acctest.Factories, Steps: steps})
}

func attribute(address, name string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(name), value)
}

func TestAccImageDataSource_finds(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	name := acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	const address = "data.harvester_image.test"
	found := []statecheck.StateCheck{
		attribute(address, "id", knownvalue.StringExact("default/"+name)),
		attribute(address, "display_name", knownvalue.StringExact(name+".img")),
		attribute(address, "state", knownvalue.StringExact("Active")),
		attribute(address, "size", knownvalue.Int64Exact(1<<20)),
		attribute(address, "encrypted", knownvalue.Bool(false)),
		attribute(address, "namespace", knownvalue.StringExact("default")),
		attribute(address, "volume_storage_class_name", knownvalue.StringRegexp(regexp.MustCompile(`.+`))),
	}
	config := func(arguments string) string {
		return fmt.Sprintf("data \"harvester_image\" \"test\" {\n%s\n}", arguments)
	}
	dataSource(t,
		resource.TestStep{Config: config(fmt.Sprintf("name = %q", name)), ConfigStateChecks: found},
		resource.TestStep{Config: config(fmt.Sprintf("display_name = %q\nnamespace = \"default\"", name+".img")), ConfigStateChecks: found},
		resource.TestStep{Config: config(fmt.Sprintf("name = %q\nwait_for_ready = true\nrequire_ready = true", name)), ConfigStateChecks: found},
		resource.TestStep{Config: config(""), ExpectError: acctest.Said(`set name or\s+display_name`)},
		resource.TestStep{Config: config(`name = "no-such-image"`), ExpectError: acctest.Said(`Image not found`)},
		resource.TestStep{Config: config(`display_name = "no-such-image"`), ExpectError: acctest.Said(`No image in the namespace "default" has the\s+display name`)},
		resource.TestStep{Config: config(fmt.Sprintf("name = %q\ndisplay_name = \"other\"", name)), ExpectError: acctest.Said(`has the\s+display name`)},
		resource.TestStep{Config: config("name = \"no-such-image\"\nwait_for_ready = true"), ExpectError: acctest.Said(`Image not found`)},
	)
}

func TestAccImageDataSource_waits(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	name := acctest.Name(t)
	cluster.HeldUpload(t, name, 40)
	config := func(arguments string) string {
		return fmt.Sprintf("data \"harvester_image\" \"test\" {\n  name = %q\n  %s\n}", name, arguments)
	}
	const address = "data.harvester_image.test"
	dataSource(
		t,
		resource.TestStep{ // without a word it shows what there is, as the official provider does
			Config: config(""), ConfigStateChecks: []statecheck.StateCheck{
				attribute(address, "state", knownvalue.StringExact("Uploading")), attribute(address, "progress", knownvalue.Int64Exact(40)),
			},
		},
		resource.TestStep{Config: config("require_ready = true"), ExpectError: acctest.Said(`Image is not ready.*Uploading, 40 %.*wait_for_ready = true`)},
		resource.TestStep{
			Config:      config("wait_for_ready = true\n timeouts { read = \"2s\" }"),
			ExpectError: acctest.Said(`Timed out.*last seen: Uploading, 40 %`),
		},
		resource.TestStep{
			PreConfig: func() { time.AfterFunc(2*time.Second, func() { cluster.ClearFault(t, name) }) },
			Config:    config("wait_for_ready = true"),
			ConfigStateChecks: []statecheck.StateCheck{
				attribute(address, "state", knownvalue.StringExact("Active")),
			},
		},
	)
}

func TestAccImageDataSource_failed(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	name := acctest.Name(t)
	cluster.Failed(t, name, "the disk is full")
	dataSource(t, resource.TestStep{
		Config:      fmt.Sprintf("data \"harvester_image\" \"test\" {\n  name = %q\n  wait_for_ready = true\n}", name),
		ExpectError: acctest.Said(`Image import failed.*the\s+disk\s+is\s+full`),
	})
}

func TestAccImagesDataSource(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	name := acctest.Name(t)
	ready, waiting := name+"-a", name+"-b"
	cluster.Uploaded(t, ready, 1<<20)
	cluster.Pending(t, waiting)
	config := func(arguments string) string {
		return fmt.Sprintf("data \"harvester_images\" \"test\" {\n  display_name_regex = %q\n  %s\n}", "^"+name, arguments)
	}
	ids := func(names ...string) []statecheck.StateCheck {
		exact := []knownvalue.Check{}
		for _, name := range names {
			exact = append(exact, knownvalue.StringExact("default/"+name))
		}
		return []statecheck.StateCheck{attribute("data.harvester_images.test", "ids", knownvalue.ListExact(exact))}
	}
	dataSource(t,
		resource.TestStep{Config: `data "harvester_images" "test" { display_name_regex = "(" }`, ExpectError: acctest.Said(`Invalid regular expression`)},
		resource.TestStep{Config: config(""), ConfigStateChecks: ids(ready, waiting)},
		resource.TestStep{Config: config(`state = "Active"`), ConfigStateChecks: ids(ready)},
		resource.TestStep{Config: config(`namespace = "kube-system"`), ConfigStateChecks: ids()},
		resource.TestStep{Config: config(fmt.Sprintf(`labels = { "harvesterhci.io/imageDisplayName" = %q }`, ready+".img")), ConfigStateChecks: ids(ready)},
	)
}

// An encrypted image is found as such, and as an image; a plain one is no encrypted one.
func TestAccEncryptedImageDataSource(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	name := acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	class := cluster.EncryptedClass(t)
	cluster.Encrypted(t, name+"-sealed", name, class)
	dataSource(
		t,
		resource.TestStep{
			Config:      fmt.Sprintf("data \"harvester_encrypted_image\" \"test\" { name = %q }", name),
			ExpectError: acctest.Said(`There is no encrypted image`),
		},
		resource.TestStep{
			Config: fmt.Sprintf("data \"harvester_encrypted_image\" \"test\" { name = %[1]q }\ndata \"harvester_image\" \"test\" { name = %[1]q }", name+"-sealed"),
			ConfigStateChecks: []statecheck.StateCheck{
				attribute("data.harvester_encrypted_image.test", "source_image", knownvalue.StringExact("default/"+name)),
				attribute("data.harvester_encrypted_image.test", "state", knownvalue.StringExact("Active")),
				attribute("data.harvester_encrypted_image.test", "storage_class_name", knownvalue.StringExact(class)),
				attribute("data.harvester_image.test", "encrypted", knownvalue.Bool(true)),
			},
		},
	)
}
