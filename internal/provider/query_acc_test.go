// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/querycheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

// from skips what an older Terraform does not know.
func from(version int) []tfversion.TerraformVersionCheck {
	first := tfversion.Version1_12_0
	if version == 14 {
		first = tfversion.Version1_14_0
	}
	return []tfversion.TerraformVersionCheck{tfversion.SkipBelow(first)}
}

// Terraform itself keeps the identity, imports by it, and plans nothing then.
func TestAccIdentity_terraform(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	name := acctest.Name(t)
	const key, class = "harvester_ssh_key.test", "harvester_storageclass.test"
	text := knownvalue.StringExact
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks: from(12), ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{
				Config: fmt.Sprintf(`
resource "harvester_ssh_key" "test" {
  name       = %[1]q
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgBlcxUKtqHQ/0Zgsy9KFYuEPXYwmzPOXfzKdFtvDw ops"
}
resource "harvester_storageclass" "test" {
  name       = %[1]q
  parameters = { migratable = "true", numberOfReplicas = "1", staleReplicaTimeout = "30" }
}
`, name),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectIdentity(key, map[string]knownvalue.Check{"namespace": text("default"), "name": text(name)}),
					statecheck.ExpectIdentity(class, map[string]knownvalue.Check{"name": text(name)}),
				},
			},
			{ResourceName: key, ImportState: true, ImportStateKind: resource.ImportBlockWithResourceIdentity},
			{ResourceName: class, ImportState: true, ImportStateKind: resource.ImportBlockWithResourceIdentity},
			{ResourceName: key, ImportState: true, ImportStateKind: resource.ImportBlockWithID},
		},
	})
}

// terraform query finds what there is.
func TestAccQuery_terraform(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	text := knownvalue.StringExact
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks: from(14), ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{
				Config: fmt.Sprintf(`
resource "harvester_ssh_key" "test" {
  name       = %[1]q
  labels     = { query = %[1]q }
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgBlcxUKtqHQ/0Zgsy9KFYuEPXYwmzPOXfzKdFtvDw ops"
}
`, name),
			},
			{
				Query: true,
				Config: fmt.Sprintf(`
provider "harvester" {}
list "harvester_ssh_key" "test" {
  provider         = harvester
  include_resource = true
  config {
    labels = { query = %[1]q }
  }
}
list "harvester_image" "test" {
  provider = harvester
  config {
    namespace    = "default"
    state        = "Active"
    display_name = "%[1]s.img"
  }
}
list "harvester_image" "none" {
  provider = harvester
  config {
    state        = "Failed"
    display_name = "%[1]s.img"
  }
}
`, name),
				QueryResultChecks: []querycheck.QueryResultCheck{
					querycheck.ExpectLength("harvester_ssh_key.test", 1),
					querycheck.ExpectIdentity("harvester_ssh_key.test", map[string]knownvalue.Check{"namespace": text("default"), "name": text(name)}),
					querycheck.ExpectLength("harvester_image.test", 1),
					querycheck.ExpectIdentity("harvester_image.test", map[string]knownvalue.Check{"namespace": text("default"), "name": text(name)}),
					querycheck.ExpectNoIdentity("harvester_image.none", map[string]knownvalue.Check{"namespace": text("default"), "name": text(name)}),
				},
			},
		},
	})
}

// Terraform invokes an action that a resource triggers, and shows its error.
func TestAccAction_terraform(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	diskOf(t, cluster, name, "")
	config := func(operation string) string {
		return fmt.Sprintf(`
resource "terraform_data" "test" {
  input = %[2]q
  lifecycle {
    action_trigger {
      events  = [after_create, after_update]
      actions = [action.harvester_virtualmachine_power.test]
    }
  }
}
action "harvester_virtualmachine_power" "test" {
  config {
    virtual_machine = "default/%[1]s"
    operation       = %[2]q
  }
}
`, name, operation)
	}
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks: from(14), ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: config("restart"), ExpectError: acctest.Said(`Virtual machine not running`)},
			{Config: config("start"), Check: func(*terraform.State) error {
				if instanceOf(t, cluster, name) == "" {
					return fmt.Errorf("it does not run")
				}
				return nil
			}},
			{Config: config("stop"), Check: func(*terraform.State) error {
				if instanceOf(t, cluster, name) != "" {
					return fmt.Errorf("it runs")
				}
				return nil
			}},
		},
	})
}
