// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

// A volume is attached to one machine, moved to another one, and removed together with its disk, each in one apply,
// while the machines run. What was attached with hot_plug is gone at once. The machine that loses the volume is
// changed last, the worst case for the one that gets it.
func TestAccVolume_letGo(t *testing.T) {
	t.Parallel()
	for label, hot := range map[string]bool{"hot": true, "cold": false} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			cluster, name := acctest.Shared(t), acctest.Name(t)
			machine := func(which string, attached bool, more string) string {
				disk := more
				if attached {
					disk += fmt.Sprintf("  disk {\n    name = \"data\"\n    existing_volume_name = harvester_volume.test.name\n    hot_plug = %t\n  }\n", hot)
				}
				return fmt.Sprintf(`
resource "harvester_virtualmachine" %[1]q {
  name   = "%[2]s-%[1]s"
  memory = "256Mi"
  disk {
    name        = "root"
    size        = "1Gi"
    auto_delete = true
  }
%[3]s
  network_interface {
    name = "default"
  }
}
`, which, name, disk)
			}
			// A is changed three seconds after b.
			late := "  depends_on = [terraform_data.slow]\n"
			slow := "resource \"terraform_data\" \"slow\" {\n  provisioner \"local-exec\" {\n    command = \"sleep 3\"\n  }\n}\n"
			empty := resource.ConfigPlanChecks{PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				Steps: []resource.TestStep{
					{Config: config(name, "") + machine("a", false, "") + machine("b", false, ""), ConfigPlanChecks: empty},
					{Config: config(name, "") + machine("a", true, "") + machine("b", false, ""), ConfigPlanChecks: empty},
					{Config: config(name, "") + machine("a", false, late) + machine("b", true, "") + slow, ConfigPlanChecks: empty},
					{Config: machine("a", false, "") + machine("b", false, ""), ConfigPlanChecks: empty, Check: func(*terraform.State) error {
						claim, err := claims(cluster).Get(context.Background(), "default", name)
						if apierrors.IsNotFound(err) || err == nil && !hot && claim.DeletionTimestamp != nil {
							return nil
						}
						return fmt.Errorf("the volume is still there: %+v, %w", claim, err)
					}},
				},
			})
		})
	}
}
