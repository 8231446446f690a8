// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const address = "harvester_storageclass.test"

// config is a class with more arguments.
func config(name, more string) string {
	return fmt.Sprintf(`
resource "harvester_storageclass" "test" {
  name = %q
  %s
}
`, name, more)
}

const plain = `parameters = { migratable = "true", numberOfReplicas = "1" }`

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func classes(cluster *acctest.Cluster) kube.Resource[storagev1.StorageClass] {
	return kube.For[storagev1.StorageClass](cluster.Client, api.StorageClasses, "StorageClass")
}

func gone(cluster *acctest.Cluster, name string) func(*terraform.State) error {
	return func(*terraform.State) error {
		if _, err := classes(cluster).Get(context.Background(), "", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the storage class %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

// The official provider never sends false, wipes the labels of others, and changes in place
// what cannot change.
func TestAccStorageClass_lifecycle(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config: config(name, plain+`
  description = "fast"
  labels      = { team = "blue" }
  tags        = { tier = "1" }`),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", text(name)), expect("volume_provisioner", text("driver.longhorn.io")), expect("reclaim_policy", text("Delete")),
					expect("volume_binding_mode", text("Immediate")), expect("allow_volume_expansion", knownvalue.Bool(true)),
					expect("is_default", knownvalue.Bool(false)), expect("state", text("Ready")), expect("allowed_topologies", knownvalue.ListSizeExact(0)),
				},
			},
			{
				PreConfig: func() {
					patch := map[string]any{"metadata": map[string]any{
						"labels": map[string]any{"other": "owner"}, "annotations": map[string]any{"other/note": "kept"},
					}}
					if _, err := classes(cluster).Patch(t.Context(), "", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(name, plain+`
  allow_volume_expansion = false
  labels                 = { team = "red" }`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("allow_volume_expansion", knownvalue.Bool(false)), expect("description", knownvalue.Null())},
				Check: func(*terraform.State) error {
					class, err := classes(cluster).Get(t.Context(), "", name)
					if err != nil {
						return err
					}
					_, described := class.Annotations[api.AnnotationDescription]
					_, tagged := class.Labels["tag.harvesterhci.io/tier"]
					got := fmt.Sprintln(class.Labels["team"], class.Labels["other"], class.Annotations["other/note"], described, tagged, *class.AllowVolumeExpansion)
					if want := "red owner kept false false false\n"; got != want {
						return fmt.Errorf("got %q, want %q", got, want)
					}
					return nil
				},
			},
			{
				ResourceName: address, ImportState: true, ImportStateVerify: true,
				// The foreign label is adopted by an import.
				ImportStateVerifyIgnore: []string{"labels.%", "labels.other"},
			},
			{
				Config:           config(name, strings.Replace(plain, `"1"`, `"2"`, 1)),
				ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
			},
			{
				Config: config(name, strings.Replace(plain, `"1"`, `"2"`, 1)+`
  reclaim_policy      = "Retain"
  volume_binding_mode = "WaitForFirstConsumer"
  allowed_topologies {
    match_label_expressions {
      key    = "zone"
      values = ["b", "a"]
    }
  }`),
				ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
		},
	})
}

// What Harvester's own webhooks refuse is refused at plan.
func TestAccStorageClass_rehearsed(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{{
			Config: config(name, `parameters = { dataLocality = "strict-local" }`), PlanOnly: true,
			ExpectError: acctest.Said(`strict-local\s+data\s+locality is not allowed.*asked without creating`),
		}},
	})
}

// Classes made by other hands may lack every optional field.
func TestAccStorageClass_import(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Apply(t, api.StorageClasses, "", map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "driver.longhorn.io", "metadata": map[string]any{"name": name},
	})
	wanted := config(name, "parameters = {}\n  allow_volume_expansion = false")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: wanted, ExpectError: acctest.Said(fmt.Sprintf(`(?s)Storage class already exists.*terraform import harvester_storageclass.<name> %s`, name))},
			{
				Config:           wanted + fmt.Sprintf("import {\n  to = harvester_storageclass.test\n  id = %q\n}\n", name),
				ConfigPlanChecks: planned(plancheck.ResourceActionNoop),
			},
		},
	})
}

func TestAccStorageClass_removedOutside(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, plain)},
			{
				PreConfig: func() {
					if err := classes(cluster).Delete(t.Context(), "", name, ""); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the class is gone", func(ctx context.Context) bool {
						_, err := classes(cluster).Get(ctx, "", name)
						return apierrors.IsNotFound(err)
					})
				},
				Config: config(name, plain), ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
		},
	})
}

// An apply that was killed before it could write the state is taken over by the next one.
func TestAccStorageClass_takesOverItsOwn(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	abandon := cluster.WatchMark(t, api.StorageClasses, "", name)
	forget := "removed {\n  from = harvester_storageclass.test\n  lifecycle {\n    destroy = false\n  }\n}\n"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, plain+"\n  description = \"old\"")},
			{Config: forget},
			{Config: config(name, plain), ExpectError: acctest.Said(`Storage class already exists`)},
			{PreConfig: abandon, Config: config(name, plain), ConfigStateChecks: []statecheck.StateCheck{expect("description", knownvalue.Null())}},
			{Config: forget},
			{PreConfig: abandon, Config: config(name, "parameters = {}"), ExpectError: acctest.Said(`Storage class already exists.*with other\s+settings`)},
			{Config: config(name, plain)},
		},
	})
}

// A class that images were made with cannot be deleted; the images are named.
func TestAccStorageClass_usedByImage(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, plain)},
			{
				PreConfig: func() {
					_, err := cluster.Images.Create(t.Context(), "default", &api.VirtualMachineImage{
						ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: map[string]string{api.AnnotationStorageClassName: name}},
						Spec:       api.VirtualMachineImageSpec{DisplayName: name + ".img", SourceType: api.SourceUpload},
					})
					if err != nil {
						t.Fatal(err)
					}
				},
				Config: " ", ExpectError: acctest.Said(fmt.Sprintf(`(?s)Storage class in use.*"default/%s"\s+\(%[1]s.img\).*It was not deleted`, name)),
			},
			{ // an image on its way out is waited for
				PreConfig: func() {
					if err := cluster.Images.Delete(t.Context(), "default", name, ""); err != nil {
						t.Fatal(err)
					}
				},
				Config: " ",
			},
		},
	})
}

// Harvester allows one default class; it has one already.
func TestAccStorageClass_secondDefault(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{{
			Config:      config(name, plain+"\n  is_default = true\n  timeouts {\n    create = \"5s\"\n  }"),
			ExpectError: acctest.Said(`Another storage class is the default.*terraform\s+import harvester_storageclass.<name>\s+harvester-longhorn`),
		}},
	})
}

// envExclusive says that nobody else uses the sandbox: what follows changes its default class.
const envExclusive = "HARVESTER_SANDBOX_EXCLUSIVE"

// The default class can be ended, and be handed over in one apply, whichever way round.
func TestAccStorageClass_switchDefault(t *testing.T) {
	cluster, name := acctest.Shared(t), acctest.Name(t)
	if os.Getenv(envExclusive) == "" {
		t.Skipf("it changes the default class of the whole cluster; %s=1 says that nobody minds", envExclusive)
	}
	builtIn := func(isDefault bool) string {
		return fmt.Sprintf(`
resource "harvester_storageclass" "built_in" {
  name       = "harvester-longhorn"
  parameters = { migratable = "true", numberOfReplicas = "3", staleReplicaTimeout = "30" }
  is_default = %t
  labels     = {}
}
`, isDefault)
	}
	own := func(isDefault bool) string {
		return config(name, fmt.Sprintf("%s\n  is_default = %t", plain, isDefault))
	}
	adopt := "import {\n  to = harvester_storageclass.built_in\n  id = \"harvester-longhorn\"\n}\n"
	forget := "removed {\n  from = harvester_storageclass.built_in\n  lifecycle {\n    destroy = false\n  }\n}\n"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: adopt + builtIn(false) + own(true), ConfigStateChecks: []statecheck.StateCheck{expect("is_default", knownvalue.Bool(true))}},
			{Config: builtIn(true) + own(false), ConfigStateChecks: []statecheck.StateCheck{expect("is_default", knownvalue.Bool(false))}},
			{Config: forget},
		},
	})
}

func TestAccStorageClass_dataSource(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{
				Config: "data \"harvester_storageclass\" \"test\" {\n  name = \"harvester-longhorn\"\n}\n",
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue("data."+address, tfjsonpath.New("parameters").AtMapKey("migratable"), text("true")),
					statecheck.ExpectKnownValue("data."+address, tfjsonpath.New("id"), text("harvester-longhorn")),
				},
			},
			{Config: "data \"harvester_storageclass\" \"test\" {\n  name = \"no-such-class\"\n}\n", ExpectError: acctest.Said(`There is no storage class`)},
		},
	})
}
