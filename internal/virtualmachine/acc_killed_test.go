// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// A creation that was killed half-way is gone on with by the next apply of the same plan, and a
// machine that is not known to be one is left alone.
func TestAccVirtualMachine_killedCreate(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	ctx := context.Background()
	config := machine(name, fmt.Sprintf(`
  disk {
    name        = "root"
    auto_delete = true
  }
  requests {
    cpu = "300m"
  }
  cloudinit {
    user_data = "#cloud-config\n# %s\n"
  }
`, strings.Repeat("x", 3000)))
	forgotten := "removed {\n from = harvester_virtualmachine.test\n lifecycle {\n destroy = false\n }\n}\n"
	abandon := c.WatchMark(t, api.VirtualMachines, "default", name)
	var before *kubevirtv1.VirtualMachine
	patch := func(patch map[string]any) {
		if _, err := c.machines.Patch(ctx, "default", name, patch); err != nil {
			t.Fatal(err)
		}
	}
	secretOf := func(vm *kubevirtv1.VirtualMachine) string {
		for _, v := range vm.Spec.Template.Spec.Volumes {
			if v.CloudInitNoCloud != nil && v.CloudInitNoCloud.UserDataSecretRef != nil {
				return v.CloudInitNoCloud.UserDataSecretRef.Name
			}
		}
		return ""
	}
	unmarked := func(vm *kubevirtv1.VirtualMachine) error {
		before = vm
		return same("mark", vm.Annotations[api.AnnotationCreation], "")
	}
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks:   []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_7_0)},
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config, Check: c.look(name, unmarked)},
			{Config: forgotten},
			{Config: config, ExpectError: acctest.Said(`Virtual machine already exists.*terraform\s+import\s+harvester_virtualmachine`)},
			{ // as if it was killed right after the machine was made
				PreConfig: func() {
					abandon()
					patch(map[string]any{
						"spec": map[string]any{"runStrategy": "Halted", "template": map[string]any{"spec": map[string]any{"domain": map[string]any{
							"resources": map[string]any{"requests": map[string]any{"cpu": "100m"}},
						}}}},
					})
					if err := c.secrets.Delete(ctx, "default", secretOf(before), ""); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the machine stops", func(ctx context.Context) bool {
						_, err := c.instances.Get(ctx, "default", name)
						return apierrors.IsNotFound(err)
					})
				},
				Config:            config,
				ConfigPlanChecks:  planned(plancheck.ResourceActionCreate),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Ready"), "state"), expect(request("300m", ""), "requests")},
				Check: resource.ComposeTestCheckFunc(func(*terraform.State) error {
					uid, root := before.UID, volume(before, "root")
					return c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
						if vm.UID != uid || volume(vm, "root") != root {
							return fmt.Errorf("another machine, or another volume")
						}
						if _, err := c.secrets.Get(ctx, "default", secretOf(vm)); err != nil {
							return err
						}
						return unmarked(vm)
					})(nil)
				}, c.asks(name, "300m 682Mi")),
			},
		},
	})
}
