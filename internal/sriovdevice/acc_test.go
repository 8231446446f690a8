// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sriovdevice_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const address = "harvester_sriov_network_device.test"

func config(name, more string) string {
	return fmt.Sprintf("resource \"harvester_sriov_network_device\" \"test\" {\n  name = %q\n  %s\n}\n", name, more)
}

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func cards(cluster *acctest.Cluster) kube.Resource[api.SRIOVNetworkDevice] {
	return kube.For[api.SRIOVNetworkDevice](cluster.Client, api.SRIOVNetworkDevices, "SRIOVNetworkDevice")
}

func has(cluster *acctest.Cluster, name string, want int64) func(*terraform.State) error {
	return func(*terraform.State) error {
		card, err := cards(cluster).Get(context.Background(), "", name)
		if err == nil && card.Spec.NumVFs != want {
			err = fmt.Errorf("the card shall have %d virtual functions", card.Spec.NumVFs)
		}
		return err
	}
}

// F2: the import works. F3: one number follows another. What was there before comes back.
func TestAccSRIOVNetworkDevice_lifecycle(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), "harvester-node-0-enp3s0f0"
	function := "harvester-node-0-000003020"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             has(cluster, name, 0),
		Steps: []resource.TestStep{
			{
				Config: config(name, `
  virtual_functions = 2
  description       = "uplink"
  tags              = { tier = "1" }
  labels            = { team = "blue" }`),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("enabled", knownvalue.Bool(true)), expect("state", knownvalue.StringExact("sriovNetworkDeviceEnabled")), expect("message", knownvalue.StringExact("")),
					expect("vf_device_names", knownvalue.SetExact([]knownvalue.Check{knownvalue.StringExact(function), knownvalue.StringExact("harvester-node-0-000003021")})),
					expect("vf_addresses", knownvalue.SetSizeExact(2)), expect("node_name", knownvalue.StringExact("harvester-node-0")),
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: []string{"labels.%", "labels.nodename"}},
			{Config: config(name, "virtual_functions = 4"), ConfigStateChecks: []statecheck.StateCheck{expect("vf_device_names", knownvalue.SetSizeExact(4)), expect("tags", knownvalue.Null())}},
			{ // each can be used at once
				Config: config(name, "virtual_functions = 4") + fmt.Sprintf("resource \"harvester_pcidevice\" \"vf\" {\n  name = %q\n  passthrough_enabled = true\n}\n", function),
			},
			{
				Config:      config(name, "virtual_functions = 2") + fmt.Sprintf("resource \"harvester_pcidevice\" \"vf\" {\n  name = %q\n  passthrough_enabled = true\n}\n", function),
				ExpectError: acctest.Said(`Virtual functions in use.*` + function),
			},
			{ // who says nothing leaves the card as it is
				Config: `provider "harvester" { plan_checks = "off" }` + "\n" + config(name, ""), Check: has(cluster, name, 4),
			},
			{Config: config(name, "virtual_functions = 0"), ConfigStateChecks: []statecheck.StateCheck{
				expect("enabled", knownvalue.Bool(false)), expect("vf_device_names", knownvalue.SetSizeExact(0)), expect("state", knownvalue.StringExact("sriovNetworkDeviceDisabled")),
			}},
			{
				Config: config(name, "virtual_functions = 1") + `data "harvester_sriov_network_device" "test" { name = harvester_sriov_network_device.test.name }`,
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue("data.harvester_sriov_network_device.test", tfjsonpath.New("virtual_functions"), knownvalue.Int64Exact(1)),
				},
			},
		},
	})
}

// F1: without virtual_functions a card that has some keeps them, also when the resource goes. What the card cannot do ends with
// the time limit (F4: of creations) and the likely reason.
func TestAccSRIOVNetworkDevice_found(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), "harvester-node-1-enp3s0f0"
	cluster.Alone(t, name)
	t.Cleanup(func() {
		_, _ = cards(cluster).Patch(context.Background(), "", name, map[string]any{"spec": map[string]any{"numVFs": 0}})
	})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: has(cluster, name, 3),
		Steps: []resource.TestStep{
			{Config: config("harvester-node-7-enp3s0f0", ""), ExpectError: acctest.Said(`not found.*` + name)},
			{Config: config(name, "virtual_functions = -1"), PlanOnly: true, ExpectError: acctest.Said(`virtual_functions`)},
			{
				Config:      config(name, "virtual_functions = 9\n  timeouts {\n    create = \"4s\"\n  }"),
				ExpectError: acctest.Said(`Timed out.*harvester-node-1\s+did not set 9.*sriov_totalvfs`),
			},
			{Config: config(name, "virtual_functions = 0"), Destroy: true},
			{
				PreConfig: func() {
					if _, err := cards(cluster).Patch(t.Context(), "", name, map[string]any{"spec": map[string]any{"numVFs": 3}}); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the card has virtual functions", func(ctx context.Context) bool {
						card, err := cards(cluster).Get(ctx, "", name)
						return err == nil && len(card.Status.VFAddresses) == 3
					})
				},
				Config: config(name, ""), ConfigStateChecks: []statecheck.StateCheck{expect("virtual_functions", knownvalue.Int64Exact(3))},
			},
		},
	})
}
