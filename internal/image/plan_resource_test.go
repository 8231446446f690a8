// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

// named is an uploaded image at an address of its own.
func named(address, name, display, path, more string) string {
	return fmt.Sprintf(`
resource "harvester_image" %q {
  name         = %q
  display_name = %q
  source_type  = "upload"
  file_path    = %q
  %s
}
`, address, name, display, path, more)
}

// Harvester counts an image until it is gone for good, so apply waits for the end of the one that has the display name.
func TestAccImage_displayNameMoves(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 1<<20)
	display := name + ".img"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name+"-3"),
		Steps: []resource.TestStep{
			{Config: named("test", name, display, path, "")},
			{Config: named("test", name+"-2", display, path, ""), ConfigPlanChecks: planned(plancheck.ResourceActionReplace)},
			{ // to another resource, while the old one waits for what depends on it
				Config: named("test", name+"-2", display, path, "") + `
resource "terraform_data" "user" {
  input = harvester_image.test.id
  provisioner "local-exec" {
    when    = destroy
    command = "sleep 7"
  }
}
`,
			},
			{Config: named("other", name+"-3", display, path, ""), Check: gone(cluster, name+"-2")},
		},
	})
}

// Harvester 1.8.2 puts the display name on a label when the image is made, so that Kubernetes refuses what is no value of one;
// the plan asks it. Of 1.8.1, which takes any, see TestDisplayNameThatIsTaken.
func TestAccImage_displayNameWithSpaces(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 1<<20)
	config := named("test", name, "Debian 13 - "+name, path, "")
	refused := regexp.MustCompile(`(?s)metadata\.labels:\s+Invalid\s+value:\s+"Debian 13`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config, PlanOnly: true, ExpectError: refused},
			{Config: `provider "harvester" { plan_checks = "off" }` + config, ExpectError: refused},
			{Config: named("test", name, "Debian-13-"+name, path, "")},
		},
	})
}

func TestAccImage_fileMadeInTheSameRun(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path := filepath.Join(t.TempDir(), "disk.raw")
	config := fmt.Sprintf(`
resource "terraform_data" "build" {
  provisioner "local-exec" { command = "head -c 65536 /dev/zero > '%s'" }
}
`, path) + named("test", name, name, path, "depends_on = [terraform_data.build]")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: named("test", name, name, path, ""), ExpectError: acctest.Said(`File not usable.*does\s+not\s+exist.*Nothing\s+was\s+created`)},
			{Config: config, ConfigStateChecks: []statecheck.StateCheck{expect("size", knownvalue.Int64Exact(65536))}},
		},
	})
}

// afterPlan does something between the plan and its apply.
type afterPlan func()

// CheckPlan runs it.
func (f afterPlan) CheckPlan(context.Context, plancheck.CheckPlanRequest, *plancheck.CheckPlanResponse) {
	f()
}

func TestAccImage_fileChangedAfterThePlan(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	edit := afterPlan(func() {
		if err := os.WriteFile(path, slices.Concat(content, content), 0o600); err != nil {
			t.Error(err)
		}
	})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: upload(name, path, "")},
			{
				Config:           upload(name, path, `description = "changed"`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{edit}},
				ExpectError:      acctest.Said(`Error: File changed since the plan(?s:.*)Plan\s+again`),
			},
			{
				Config:            upload(name, path, `description = "changed"`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionReplace),
				ConfigStateChecks: []statecheck.StateCheck{expect("size", knownvalue.Int64Exact(2<<20))},
			},
		},
	})
}

func TestAccImage_fileChangesIgnored(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	sum := sha512.Sum512(content)
	edit := func() {
		if err := os.WriteFile(path, append(content, content...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	same := []statecheck.StateCheck{expect("file_sha512", knownvalue.StringExact(hex.EncodeToString(sum[:])))}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: upload(name, path, `file_changes = "ignore"`)},
			{PreConfig: edit, Config: upload(name, path, `file_changes = "ignore"`), ConfigPlanChecks: planned(plancheck.ResourceActionNoop), ConfigStateChecks: same},
			{
				Config:           upload(name, path, "file_changes = \"ignore\"\n description = \"changed\""),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), ConfigStateChecks: same,
			},
			{Config: upload(name, path, `file_changes = "replace"`), ConfigPlanChecks: planned(plancheck.ResourceActionReplace)},
		},
	})
}

// The checksum may be that of the packed file or of what it holds, from the beginning or stated later.
func TestAccImage_checksumOfThePackedFile(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	_, content := acctest.RawImage(t, 1<<20)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, _ = writer.Write(content)
	_ = writer.Close()
	path := filepath.Join(t.TempDir(), "disk.raw.gz")
	if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	stating := func(content []byte) string {
		sum := sha512.Sum512(content)
		return upload(name, path, fmt.Sprintf("checksum = %q", hex.EncodeToString(sum[:])))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: upload(name, path, "")},
			{Config: stating(packed.Bytes()), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{Config: stating(content), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{Config: "removed {\n  from = harvester_image.test\n  lifecycle { destroy = false }\n}\n"},
			{
				Config:           stating(packed.Bytes()) + fmt.Sprintf("import {\n  to = harvester_image.test\n  id = \"default/%s\"\n}\n", name),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
			{Config: stating([]byte("other")), PlanOnly: true, ExpectError: acctest.Said(`Checksum does not match`)},
		},
	})
}

// What apply would refuse only after the good image is destroyed, the plan refuses.
func TestAccImage_replacementIsCheckedWithThePlan(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, content := acctest.RawImage(t, 1<<20)
	sum := sha512.Sum512(content)
	config := upload(name, path, fmt.Sprintf("checksum = %q", hex.EncodeToString(sum[:])))
	damage := func() {
		if err := os.WriteFile(path, content[:len(content)-4096], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	repair := func() {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(*terraform.State) error {
		_, err := cluster.Images.Get(context.Background(), "default", name)
		return err
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config},
			{PreConfig: damage, Config: config, ExpectError: acctest.Said(`Checksum does not match.*terraform\s+destroy`)},
			{PreConfig: repair, Config: config, ConfigPlanChecks: planned(plancheck.ResourceActionNoop), Check: kept},
		},
	})
}
