// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

const spread = `{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":100,"podAffinityTerm":{"labelSelector":{"matchExpressions":[{"key":"harvesterhci.io/creator","operator":"Exists"}]},"topologyKey":"kubernetes.io/hostname"}}]}`

// placed is what the machine says of where it may run.
func placed(spec *kubevirtv1.VirtualMachineInstanceSpec) any {
	return []any{spec.Affinity, spec.Tolerations}
}

// Affinities and tolerations, beside the node affinity that Harvester adds for pinned CPUs. They change while the machine
// runs, and no restart is needed.
func TestAccVirtualMachine_placement(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(body string) string { return machine(name, emptyDrive+body) }
	const pinned = `{"key":"cpumanager","operator":"In","values":["true"]}`
	node := func(zone string) string {
		return fmt.Sprintf(`
node_affinity {
  required {
    node_selector_term {
      match_expressions {
        key      = "kubernetes.io/hostname"
        operator = "NotIn"
        values   = [%q]
      }
    }
  }
  preferred {
    weight = 5
    preference {
      match_expressions {
        key      = "zone"
        operator = "Exists"
      }
    }
  }
}
toleration {
  key    = "dedicated"
  value  = "web"
  effect = "NoSchedule"
}
`, zone)
	}
	const pods = `
pod_affinity {
  preferred {
    weight = 10
    pod_affinity_term {
      topology_key = "kubernetes.io/hostname"
      namespaces   = ["default"]
      label_selector {
        match_labels = { app = "db" }
      }
    }
  }
}
pod_anti_affinity {
  required {
    topology_key = "kubernetes.io/hostname"
    label_selector {
      match_expressions {
        key      = "app"
        operator = "In"
        values   = ["nobody-has-it"]
      }
    }
    namespace_selector {}
  }
}
`
	nodeJSON := func(zone, more string) string {
		return `{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"kubernetes.io/hostname","operator":"NotIn","values":["` + zone + `"]}` + more + `]}]},` +
			`"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":5,"preference":{"matchExpressions":[{"key":"zone","operator":"Exists"}]}}]}`
	}
	const taint = `[{"key":"dedicated","operator":"Equal","value":"web","effect":"NoSchedule"}]`
	const podsJSON = `"podAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":10,"podAffinityTerm":{"labelSelector":{"matchLabels":{"app":"db"}},"namespaces":["default"],"topologyKey":"kubernetes.io/hostname"}}]},` +
		`"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[{"labelSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["nobody-has-it"]}]},"topologyKey":"kubernetes.io/hostname","namespaceSelector":{}}]}`
	const pin = "run_strategy = \"Halted\"\ncpu_pinning = true\n"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{ // without a block the machine keeps away from others, as every machine
				Config: config(""), Check: c.shows(name, `[{"podAntiAffinity":`+spread+`},null]`, placed),
			},
			imports(),
			{
				Config: config(node("a")), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:             c.shows(name, `[{"nodeAffinity":`+nodeJSON("a", "")+`,"podAntiAffinity":`+spread+`},`+taint+`]`, placed),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Ready"), "state"), expect(knownvalue.Null(), "message")},
			},
			imports(),
			updated(config(node("b")+pods), c.shows(name, `[{"nodeAffinity":`+nodeJSON("b", "")+`,`+podsJSON+`},`+taint+`]`, placed)),
			imports(),
			{ // changed by hand
				PreConfig: func() {
					patch := map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"tolerations": nil, "affinity": map[string]any{"podAffinity": nil}}}}}
					if _, err := c.machines.Patch(context.Background(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(node("b") + pods), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check: c.shows(name, `[{"nodeAffinity":`+nodeJSON("b", "")+`,`+podsJSON+`},`+taint+`]`, placed),
			},
			// Harvester's requirement comes and goes with the pinning, and is neither shown nor in the way.
			updated(config(pin+node("b")+pods), c.shows(name, `[{"nodeAffinity":`+nodeJSON("b", ","+pinned)+`,`+podsJSON+`},`+taint+`]`, placed)),
			updated(config(pin+"description = \"more\"\n"+node("b")+pods), c.shows(name, `[{"nodeAffinity":`+nodeJSON("b", ","+pinned)+`,`+podsJSON+`},`+taint+`]`, placed)),
			imports(),
			updated(config(pin), c.shows(name,
				`[{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[`+pinned+`]}]}},"podAntiAffinity":`+spread+`},null]`, placed)),
			imports(),
			{Config: config("toleration {}"), ExpectError: acctest.Said(`Toleration of no taint`)},
			{Config: config("node_affinity {\n required {}\n}"), ExpectError: acctest.Said(`node_selector_term`)},
			{Config: config("pod_affinity {\n required {\n topology_key = \"not a label\"\n }\n}"), ExpectError: acctest.Said(`Invalid label`)},
			updated(config("run_strategy = \"Halted\""), c.shows(name, `[{"podAntiAffinity":`+spread+`},null]`, placed)),
		},
	})
}

// What others put on a machine whose configuration has no block for it is left alone.
func TestAccVirtualMachine_placementOfOthers(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(body string) string { return machine(name, "run_strategy = \"Halted\"\n"+emptyDrive+body) }
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config("")},
			{
				PreConfig: func() {
					patch := map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
						"tolerations": []any{map[string]any{"key": "theirs", "operator": "Exists"}},
						"affinity":    map[string]any{"podAntiAffinity": nil, "nodeAffinity": map[string]any{"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{"weight": 1, "preference": map[string]any{"matchExpressions": []any{map[string]any{"key": "theirs", "operator": "Exists"}}}}}}},
					}}}}
					if _, err := c.machines.Patch(context.Background(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(""), PlanOnly: true,
			},
			updated(config("description = \"ours\""), c.shows(name,
				`[{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":1,"preference":{"matchExpressions":[{"key":"theirs","operator":"Exists"}]}}]}},[{"key":"theirs","operator":"Exists"}]]`, placed)),
		},
	})
}

// running is what the running instance has.
func (c cluster) running(name, want string, part func(*kubevirtv1.VirtualMachineInstance) any) resource.TestCheckFunc {
	return func(*terraform.State) error {
		vmi, err := c.instances.Get(context.Background(), "default", name)
		if err != nil {
			return err
		}
		return same("instance", fmt.Sprint(part(vmi)), want)
	}
}

// The topology, and CPUs and memory that grow while the machine runs.
func TestAccVirtualMachine_grows(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(body string) string { return machine(name, emptyDrive+body) }
	size := func(vmi *kubevirtv1.VirtualMachineInstance) any {
		return fmt.Sprintf("%d/%d/%d %s", vmi.Status.CurrentCPUTopology.Cores, vmi.Status.CurrentCPUTopology.Sockets, vmi.Status.CurrentCPUTopology.Threads, vmi.Status.Memory.GuestCurrent)
	}
	instance := ""
	kept := func(again bool) resource.TestCheckFunc {
		return func(*terraform.State) error {
			vmi, err := c.instances.Get(context.Background(), "default", name)
			if err != nil {
				return err
			}
			if still := instance == string(vmi.UID); instance != "" && still != again {
				return fmt.Errorf("the same instance: %t, want %t", still, again)
			}
			instance = string(vmi.UID)
			return nil
		}
	}
	grown := "max_cpu = 8\nmax_memory = \"4Gi\"\n"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: config(grown + "cpu = 2\nmemory = \"1Gi\""),
				Check:  resource.ComposeTestCheckFunc(c.running(name, "1/2/1 1Gi", size), kept(false)),
			},
			imports(),
			{ // at once
				Config: config(grown + "cpu = 3\nmemory = \"2Gi\"\nrestart_after_update = true"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:             resource.ComposeTestCheckFunc(c.running(name, "1/3/1 2Gi", size), kept(true)),
				ConfigStateChecks: []statecheck.StateCheck{expect(knownvalue.Null(), "message")},
			},
			{ // fewer, without a restart: it waits for one
				Config: config(grown + "cpu = 2\nmemory = \"2Gi\""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:             resource.ComposeTestCheckFunc(c.running(name, "1/3/1 2Gi", size), kept(true)),
				ConfigStateChecks: []statecheck.StateCheck{expect(knownvalue.StringRegexp(regexp.MustCompile(`^A restart is needed: Reduction of CPU socket count`)), "message")},
			},
			{ // and with one
				Config: config(grown + "cpu = 1\nmemory = \"2Gi\"\nrestart_after_update = true"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check: resource.ComposeTestCheckFunc(c.running(name, "1/1/1 2Gi", size), kept(false)),
			},
			{Config: config(grown + "cpu = 9"), ExpectError: acctest.Said(`More than the maximum`)},
			{Config: config("max_cpu = 8"), ExpectError: acctest.Said(`max_memory missing`)},
			{ // what is not said stays
				Config:            config("cpu = 1\nmemory = \"2Gi\"\nrestart_after_update = true"),
				ConfigStateChecks: []statecheck.StateCheck{expect(knownvalue.Int64Exact(8), "max_cpu"), expect(exactly("4Gi"), "max_memory")},
			},
			{ // a topology, and a maximum that fits
				Config: config("max_cpu = 16\nmax_memory = \"4Gi\"\ncpu = 2\ncpu_sockets = 2\ncpu_threads = 2\nmemory = \"2Gi\"\nrestart_after_update = true"),
				Check:  resource.ComposeTestCheckFunc(c.running(name, "2/2/2 2Gi", size), kept(false)),
			},
			imports("cpu", "cpu_sockets", "cpu_threads", "restart_after_update"),
			{ // no more
				Config:            config("max_cpu = 0\ncpu = 2\ncpu_threads = 2\nmemory = \"2Gi\"\nrestart_after_update = true"),
				Check:             resource.ComposeTestCheckFunc(c.running(name, "2/1/2 2Gi", size), kept(false)),
				ConfigStateChecks: []statecheck.StateCheck{expect(knownvalue.Int64Exact(0), "max_cpu"), expect(knownvalue.Null(), "max_memory")},
			},
			{ // Harvester has one socket for a machine that cannot grow
				Config:      config("cpu = 2\ncpu_sockets = 2\nmemory = \"2Gi\""),
				ExpectError: acctest.Said(`cpu_sockets.*one\s+socket\s+to\s+a\s+machine`),
			},
			{Config: config("cpu = 2\nmemory = \"2Gi\"")},
		},
	})
}

// How a machine ends: the defaults of Harvester stay until the configuration says otherwise.
func TestAccVirtualMachine_end(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(body string) string { return machine(name, emptyDrive+body) }
	end := func(spec *kubevirtv1.VirtualMachineInstanceSpec) any {
		return []any{spec.EvictionStrategy, spec.TerminationGracePeriodSeconds}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: config(""), Check: c.shows(name, `["LiveMigrateIfPossible",120]`, end),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("LiveMigrateIfPossible"), "eviction_strategy"), expect(knownvalue.Int64Exact(120), "termination_grace_period_seconds")},
			},
			imports(),
			{
				Config: config("eviction_strategy = \"None\"\ntermination_grace_period_seconds = 0"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:             c.shows(name, `["None",0]`, end),
				ConfigStateChecks: []statecheck.StateCheck{expect(knownvalue.StringRegexp(regexp.MustCompile(`^A restart is needed`)), "message")},
			},
			imports(),
			{ // what is not said stays
				Config: config(""), PlanOnly: true,
			},
			{Config: config("eviction_strategy = \"Never\""), ExpectError: acctest.Said(`eviction_strategy`)},
			{Config: config("termination_grace_period_seconds = -1"), ExpectError: acctest.Said(`termination_grace_period_seconds`)},
			{ // changed by hand
				PreConfig: func() {
					patch := map[string]any{"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"evictionStrategy": "External", "terminationGracePeriodSeconds": 7}}}}
					if _, err := c.machines.Patch(context.Background(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: config("eviction_strategy = \"LiveMigrate\"\ntermination_grace_period_seconds = 60"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check: c.shows(name, `["LiveMigrate",60]`, end),
			},
		},
	})
}
