// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package schedulebackup_test

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
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const address = "harvester_schedule_backup.test"

// Schedules that run as often must be ten minutes apart, those of other tests too: each test has hours of its own.

func config(name, schedule, arguments string) string {
	return fmt.Sprintf("resource \"harvester_schedule_backup\" \"test\" {\n  name = %q\n  schedule = %q\n%s\n}\n", name, schedule, arguments)
}

// snapshots is a schedule that needs no backup target.
func snapshots(name, schedule, arguments string) string {
	return config(name, schedule, "  type = \"snapshot\"\n"+arguments)
}

func of(machine string) string { return fmt.Sprintf("  vm_name = %q\n", machine) }

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

type cluster struct {
	*acctest.Cluster
	schedules kube.Resource[api.ScheduleVMBackup]
}

func shared(t *testing.T) cluster {
	t.Helper()
	c := acctest.Shared(t)
	return cluster{c, kube.For[api.ScheduleVMBackup](c.Client, api.ScheduleVMBackups, "ScheduleVMBackup")}
}

func (c cluster) gone(names ...string) func(*terraform.State) error {
	return func(*terraform.State) error {
		for _, name := range names {
			if _, err := c.schedules.Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
				return fmt.Errorf("the schedule %s is still there (or: %w)", name, err)
			}
		}
		return nil
	}
}

// machine makes a virtual machine that is off, with a volume.
func (c cluster) machine(t *testing.T, name string) {
	t.Helper()
	c.Apply(t, api.PersistentVolumeClaims, "default", map[string]any{
		"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": name + "-root"},
		"spec": map[string]any{
			"accessModes": []any{"ReadWriteMany"}, "volumeMode": "Block", "storageClassName": "harvester-longhorn",
			"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
		},
	})
	c.Apply(t, api.VirtualMachines, "default", map[string]any{
		"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"runStrategy": "Halted", "template": map[string]any{"spec": map[string]any{
			"domain": map[string]any{
				"cpu": map[string]any{"cores": 1, "sockets": 1, "threads": 1, "maxSockets": 1},
				"devices": map[string]any{
					"disks":      []any{map[string]any{"name": "root", "disk": map[string]any{"bus": "virtio"}}},
					"interfaces": []any{map[string]any{"name": "default", "masquerade": map[string]any{}}},
				},
				"resources": map[string]any{"limits": map[string]any{"cpu": "1", "memory": "1Gi"}},
			},
			"networks": []any{map[string]any{"name": "default", "pod": map[string]any{}}},
			"volumes":  []any{map[string]any{"name": "root", "persistentVolumeClaim": map[string]any{"claimName": name + "-root"}}},
		}}},
	})
}

// Every argument, its change in place, and what others have on the object. Official bugs B2, B4, B8 and B9.
func TestAccScheduleBackup_lifecycle(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.machine(t, name)
	id := "default/" + name + "/" + name
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: snapshots(name, "0 1 * * *", of(name)+`
  description = "nightly"
  labels      = { team = "blue" }
  tags        = { tier = "1" }`),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", text(id)), expect("vm_name", text(name)), expect("volume_name", knownvalue.Null()), expect("namespace", text("default")),
					expect("retain", knownvalue.Int64Exact(5)), expect("max_failure", knownvalue.Int64Exact(4)), expect("enabled", knownvalue.Bool(true)),
					expect("state", text("Active")), expect("message", text("")), expect("description", text("nightly")), expect("backups", knownvalue.ListSizeExact(0)),
				},
			},
			{Config: snapshots(name, "0 1 * * *", of("default/"+name)+`
  description = "nightly"
  labels      = { team = "blue" }
  tags        = { tier = "1" }`), ConfigPlanChecks: planned(plancheck.ResourceActionNoop)},
			{
				PreConfig: func() {
					if _, err := c.schedules.Patch(t.Context(), "default", name, map[string]any{"metadata": map[string]any{"labels": map[string]any{"other": "owner"}}}); err != nil {
						t.Fatal(err)
					}
				},
				Config: snapshots(name, "0 2 * * *", of(name)+`
  retain          = 8
  max_failure     = 3
  enabled         = false
  skip_cron_check = true
  labels          = { team = "red" }`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("state", text("Suspended")), expect("description", knownvalue.Null()), expect("max_failure", knownvalue.Int64Exact(3)),
				},
				Check: func(*terraform.State) error {
					schedule, err := c.schedules.Get(t.Context(), "default", name)
					if err != nil {
						return err
					}
					spec := schedule.Spec
					got := fmt.Sprintln(spec.Cron, spec.Retain, spec.MaxFailure, spec.Suspend, schedule.Labels["team"], schedule.Labels["other"], len(schedule.Finalizers),
						schedule.Annotations[api.AnnotationSkipCronCheck])
					if want := "0 2 * * * 8 3 true red owner 1 true\n"; got != want {
						return fmt.Errorf("got %q, want %q", got, want)
					}
					return nil
				},
			},
			{
				ResourceName: address, ImportState: true, ImportStateId: id, ImportStateVerify: true,
				// The foreign label is adopted by an import, which also says where the machine is.
				ImportStateVerifyIgnore: []string{"labels.%", "labels.other", "vm_name"},
			},
			{
				Config: snapshots(name, "0 2 * * *", of(name)+"  enabled = true\n"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Active")), expect("max_failure", knownvalue.Int64Exact(4))},
			},
			{ // drift is seen, and undone
				PreConfig: func() {
					patch := map[string]any{"spec": map[string]any{"retain": 9, "suspend": true, "cron": "0 2 1 * *"}}
					if _, err := c.schedules.Patch(t.Context(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: snapshots(name, "0 2 * * *", of(name)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
		},
	})
}

// Official bug B5: a machine in another namespace made the schedule to be replaced for ever.
func TestAccScheduleBackup_otherNamespace(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{
				Config:            snapshots(name, "30 4 * * *", of("harvester-system/"+name)),
				ConfigStateChecks: []statecheck.StateCheck{expect("id", text("harvester-system/"+name+"/"+name)), expect("namespace", text("default"))},
				Check: func(*terraform.State) error {
					_, err := c.schedules.Get(t.Context(), "harvester-system", name)
					return err
				},
			},
			{Config: snapshots(name, "30 4 * * *", "  namespace = \"harvester-system\"\n"+of(name)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{Config: snapshots(name, "30 4 * * *", of(name)), ConfigPlanChecks: planned(plancheck.ResourceActionReplace)},
		},
	})
}

// The deprecated way to name a machine leads to its name, and stays there.
func TestAccScheduleBackup_byVolume(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.machine(t, name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config:            snapshots(name, "0 6 * * *", fmt.Sprintf("  volume_name = \"%s-root\"\n", name)),
				ConfigStateChecks: []statecheck.StateCheck{expect("vm_name", text("default/"+name)), expect("id", text("default/"+name+"/"+name))},
			},
			{Config: snapshots(name, "0 6 * * *", fmt.Sprintf("  volume_name = \"%s-root\"\n  retain = 6\n", name)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{Config: snapshots(name, "0 6 * * *", of(name)+"  retain = 6\n"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{Config: snapshots(name+"-2", "0 7 * * *", "  volume_name = \"no-such-volume\"\n"), ExpectError: acctest.Said(`No virtual machine has the volume`)},
		},
	})
}

// Official bug B3: it took over whatever schedule the machine had, or had the name. B6: another machine was a change in
// place, which the server refuses. B7: a schedule whose machine is gone left the state.
func TestAccScheduleBackup_whose(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Apply(t, api.ScheduleVMBackups, "default", map[string]any{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": "ScheduleVMBackup", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"cron": "0 8 * * *", "retain": 5, "maxFailure": 4, "vmbackup": map[string]any{
			"type": "snapshot", "source": map[string]any{"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": name},
		}},
	})
	importing := `(?s)terraform\s+import\s+harvester_schedule_backup.<name>\s+default/` + name + "/" + name
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name+"-2", name+"-3"),
		Steps: []resource.TestStep{
			{Config: snapshots(name, "0 9 * * *", of(name)), PlanOnly: true, ExpectError: acctest.Said(`has a schedule already.*` + importing[4:])},
			{Config: snapshots(name, "0 9 * * *", of(name+"-2")), ExpectError: acctest.Said(`Backup schedule already exists.*terraform import`)},
			{Config: snapshots(name+"-2", "0 9 * * *", of(name)), PlanOnly: true, ExpectError: acctest.Said(`has a schedule already.*` + importing[4:])},
			{Config: snapshots(name+"-2", "0 9 * * *", of(name+"-2"))}, // its machine was never there
			{Config: snapshots(name+"-2", "0 9 * * *", of(name+"-2")+"  retain = 4\n"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{Config: snapshots(name+"-2", "0 9 * * *", of(name+"-3")), ConfigPlanChecks: planned(plancheck.ResourceActionReplace)},
			{Config: snapshots(name+"-3", "0 9 * * *", of(name+"-3")), ConfigPlanChecks: planned(plancheck.ResourceActionReplace)}, // the same machine
		},
	})
}

// What is wrong is refused in the plan: without the cluster where that can be told (official bug B1), else in Harvester's words.
func TestAccScheduleBackup_refused(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Apply(t, api.ScheduleVMBackups, "default", map[string]any{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": "ScheduleVMBackup", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"cron": "0 11 * * *", "retain": 5, "maxFailure": 4, "vmbackup": map[string]any{
			"type": "snapshot", "source": map[string]any{"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": name},
		}},
	})
	step := func(config, want string) resource.TestStep {
		return resource.TestStep{Config: config, PlanOnly: true, ExpectError: acctest.Said(`` + want)}
	}
	other := of(name + "-2")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			step(snapshots(name+"-2", "0 12 * * *", other+"  retain = 2\n"), `retain.*between 3\s+and 250`),
			step(snapshots(name+"-2", "0 12 * * *", other+"  retain = 251\n"), `between 3\s+and 250`),
			step(snapshots(name+"-2", "0 12 * * *", other+"  retain = 4\n  max_failure = 4\n"), `must be less than retain`),
			step(snapshots(name+"-2", "0 25 * * *", other), `Invalid schedule`),
			step(snapshots(name+"-2", "*/5 * * * *", other), `Schedule too close`),
			step(snapshots(name+"-2", "0 12 * * *", ""), `Set vm_name`),
			step(snapshots(name+"-2", "0 12 * * *", of("a/b/c")), `Invalid reference`),
			step(snapshots(name+"-2", "5 11 * * *", other), `same granularity as\s+schedule`+`.*asked\s+without\s+changing`),
			{ // and may be, if that is wanted
				Config: snapshots(name+"-2", "5 11 * * *", other+"  skip_cron_check = true\n"),
			},
			step(snapshots(name+"-2", "6 11 * * *", other), `same granularity as\s+schedule`),
			{Config: " "},
		},
	})
}

func TestAccScheduleBackup_dataSource(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Apply(t, api.ScheduleVMBackups, "default", map[string]any{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": "ScheduleVMBackup", "metadata": map[string]any{"name": name, "labels": map[string]any{"team": "blue"}},
		"spec": map[string]any{"cron": "0 14 * * *", "retain": 5, "maxFailure": 4, "vmbackup": map[string]any{
			"type": "snapshot", "source": map[string]any{"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": name},
		}},
	})
	show := func(attribute, value string) statecheck.StateCheck {
		return statecheck.ExpectKnownValue("data."+address, tfjsonpath.New(attribute), text(value))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{
				Config: fmt.Sprintf("data \"harvester_schedule_backup\" \"test\" {\n  name = %q\n}\n", name),
				ConfigStateChecks: []statecheck.StateCheck{
					show("id", "default/"+name+"/"+name), show("vm_name", "default/"+name), show("schedule", "0 14 * * *"), show("type", "snapshot"), show("state", "Active"),
					show("namespace", "default"), statecheck.ExpectKnownValue("data."+address, tfjsonpath.New("backups"), knownvalue.ListSizeExact(0)),
				},
			},
			{Config: "data \"harvester_schedule_backup\" \"test\" {\n  name = \"missing\"\n}\n", ExpectError: acctest.Said(`There is no backup schedule`)},
		},
	})
}

// A state of the official provider, for a machine in another namespace: its namespace is that of the machine there.
func TestAccScheduleBackup_official(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Apply(t, api.ScheduleVMBackups, "harvester-system", map[string]any{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": "ScheduleVMBackup", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"cron": "0 16 * * *", "retain": 5, "maxFailure": 4, "vmbackup": map[string]any{
			"type": "snapshot", "source": map[string]any{"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": "web"},
		}},
	})
	state := fmt.Sprintf(`{"id":"harvester-system/web/%[1]s","name":"%[1]s","namespace":"harvester-system","description":"","labels":{},"tags":{},"message":"","state":"",
		"vm_name":"harvester-system/web","volume_name":"","schedule":"0 16 * * *","retain":5,"enabled":true,"timeouts":null}`, name)
	c.TakesOver(t, "harvester_schedule_backup", state, fmt.Sprintf(
		`{"name":%q,"namespace":"harvester-system","vm_name":"web","schedule":"0 16 * * *","retain":5,"enabled":true}`, name))
}
