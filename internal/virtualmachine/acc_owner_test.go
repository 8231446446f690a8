// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// A Secret of others stays theirs, whatever its name: it is used but not shown, and long user data
// go elsewhere.
func TestAccVirtualMachine_secretOfOthers(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	theirs := name + "-cloudinit-data"
	c.Apply(t, api.Secrets, "default", map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": theirs}, "stringData": map[string]any{"userdata": "#cloud-config\n# theirs"},
	})
	body := func(data string) string {
		return "disk {\n name = \"c\"\n container_image_name = \"example.com/disk:1\"\n}\ncloudinit {\n " + data + "\n}\n"
	}
	named := body(fmt.Sprintf("user_data_secret_name = %q", theirs))
	untouched := func(*terraform.State) error {
		secret, err := c.secrets.Get(context.Background(), "default", theirs)
		if err != nil {
			return err
		}
		return same("the Secret", string(secret.Data["userdata"]), "#cloud-config\n# theirs")
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             resource.ComposeTestCheckFunc(c.gone(name), untouched),
		Steps: []resource.TestStep{
			{
				Config: machine(name, named),
				ConfigStateChecks: []statecheck.StateCheck{
					expect(knownvalue.Null(), "cloudinit", 0, "user_data"), expect(exactly(theirs), "cloudinit", 0, "user_data_secret_name"),
				},
			},
			{Config: machine(name, named), PlanOnly: true},
			imports(),
			{
				Config:           machine(name, body(fmt.Sprintf("user_data = \"#cloud-config\\n# %s\\n\"", strings.Repeat("x", 3000)))),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            untouched,
			},
			{Config: machine(name, named), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: untouched},
		},
	})
}

// Volumes that were there before a machine took them outlive it, even if they are marked to go.
func TestAccVirtualMachine_volumeTaken(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.claim(t, name)
	c.remove(t, &name)
	time.Sleep(1100 * time.Millisecond) // the API tells ages in seconds
	c.Apply(t, api.VirtualMachines, "default", map[string]any{
		"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
		"metadata": map[string]any{"name": name, "annotations": map[string]any{
			api.AnnotationVolumeClaimTemplates: fmt.Sprintf(`[{"metadata":{"name":%q,"annotations":{"terraform-provider-harvester-auto-delete":"true"}},`+
				`"spec":{"accessModes":["ReadWriteMany"],"resources":{"requests":{"storage":"1Gi"}},"volumeMode":"Block","storageClassName":"harvester-longhorn"}}]`, name),
		}},
		"spec": map[string]any{"runStrategy": "Halted", "template": map[string]any{"spec": map[string]any{
			"domain": map[string]any{
				"cpu":       map[string]any{"cores": 1},
				"resources": map[string]any{"limits": map[string]any{"cpu": "1", "memory": "1Gi"}},
				"devices": map[string]any{
					"disks":      []any{map[string]any{"name": "data", "disk": map[string]any{"bus": "virtio"}}},
					"interfaces": []any{map[string]any{"name": "nic-1", "masquerade": map[string]any{}}},
				},
			},
			"networks": []any{map[string]any{"name": "nic-1", "pod": map[string]any{}}},
			"volumes":  []any{map[string]any{"name": "data", "persistentVolumeClaim": map[string]any{"claimName": name}}},
		}}},
	})
	config := machine(name, "run_strategy = \"Halted\"\ndisk {\n name = \"data\"\n size = \"1Gi\"\n auto_delete = true\n}\n")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy: resource.ComposeTestCheckFunc(c.gone(name), func(*terraform.State) error {
			volume, err := c.volumes.Get(context.Background(), "default", name)
			if err == nil && volume.DeletionTimestamp != nil {
				return fmt.Errorf("the volume goes with the machine")
			}
			return err
		}),
		Steps: []resource.TestStep{
			{Config: config, ResourceName: address, ImportState: true, ImportStateId: "default/" + name, ImportStatePersist: true},
			{Config: config, PlanOnly: true},
		},
	})
}

// The medium of a CD drive is changed and ejected in place, and its volume goes.
func TestAccVirtualMachine_medium(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Uploaded(t, name, 1<<20)
	c.Uploaded(t, name+"-2", 1<<20)
	config := func(medium string) string {
		return machine(name, fmt.Sprintf(`
  run_strategy = "Halted"
  disk {
    name        = "root"
    size        = "1Gi"
    auto_delete = true
  }
  disk {
    name        = "cd"
    type        = "cd-rom"
    auto_delete = true
    %s
  }`, medium))
	}
	var before *kubevirtv1.VirtualMachine
	check := func(has bool) resource.TestCheckFunc {
		return c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
			was := before
			before = vm
			if (volume(vm, "cd") != "") != has {
				return fmt.Errorf("the drive has the volume %q", volume(vm, "cd"))
			}
			if was == nil {
				return nil
			}
			if vm.UID != was.UID || volume(vm, "root") != volume(was, "root") {
				return fmt.Errorf("another machine, or another system disk")
			}
			if old := volume(was, "cd"); old != "" && old != volume(vm, "cd") {
				acctest.Eventually(t, "the volume of the old medium is gone", func(ctx context.Context) bool {
					_, err := c.volumes.Get(ctx, "default", old)
					return apierrors.IsNotFound(err)
				})
			}
			return nil
		})
	}
	inPlace := planned(plancheck.ResourceActionUpdate)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(fmt.Sprintf("image = %q", name)), Check: check(true)},
			{Config: config(fmt.Sprintf("image = \"%s-2\"", name)), ConfigPlanChecks: inPlace, Check: check(true)},
			{Config: config(fmt.Sprintf("image = \"%s-2\"\n volume_name = \"%s-cd\"", name, name)), ConfigPlanChecks: inPlace, Check: check(true)},
			{Config: config(fmt.Sprintf("image = %q\n volume_name = \"%s-cd\"", name, name)), ExpectError: acctest.Said("Volume would stay in the way")},
			{Config: config(""), ConfigPlanChecks: inPlace, Check: check(false)},
			{Config: config(fmt.Sprintf("image = %q", name)), ConfigPlanChecks: inPlace, Check: check(true)},
		},
	})
}

// Harvester finishes the deletion of a machine only while all volumes of its snapshots exist.
func TestAccVirtualMachine_mediumInASnapshot(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Uploaded(t, name, 1<<20)
	config := func(medium string) string {
		return machine(name, "create_initial_snapshot = true\n"+emptyDrive+fmt.Sprintf(`
  disk {
    name        = "cd"
    type        = "cd-rom"
    auto_delete = true
    %s
  }`, medium))
	}
	var medium string
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(fmt.Sprintf("image = %q", name)), Check: c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
				medium = volume(vm, "cd")
				return nil
			})},
			{Config: config(""), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
				_, err := c.volumes.Get(t.Context(), "default", medium)
				if has := volume(vm, "cd"); has != "" {
					return fmt.Errorf("the drive has the volume %q", has)
				}
				return err
			})},
		},
	})
	t.Cleanup(func() { _ = c.volumes.Delete(context.Background(), "default", medium, "") })
}
