// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// vm is a virtual machine with a disk made from the image, which is an expression.
func vm(name, image, size string) string {
	return fmt.Sprintf(`
resource "harvester_virtualmachine" "test" {
  name = %[1]q
  disk {
    name  = "root"
    size  = %[3]q
    image       = %[2]s
    auto_delete = true
  }
  network_interface {
    name = "default"
  }
}
`, name, image, size)
}

func literal(name string) string { return fmt.Sprintf("\"default/%s\"", name) }

// noVM checks that nothing was made, which is what a refusal promises.
func noVM(cluster *acctest.Cluster, name string) func(*terraform.State) error {
	machines := kube.For[struct{}](cluster.Client, api.VirtualMachines, "VirtualMachine")
	return func(*terraform.State) error {
		if _, err := machines.Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the virtual machine %s exists (or: %w)", name, err)
		}
		return nil
	}
}

// TestAccGate_refusesAtPlan walks the states an image of somebody else can be in.
func TestAccGate_refusesAtPlan(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	for label, test := range map[string]struct {
		arrange func(t *testing.T, name string)
		size    string
		wants   string
	}{
		"missing":              {func(*testing.T, string) {}, "1Gi", `(?s)Image not found.*does not exist.*harvester_image\.<name>\.id`},
		"waiting":              {cluster.Pending, "1Gi", `(?s)Image is not ready.*Uploading, 0 %.*nobody\s+is\s+sending`},
		"at 40 %":              {func(t *testing.T, name string) { t.Helper(); cluster.HeldUpload(t, name, 40) }, "1Gi", `(?s)image\s+= .*Image is not ready|(?s)Image is not ready.*Uploading,\s+\d+\s+%.*Wait until the image is\s+Active`},
		"failed":               {func(t *testing.T, name string) { t.Helper(); cluster.Failed(t, name, "disk on fire") }, "1Gi", `(?s)Image import failed.*disk on fire.*will not try again`},
		"deleting":             {cluster.Deleting, "1Gi", `(?s)Image is being deleted`},
		"larger than the disk": {func(t *testing.T, name string) { t.Helper(); cluster.Uploaded(t, name, 2<<20) }, "1Mi", `(?s)Disk smaller than its image.*at least\s+2Mi`},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			test.arrange(t, name)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             noVM(cluster, name),
				Steps: []resource.TestStep{{
					Config: vm(name, literal(name), test.size), PlanOnly: true, ExpectError: acctest.Said(test.wants),
				}},
			})
		})
	}
}

// TestAccGate_acceptsWhatThisRunMakes: the image does not exist at plan, however
// the virtual machine refers to it.
func TestAccGate_acceptsWhatThisRunMakes(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	for label, reference := range map[string]string{
		"id":                 "harvester_image.test.id",
		"namespace and name": `"${harvester_image.test.namespace}/${harvester_image.test.name}"`,
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			path, _ := acctest.RawImage(t, 1<<20)
			config := image(name, path) + vm(name, reference, "1Gi")
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				Steps: []resource.TestStep{
					{Config: config},
					{ // an image that is replaced in the run is as good
						Config: config, Taint: []string{"harvester_virtualmachine.test"},
						ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
							plancheck.ExpectResourceAction("harvester_virtualmachine.test", plancheck.ResourceActionReplace),
						}},
					},
				},
			})
		})
	}
}

// TestAccGate_opensWhenTheImageIsReady: the same plan that was refused passes
// once the upload has ended.
func TestAccGate_opensWhenTheImageIsReady(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	name := acctest.Name(t)
	cluster.HeldUpload(t, name, 40)
	config := vm(name, literal(name), "1Gi")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: config, ExpectError: acctest.Said(`Image is not ready`)},
			{ // the other settings of plan_checks let the plan pass, but never the apply
				Config: "provider \"harvester\" {\n  plan_checks = \"warn\"\n}\n" + config, PlanOnly: true, ExpectNonEmptyPlan: true,
			},
			{
				Config:      "provider \"harvester\" {\n  plan_checks = \"off\"\n}\n" + config,
				ExpectError: acctest.Said(`Image is not ready.*Nothing was created or changed`),
			},
			{
				PreConfig: func() {
					cluster.ClearFault(t, name)
					cluster.Await(t, name, imagestate.Image.Ready)
				},
				Config: config,
			},
		},
	})
}

// flip is a step between plan and apply.
type flip func()

func (f flip) CheckPlan(context.Context, plancheck.CheckPlanRequest, *plancheck.CheckPlanResponse) {
	f()
}

// TestAccGate_looksAgainAtApply: the image turns unready after the plan.
func TestAccGate_looksAgainAtApply(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	name := acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	turn := flip(func() {
		if err := cluster.Images.Delete(t.Context(), "default", name, ""); err != nil {
			t.Error(err)
		}
		acctest.Eventually(t, "the image is gone", func(ctx context.Context) bool {
			_, err := cluster.Images.Get(ctx, "default", name)
			return apierrors.IsNotFound(err)
		})
		cluster.Pending(t, name)
	})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             noVM(cluster, name),
		Steps: []resource.TestStep{{
			Config:           vm(name, literal(name), "1Gi"),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{turn}},
			ExpectError:      acctest.Said(`Image is not ready.*Uploading`),
		}},
	})
}

// TestAccGate_doesNotTrapADestroy: an existing virtual machine can be destroyed
// although a new one from that image would be refused.
func TestAccGate_doesNotTrapADestroy(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	name := acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             noVM(cluster, name),
		Steps: []resource.TestStep{
			{Config: vm(name, literal(name), "1Gi")},
			{ // the image is on its way out; nothing about the machine changes, so nothing is refused
				PreConfig: func() {
					hold := map[string]any{"metadata": map[string]any{"labels": map[string]any{"a": "b"}}}
					if _, err := cluster.Images.Patch(t.Context(), "default", name, hold); err != nil {
						t.Fatal(err)
					}
				},
				Config: vm(name, literal(name), "1Gi"), PlanOnly: true,
			},
			{Config: vm(name, literal(name), "1Gi"), Destroy: true},
		},
	})
}
