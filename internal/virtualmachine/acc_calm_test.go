// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// knows checks that the plan updates the machine and leaves the address of its interface known, or not.
func knows(calm bool) resource.ConfigPlanChecks {
	shown := at("network_interface", 0, "ip_address")
	checks := []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate)}
	if !calm {
		return resource.ConfigPlanChecks{PreApply: append(checks, plancheck.ExpectUnknownValue(address, shown))}
	}
	for _, path := range []tfjsonpath.Path{at("state"), at("node_name"), at("requests"), shown} {
		checks = append(checks, plancheck.ExpectKnownValue(address, path, knownvalue.NotNull()))
	}
	return resource.ConfigPlanChecks{PreApply: checks}
}

// instance remembers the running instance of a machine, and checks whether it is another one now.
func (c cluster) instance(name string, uid *types.UID, another bool) resource.TestCheckFunc {
	return func(*terraform.State) error {
		vmi, err := c.instances.Get(context.Background(), "default", name)
		if err != nil {
			return err
		}
		if *uid != "" && (vmi.UID != *uid) != another {
			return fmt.Errorf("restarted: %t, want %t", vmi.UID != *uid, another)
		}
		*uid = vmi.UID
		return nil
	}
}

// Only what KubeVirt does not take live restarts a machine, and what nothing moves stays known. Each step ends with an empty plan.
func TestAccVirtualMachine_calm(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.claim(t, name)
	c.remove(t, &name)
	const hot = "disk {\n name = \"hot\"\n hot_plug = true\n existing_volume_name = %q\n}\n"
	hotPlugged := fmt.Sprintf(hot, name)
	config := func(body string) string { return machine(name, emptyDrive+body) }
	const on = "restart_after_update = true\n"
	var uid types.UID
	pending := func(pending bool) statecheck.StateCheck {
		if pending {
			return expect(knownvalue.NotNull(), "message")
		}
		return expect(knownvalue.Null(), "message")
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(""), Check: c.instance(name, &uid, false)},
			{Config: config("description = \"new\"\n"), ConfigPlanChecks: knows(true), Check: c.instance(name, &uid, false)},
			{ // nothing is pending, so switching it on does nothing
				Config: config(on), ConfigPlanChecks: knows(true), Check: c.instance(name, &uid, false),
			},
			{ // KubeVirt attaches it at once
				Config: config(on + hotPlugged), ConfigPlanChecks: knows(false), Check: c.instance(name, &uid, false),
				ConfigStateChecks: []statecheck.StateCheck{pending(false)},
			},
			{
				Config: config(on + "cpu = 2\n" + hotPlugged), ConfigPlanChecks: knows(false), Check: c.instance(name, &uid, true),
				ConfigStateChecks: []statecheck.StateCheck{pending(false), expect(exactly("Ready"), "state")},
			},
			{ // a change waits
				Config: config("cpu = 3\n" + hotPlugged), Check: c.instance(name, &uid, false),
				ConfigStateChecks: []statecheck.StateCheck{pending(true)},
			},
			{Config: config("cpu = 3\ndescription = \"other\"\n" + hotPlugged), ConfigPlanChecks: knows(true), Check: c.instance(name, &uid, false)},
			{ // and is carried out when that is switched on
				Config: config(on + "cpu = 3\n" + hotPlugged), ConfigPlanChecks: knows(false), Check: c.instance(name, &uid, true),
				ConfigStateChecks: []statecheck.StateCheck{pending(false), expect(exactly("Ready"), "state")},
			},
		},
	})
}

// Updates of a machine that its guest has shut down do not wait for it to run, nor for its address.
func TestAccVirtualMachine_poweredOff(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(body string) string {
		return "resource \"harvester_virtualmachine\" \"test\" {\n name = \"" + name + "\"\n restart_after_update = true\n network_interface {\n name = \"nic-1\"\n wait_for_lease = true\n}\n" +
			emptyDrive + body + "timeouts {\n update = \"30s\"\n}\n}\n"
	}
	off := []statecheck.StateCheck{expect(exactly("Off"), "state"), expect(knownvalue.Null(), "network_interface", 0, "ip_address")}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(""), ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Ready"), "state")}},
			{
				PreConfig: func() { c.shutDown(t, name) },
				Config:    config("cpu = 2\n"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), ConfigStateChecks: off,
				Check: c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
					return same(name, fmt.Sprint(vm.Status.PrintableStatus), "Stopped")
				}),
			},
			{Config: config("cpu = 2\ndescription = \"new\"\n"), ConfigStateChecks: off},
		},
	})
}

// shutDown ends the instance of a machine as its guest does.
func (c cluster) shutDown(t *testing.T, name string) {
	t.Helper()
	body := []byte(`{"status":{"phase":"Succeeded"}}`)
	_, err := c.Client.Dynamic().Resource(api.VirtualMachineInstances).Namespace("default").Patch(t.Context(), name, types.MergePatchType, body, metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// A machine that is started and stopped elsewhere differs in nothing when it is.
func TestAccVirtualMachine_manual(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(body string) string { return machine(name, "run_strategy = \"Manual\"\n"+emptyDrive+body) }
	strategy := func(want string) resource.TestCheckFunc {
		return c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
			live, err := vm.RunStrategy()
			if err != nil {
				return err
			}
			return same(name, string(live), want)
		})
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(""), ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Off"), "state")}},
			{
				PreConfig: func() {
					if _, err := c.machines.Patch(t.Context(), "default", name, map[string]any{"spec": map[string]any{"runStrategy": "Halted"}}); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(""), PlanOnly: true,
			},
			{ // and a change leaves it as it is
				Config: config("description = \"new\"\n"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: strategy("Halted"),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Manual"), "run_strategy"), expect(exactly("Off"), "state")},
			},
			{Config: machine(name, "run_strategy = \"Halted\"\n"+emptyDrive), Check: strategy("Halted")},
			{Config: config(""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: strategy("Manual")},
		},
	})
}
