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
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

const emptyDrive = "disk {\n name = \"c\"\n type = \"cd-rom\"\n}\n"

// asks checks what the machine and its running instance ask of a node.
func (c cluster) asks(name, want string) resource.TestCheckFunc {
	return resource.ComposeTestCheckFunc(
		c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
			return same("machine", requested(vm.Spec.Template.Spec.Domain), want)
		}),
		func(*terraform.State) error {
			vmi, err := c.instances.Get(context.Background(), "default", name)
			if err != nil {
				return err
			}
			return same("instance", requested(vmi.Spec.Domain), want)
		})
}

func requested(domain kubevirtv1.DomainSpec) string {
	return fmt.Sprintf("%s %s", domain.Resources.Requests.Cpu(), domain.Resources.Requests.Memory())
}

func same(what, got, want string) error {
	if got != want {
		return fmt.Errorf("%s: got %q, want %q", what, got, want)
	}
	return nil
}

func request(cpu, memory string) knownvalue.Check {
	value := func(text string) knownvalue.Check {
		if text == "" {
			return knownvalue.Null()
		}
		return knownvalue.StringExact(text)
	}
	return knownvalue.ListExact([]knownvalue.Check{
		knownvalue.ObjectExact(map[string]knownvalue.Check{"cpu": value(cpu), "memory": value(memory)}),
	})
}

// Each step ends with a plan that must be empty.
func TestAccVirtualMachine_requests(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(more string) string { return machine(name, "restart_after_update = true\n"+emptyDrive+more) }
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{ // Harvester's webhook overwrites what a new machine asks for
				Config:            config("requests {\n cpu = \"500m\"\n memory = \"300Mi\"\n}"),
				ConfigStateChecks: []statecheck.StateCheck{expect(request("500m", "300Mi"), "requests"), expect(exactly("Ready"), "state"), expect(knownvalue.Null(), "message")},
				Check:             c.asks(name, "500m 300Mi"),
			},
			{ // other spellings are no change
				Config:   config("requests {\n cpu = \"0.5\"\n memory = \"307200Ki\"\n}"),
				PlanOnly: true,
			},
			{ // nor are other ways to write it
				Config:   config("dynamic \"requests\" {\n for_each = [\"500m\"]\n content {\n cpu = requests.value\n memory = \"300Mi\"\n }\n}"),
				PlanOnly: true,
			},
			{
				Config:   config("requests = [{ cpu = \"500m\", memory = \"300Mi\" }]"),
				PlanOnly: true,
			},
			{ // and it does so again when memory changes
				Config:            config("memory = \"2Gi\"\nrequests {\n cpu = \"500m\"\n}"),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect(request("500m", ""), "requests")},
				Check:             c.asks(name, "500m 1365Mi"),
			},
			{ // without the block the numbers stay until Harvester computes them anew
				Config:            config("memory = \"2Gi\""),
				ConfigStateChecks: []statecheck.StateCheck{expect(request("500m", ""), "requests")},
			},
			{
				Config:            config("memory = \"3Gi\""),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect(request("100m", "2Gi"), "requests")},
				Check:             c.asks(name, "100m 2Gi"),
			},
			{ // changed by hand
				PreConfig: func() {
					patch := map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"domain": map[string]any{
						"resources": map[string]any{"requests": map[string]any{"cpu": "900m"}},
					}}}}}
					if _, err := c.machines.Patch(context.Background(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config:           config("memory = \"3Gi\"\nrequests {\n cpu = \"100m\"\n}"),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            c.asks(name, "100m 2Gi"),
			},
			{Config: config("requests {\n cpu = \"2\"\n}"), ExpectError: acctest.Said(`More requested than allowed`)},
			{Config: config("requests {\n memory = \"lots\"\n}"), ExpectError: acctest.Said(`Invalid quantity`)},
			{Config: config("requests {}\nrequests {}"), ExpectError: acctest.Said(`at most 1`)},
			{Config: config("memory = \"3Gi\"\nrequests {}")},
			imports("requests", "restart_after_update"),
		},
	})
}

// The official provider's state always holds both, whatever the configuration says.
func TestAccVirtualMachine_noRequests(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config:            machine(name, "run_strategy = \"Halted\"\n"+emptyDrive),
				ConfigStateChecks: []statecheck.StateCheck{expect(request("100m", "682Mi"), "requests")},
			},
			imports(),
			{Config: machine(name, "run_strategy = \"Halted\"\n"+emptyDrive+"requests {\n cpu = \"100m\"\n}"), PlanOnly: true},
			{Config: machine(name, "run_strategy = \"Halted\"\n"+emptyDrive+"requests {\n memory = \"682Mi\"\n}"), PlanOnly: true},
		},
	})
}
