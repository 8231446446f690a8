// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const address = "harvester_volume.test"

// config is a volume with more arguments.
func config(name, more string) string {
	return fmt.Sprintf(`
resource "harvester_volume" "test" {
  name = %q
  %s
}
`, name, more)
}

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func claims(cluster *acctest.Cluster) kube.Resource[corev1.PersistentVolumeClaim] {
	return kube.For[corev1.PersistentVolumeClaim](cluster.Client, api.PersistentVolumeClaims, "PersistentVolumeClaim")
}

// gone checks that the volume, and what CDI made it for, are not in the cluster any more.
func gone(cluster *acctest.Cluster, name string) func(*terraform.State) error {
	return func(*terraform.State) error {
		if _, err := claims(cluster).Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the volume %s is still there (or: %w)", name, err)
		}
		data := kube.For[api.DataVolume](cluster.Client, api.DataVolumes, api.KindDataVolume)
		if _, err := data.Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the data volume %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

// claim is a volume made by other hands than Terraform's.
func claim(name, size string, more map[string]any) map[string]any {
	spec := map[string]any{
		"accessModes": []any{"ReadWriteMany"}, "volumeMode": "Block", "storageClassName": "harvester-longhorn",
		"resources": map[string]any{"requests": map[string]any{"storage": size}},
	}
	metadata := map[string]any{"name": name}
	maps.Copy(metadata, more)
	return map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
}

// bound waits until a volume is bound.
func bound(t *testing.T, cluster *acctest.Cluster, name string) {
	t.Helper()
	acctest.Eventually(t, "the volume is bound", func(ctx context.Context) bool {
		volume, err := claims(cluster).Get(ctx, "default", name)
		return err == nil && volume.Status.Phase == corev1.ClaimBound
	})
}

// VO3, VO4: sizes are checked before, growing is in place, equal sizes are equal, and what
// cannot change is replaced.
func TestAccVolume_blank(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, `size = "1 GB"`), PlanOnly: true, ExpectError: acctest.Said(`Invalid quantity`)},
			{
				Config: config(name, `description = "data"
  labels = { team = "blue" }
  tags = { kind = "data", gone = "soon" }`),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", text("default/"+name)), expect("size", text("1Gi")), expect("storage_class_name", text("harvester-longhorn")),
					expect("volume_mode", text("Block")), expect("access_mode", text("ReadWriteMany")), expect("image", knownvalue.Null()),
					expect("state", text("Ready")), expect("phase", text("Bound")), expect("message", text("")), expect("attached_vm", text("")),
				},
			},
			{ // the same size in other words is no change
				Config: config(name, `description = "data"
  size   = "1024Mi"
  labels = { team = "blue" }
  tags   = { kind = "data", gone = "soon" }`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
			{ // what a change does not move stays known
				Config: config(name, `description = "new"
  labels = { team = "blue" }
  tags = { kind = "data", gone = "soon" }`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
					plancheck.ExpectKnownValue(address, tfjsonpath.New("phase"), text("Bound")), plancheck.ExpectKnownValue(address, tfjsonpath.New("state"), text("Ready")),
					plancheck.ExpectKnownValue(address, tfjsonpath.New("attached_vm"), text("")), plancheck.ExpectKnownValue(address, tfjsonpath.New("message"), text("")),
				}},
			},
			{ // others' labels and annotations survive changes in place
				PreConfig: func() {
					patch := map[string]any{"metadata": map[string]any{
						"labels": map[string]any{"other": "owner"}, "annotations": map[string]any{"other/note": "kept"},
					}}
					if _, err := claims(cluster).Patch(t.Context(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(name, `size = "2560Mi"
  labels = { team = "red" }
  tags   = { kind = "data" }`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("description", knownvalue.Null()), expect("size", text("2560Mi")), expect("message", text("")),
				},
				Check: func(*terraform.State) error {
					volume, err := claims(cluster).Get(t.Context(), "default", name)
					if err != nil {
						return err
					}
					_, described := volume.Annotations[api.AnnotationDescription]
					got := fmt.Sprintln(volume.Labels["team"], volume.Labels["other"], volume.Labels["tag.harvesterhci.io/gone"],
						volume.Annotations["other/note"], described, volume.Status.Capacity.Storage().String())
					if want := "red owner  kept false 2560Mi\n"; got != want {
						return fmt.Errorf("got %q, want %q", got, want)
					}
					return nil
				},
			},
			{
				Config: config(name, `size = "2Gi"`), PlanOnly: true,
				ExpectError: acctest.Said(`Volume cannot shrink.*has 2560Mi, and the configuration\s+asks\s+for\s+2Gi`),
			},
			{
				ResourceName: address, ImportState: true, ImportStateVerify: true,
				// The foreign label is adopted by an import.
				ImportStateVerifyIgnore: []string{"labels.%", "labels.other"},
			},
			{ // a volume that is replaced may well be smaller
				Config:            config(name, `access_mode = "ReadWriteOnce"`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionReplace),
				ConfigStateChecks: []statecheck.StateCheck{expect("access_mode", text("ReadWriteOnce")), expect("size", text("1Gi"))},
			},
		},
	})
}

// VO1: the class is the one that the image names, whatever the image is called; a class
// that is stated must be that one.
func TestAccVolume_fromImage(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 2<<20)
	image, err := cluster.Images.Get(t.Context(), "default", name)
	if err != nil {
		t.Fatal(err)
	}
	class := image.Status.StorageClassName
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config:            config(name, fmt.Sprintf(`image = "default/%s"`, name)),
				ConfigStateChecks: []statecheck.StateCheck{expect("storage_class_name", text(class)), expect("state", text("Ready"))},
				Check: func(*terraform.State) error {
					volume, err := claims(cluster).Get(t.Context(), "default", name)
					if err != nil {
						return err
					}
					if got := volume.Annotations["harvesterhci.io/imageId"]; got != "default/"+name {
						return fmt.Errorf("imageId is %q", got)
					}
					return nil
				},
			},
			{ // a name alone means the same image
				Config:           config(name, fmt.Sprintf(`image = %q`, name)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
			{
				Config:           config(name, fmt.Sprintf("image = %q\n  storage_class_name = %q", name, class)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{
				Config:      config(name, fmt.Sprintf("image = %q\n  storage_class_name = \"harvester-longhorn\"", name)),
				PlanOnly:    true,
				ExpectError: acctest.Said(`Storage class does not fit the image.*Remove\s+storage_class_name`),
			},
			{ // without an image it is another volume
				Config:            config(name, ""),
				ConfigPlanChecks:  planned(plancheck.ResourceActionReplace),
				ConfigStateChecks: []statecheck.StateCheck{expect("storage_class_name", text("harvester-longhorn")), expect("image", knownvalue.Null())},
			},
		},
	})
}

// VO6: the gate, at plan.
func TestAccVolume_refusedAtPlan(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	for label, test := range map[string]struct {
		arrange func(t *testing.T, name string)
		size    string
		wants   string
	}{
		"missing":                {func(*testing.T, string) {}, "1Gi", `(?s)Image not found.*Cannot create the volume`},
		"uploading":              {func(t *testing.T, name string) { t.Helper(); cluster.HeldUpload(t, name, 40) }, "1Gi", `(?s)Image is not ready.*Cannot create the volume.*Uploading`},
		"larger than the volume": {func(t *testing.T, name string) { t.Helper(); cluster.Uploaded(t, name, 2<<20) }, "1Mi", `(?s)Disk smaller than its image.*at least\s+2Mi`},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			test.arrange(t, name)
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             gone(cluster, name),
				Steps: []resource.TestStep{{
					Config:   config(name, fmt.Sprintf("image = \"default/%s\"\n  size = %q", name, test.size)),
					PlanOnly: true, ExpectError: acctest.Said(test.wants),
				}},
			})
		})
	}
}

// flip is a step between plan and apply.
type flip func()

func (f flip) CheckPlan(context.Context, plancheck.CheckPlanRequest, *plancheck.CheckPlanResponse) {
	f()
}

// VO6: the gate, at apply: the image turns unready after the plan.
func TestAccVolume_looksAgainAtApply(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
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
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{{
			Config:           config(name, fmt.Sprintf(`image = "default/%s"`, name)),
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{turn}},
			ExpectError:      acctest.Said(`Image is not ready.*Uploading`),
		}},
	})
}

// plan_checks lets the plan pass, but never the apply.
const unchecked = "provider \"harvester\" {\n  plan_checks = \"off\"\n}\n"

func TestAccVolume_noSwitchAtApply(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Pending(t, name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{{
			Config:      unchecked + config(name, fmt.Sprintf(`image = "default/%s"`, name)),
			ExpectError: acctest.Said(`Image is not ready.*Nothing was created or changed`),
		}},
	})
}

// The image is made in the same run, and the volume after it.
func TestAccVolume_fromImageOfThisRun(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	path, _ := acctest.RawImage(t, 1<<20)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{{Config: fmt.Sprintf(`
resource "harvester_image" "test" {
  name         = %[1]q
  display_name = %[1]q
  source_type  = "upload"
  file_path    = %[2]q
}
`, name, path) + config(name, `image = harvester_image.test.id`)}},
	})
}

// A class that makes volumes when they are used does not block the apply.
func TestAccVolume_waitForFirstConsumer(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	class := fmt.Sprintf(`
resource "harvester_storageclass" "test" {
  name                = %q
  volume_binding_mode = "WaitForFirstConsumer"
  parameters          = { migratable = "true" }
}
`, name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config: class + config(name, `storage_class_name = harvester_storageclass.test.name`),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("state", text("Ready")), expect("phase", text("Pending")),
					expect("message", knownvalue.StringRegexp(regexp.MustCompile(`when a virtual machine first uses it`))),
				},
			},
			{ // it can grow only when it is bound
				Config: class + config(name, "storage_class_name = harvester_storageclass.test.name\n  size = \"2Gi\""), PlanOnly: true,
				ExpectError: acctest.Said(`Could not let grow.*asked without.*grows only once it is bound`),
			},
			{
				Config:      unchecked + class + config(name, "storage_class_name = harvester_storageclass.test.name\n  size = \"2Gi\""),
				ExpectError: acctest.Said(`Could not let grow.*Nothing was\s+created or changed.*grows only once it is bound`),
			},
		},
	})
}

// A volume that never comes to be says why.
func TestAccVolume_neverBound(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	class := fmt.Sprintf(`
resource "harvester_storageclass" "test" {
  name       = %q
  parameters = { backingImage = "no-such-image" }
}
`, name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config: class + config(name, `storage_class_name = harvester_storageclass.test.name
  timeouts { create = "5s" }`),
				ExpectError: acctest.Said(`Timed out.*phase is Pending.*ProvisioningFailed.*not\s+supported\s+via\s+CSI.*marked\s+for\s+replacement`),
			},
			{Config: class + config(name, ""), ConfigPlanChecks: planned(plancheck.ResourceActionReplace)},
		},
	})
}

// What a class is noted to offer counts, at plan.
func TestAccVolume_modesOfTheClass(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Apply(t, api.StorageClasses, "", map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "lvm.driver.harvesterhci.io",
		"metadata": map[string]any{"name": name, "annotations": map[string]any{
			// Harvester's own choice is there only with its LVM add-on.
			"cdi.harvesterhci.io/storageProfileVolumeSnapshotClass": "longhorn-snapshot",
		}},
		"volumeBindingMode": "WaitForFirstConsumer",
	})
	lvm := func(more string) string {
		return config(name, fmt.Sprintf("storage_class_name = %q\n  %s", name, more))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: lvm(""), PlanOnly: true, ExpectError: acctest.Said(`Mode not offered by the storage class.*ReadWriteMany.*ReadWriteOnce`)},
			{Config: lvm(`volume_mode = "Filesystem"`), PlanOnly: true, ExpectError: acctest.Said(`Mode not offered.*Filesystem.*Block`)},
			{Config: lvm(`access_mode = "ReadWriteOnce"`), ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Ready"))}},
			{ // nor does every class let its volumes grow
				Config: lvm("access_mode = \"ReadWriteOnce\"\n  size = \"2Gi\""), PlanOnly: true,
				ExpectError: acctest.Said(`Storage class does not let volumes grow`),
			},
			{ // a missing class is found before the old volume is deleted
				Config: config(name, `storage_class_name = "no-such-class"`), PlanOnly: true,
				ExpectError: acctest.Said(`Storage class not found.*could\s+not\s+be\s+made\s+now`),
			},
			{Config: " ", Destroy: true},
			{Config: config(name, `storage_class_name = "no-such-class"`), ExpectError: acctest.Said(`Storage class not found.*Nothing was\s+created`)},
		},
	})
}

// VO2: only the machine that has the volume counts, and only for the volume that it has;
// and a volume in use is not deleted.
func TestAccVolume_attached(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	other := fmt.Sprintf(`
resource "harvester_volume" "other" {
  name = "%s-other"
}
`, name)
	volumes := config(name, "") + other
	// The machine refers to the volume by its bare name, so nothing orders its end.
	vm := fmt.Sprintf(`
resource "harvester_virtualmachine" "test" {
  name = %[1]q
  disk {
    name                 = "data"
    existing_volume_name = %[1]q
  }
  network_interface {
    name = "default"
  }
}
`, name)
	idle := statecheck.ExpectKnownValue("harvester_volume.other", tfjsonpath.New("attached_vm"), text(""))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: volumes},
			{Config: volumes + vm},
			{
				Config:            volumes + vm,
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("In-use")), expect("attached_vm", text("default/"+name)), idle},
			},
			{Config: other + vm, ExpectError: acctest.Said(fmt.Sprintf(`(?s)Volume in use.*virtual\s+machine\s+"default/%s" has it`, name))},
			{Config: volumes + strings.Replace(vm, `name = "`, "run_strategy = \"Halted\"\n  name = \"", 1)},
			{ // a volume in use is still in use while the machine is off, and can grow then
				Config: config(name, `size = "2Gi"`) + other + strings.Replace(vm, `name = "`, "run_strategy = \"Halted\"\n  name = \"", 1),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("state", text("In-use")), expect("size", text("2Gi")),
				},
			},
			// Both go at once: the volume waits for the machine.
			{Config: other},
		},
	})
}

// Volumes made by other hands can be taken over, without a change in the plan.
func TestAccVolume_import(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Apply(t, api.PersistentVolumeClaims, "default", claim(name, "3Gi", map[string]any{
		"labels":      map[string]any{"team": "blue", "app.kubernetes.io/managed-by": "somebody"},
		"annotations": map[string]any{"field.cattle.io/description": "by hand"},
	}))
	bound(t, cluster, name)
	wanted := config(name, `size = "3Gi"
  description = "by hand"
  labels      = { team = "blue" }`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: wanted, ExpectError: acctest.Said(fmt.Sprintf(`(?s)Volume already exists.*terraform import harvester_volume.<name>\s+default/%s`, name))},
			{
				Config:            wanted + fmt.Sprintf("import {\n  to = harvester_volume.test\n  id = \"default/%s\"\n}\n", name),
				ConfigPlanChecks:  planned(plancheck.ResourceActionNoop),
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Ready")), expect("size", text("3Gi"))},
			},
		},
	})
}

// The disk of a machine is a volume like any other.
func TestAccVolume_importOfDisk(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	vm := fmt.Sprintf(`
resource "harvester_virtualmachine" "test" {
  name = %[1]q
  disk {
    name        = "root"
    image       = "default/%[1]s"
    size        = "2Gi"
    volume_name = "%[1]s-root"
    auto_delete = true
  }
  network_interface {
    name = "default"
  }
}
`, name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: vm},
			{
				Config: vm + config(name+"-root", fmt.Sprintf("size = \"2Gi\"\n  image = \"default/%s\"", name)) +
					fmt.Sprintf("import {\n  to = harvester_volume.test\n  id = \"default/%s-root\"\n}\n", name),
				ConfigPlanChecks:  planned(plancheck.ResourceActionNoop),
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("In-use")), expect("attached_vm", text("default/"+name))},
			},
			{Config: vm + "removed {\n  from = harvester_volume.test\n  lifecycle {\n    destroy = false\n  }\n}\n"},
		},
	})
}

// The volume of an image of the backend cdi is a copy of the image's own.
func TestAccVolume_cdi(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	abandon := cluster.WatchMark(t, api.PersistentVolumeClaims, "default", name)
	path, _ := acctest.RawImage(t, 2<<20)
	image := fmt.Sprintf(`
resource "harvester_storageclass" "test" {
  name                = %[1]q
  volume_binding_mode = "WaitForFirstConsumer"
  parameters          = { migratable = "true" }
}

resource "harvester_image" "test" {
  name               = "%[1]s-image"
  display_name       = %[1]q
  source_type        = "upload"
  backend            = "cdi"
  storage_class_name = harvester_storageclass.test.name
  file_path          = %[2]q
}
`, name, path)
	volume := func(size string) string {
		return image + config(name, fmt.Sprintf(`image = harvester_image.test.id
  size        = %q
  description = "copy"
  labels      = { team = "blue" }`, size))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config: volume("10Mi"),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("state", text("Ready")), expect("phase", text("Bound")), expect("storage_class_name", text(name)), expect("size", text("10Mi")),
				},
				Check: func(*terraform.State) error {
					data, err := kube.For[api.DataVolume](cluster.Client, api.DataVolumes, api.KindDataVolume).Get(t.Context(), "default", name)
					if err != nil || data.Status.Phase != api.DataVolumeSucceeded || data.Spec.Source.PVC.Name != name+"-image" {
						return fmt.Errorf("data volume: %+v, %w", data, err)
					}
					return nil
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{Config: image + "removed {\n  from = harvester_volume.test\n  lifecycle {\n    destroy = false\n  }\n}\n"},
			{ // as after a kill: the copy is taken over
				PreConfig: abandon, Config: volume("10Mi"), ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
			{Config: volume("20Mi"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
			{Config: volume("1Mi"), PlanOnly: true, ExpectError: acctest.Said(`Volume cannot shrink`)},
			{Config: volume("20Mi"), Taint: []string{address}, ConfigPlanChecks: planned(plancheck.ResourceActionReplace)},
		},
	})
}

func TestAccVolume_removedOutside(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, "")},
			{
				PreConfig: func() {
					if err := claims(cluster).Delete(t.Context(), "default", name, ""); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the volume is gone", func(ctx context.Context) bool {
						_, err := claims(cluster).Get(ctx, "default", name)
						return apierrors.IsNotFound(err)
					})
				},
				Config:           config(name, ""),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
		},
	})
}

// A volume that somebody else is deleting is made anew, once it is gone.
func TestAccVolume_terminating(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	finalizers := func(value any) map[string]any { return map[string]any{"metadata": map[string]any{"finalizers": value}} }
	release := flip(func() {
		if _, err := claims(cluster).Patch(t.Context(), "default", name, finalizers(nil)); err != nil {
			t.Error(err)
		}
	})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, "")},
			{
				PreConfig: func() {
					if _, err := claims(cluster).Patch(t.Context(), "default", name, finalizers([]string{"example.com/hold"})); err != nil {
						t.Fatal(err)
					}
					if err := claims(cluster).Delete(t.Context(), "default", name, ""); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(name, ""),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionReplace), release,
				}},
			},
		},
	})
}

// VO5: an apply that was killed before it could write the state is taken over by the next
// one. What it asked for decides, not what describes it.
func TestAccVolume_takesOverItsOwn(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	abandon := cluster.WatchMark(t, api.PersistentVolumeClaims, "default", name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, `description = "old"`)},
			{Config: "removed {\n  from = harvester_volume.test\n  lifecycle {\n    destroy = false\n  }\n}\n"},
			{Config: config(name, `description = "new"`), ExpectError: acctest.Said(`Volume already exists`)},
			{PreConfig: abandon, Config: config(name, `description = "new"`), ConfigStateChecks: []statecheck.StateCheck{expect("description", text("new"))}},
			{Config: "removed {\n  from = harvester_volume.test\n  lifecycle {\n    destroy = false\n  }\n}\n"},
			{PreConfig: abandon, Config: config(name, `size = "2Gi"`), ExpectError: acctest.Said(`Volume already exists.*with other\s+settings`)},
			{Config: config(name, ""), ConfigPlanChecks: planned(plancheck.ResourceActionCreate)},
		},
	})
}

// The reserved classes are refused at plan, by Harvester's own webhook.
func TestAccVolume_rehearsed(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{{
			Config: config(name, `storage_class_name = "vmstate-persistence"`), PlanOnly: true,
			ExpectError: acctest.Said(`reserved storage\s+class vmstate-persistence.*asked without creating`),
		}},
	})
}

func TestAccVolume_dataSource(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Apply(t, api.PersistentVolumeClaims, "default", claim(name, "3Gi", nil))
	shows := func(attribute, value string) statecheck.StateCheck {
		return statecheck.ExpectKnownValue("data."+address, tfjsonpath.New(attribute), text(value))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{
				Config:            fmt.Sprintf("data \"harvester_volume\" \"test\" {\n  name = %q\n}\n", name),
				ConfigStateChecks: []statecheck.StateCheck{shows("id", "default/"+name), shows("size", "3Gi"), shows("attached_vm", "")},
			},
			{Config: fmt.Sprintf("data \"harvester_volume\" \"test\" {\n  name = \"%s-no\"\n}\n", name), ExpectError: acctest.Said(`There is no volume`)},
		},
	})
}
