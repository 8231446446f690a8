// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

func TestAccVirtualMachineDataSource(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	const data = "data.harvester_virtualmachine.test"
	expect := func(value knownvalue.Check, root string, steps ...any) statecheck.StateCheck {
		return statecheck.ExpectKnownValue(data, at(root, steps...), value)
	}
	made := image(t, name) + machine(name, fmt.Sprintf(`
  description = "looked at"
  tags = { tier = "web" }
  cpu  = 2
  disk {
    name        = "rootdisk"
    image       = harvester_image.%s.id
    auto_delete = true
  }
  cloudinit {
    user_data = "#cloud-config"
  }
  tpm {}`, name))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: fmt.Sprintf("data \"harvester_virtualmachine\" \"test\" {\n name = %q\n}\n", name), ExpectError: acctest.Said(`Not found.*virtual\s+machine "default/` + name)},
			{
				Config: made + "data \"harvester_virtualmachine\" \"test\" {\n name = harvester_virtualmachine.test.name\n depends_on = [harvester_virtualmachine.test]\n}\n",
				ConfigPlanChecks: resource.ConfigPlanChecks{
					PostApplyPostRefresh: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()},
				},
				ConfigStateChecks: []statecheck.StateCheck{
					expect(exactly("default/"+name), "id"), expect(exactly("Ready"), "state"), expect(exactly("looked at"), "description"),
					expect(exactly("web"), "tags", "tier"), expect(knownvalue.Int64Exact(2), "cpu"), expect(exactly("1Gi"), "memory"),
					expect(exactly("default/"+name), "disk", 0, "image"), expect(knownvalue.ListSizeExact(1), "disk"), expect(knownvalue.Bool(true), "disk", 0, "auto_delete"),
					expect(knownvalue.NotNull(), "network_interface", 0, "mac_address"), expect(knownvalue.NotNull(), "network_interface", 0, "ip_address"),
					expect(exactly("#cloud-config"), "cloudinit", 0, "user_data"), expect(knownvalue.ListSizeExact(1), "tpm"), expect(knownvalue.ListSizeExact(0), "host_device"),
					expect(knownvalue.NotNull(), "requests", 0, "memory"), expect(knownvalue.NotNull(), "node_name"),
				},
			},
		},
	})
}
