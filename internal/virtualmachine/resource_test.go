// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine_test

import (
	"context"
	"fmt"
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
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const address = "harvester_virtualmachine.test"

// cluster is the sandbox with the kinds these tests look at.
type cluster struct {
	*acctest.Cluster
	machines  kube.Resource[kubevirtv1.VirtualMachine]
	instances kube.Resource[kubevirtv1.VirtualMachineInstance]
	volumes   kube.Resource[corev1.PersistentVolumeClaim]
	secrets   kube.Resource[corev1.Secret]
	keys      kube.Resource[api.KeyPair]
}

func shared(t *testing.T) cluster {
	t.Helper()
	c := acctest.Shared(t)
	return cluster{
		Cluster:   c,
		machines:  kube.For[kubevirtv1.VirtualMachine](c.Client, api.VirtualMachines, "VirtualMachine"),
		instances: kube.For[kubevirtv1.VirtualMachineInstance](c.Client, api.VirtualMachineInstances, "VirtualMachineInstance"),
		volumes:   kube.For[corev1.PersistentVolumeClaim](c.Client, api.PersistentVolumeClaims, "PersistentVolumeClaim"),
		secrets:   kube.For[corev1.Secret](c.Client, api.Secrets, "Secret"),
		keys:      kube.For[api.KeyPair](c.Client, api.KeyPairs, "KeyPair"),
	}
}

// image is the configuration of a small image of that name.
func image(t *testing.T, name string) string {
	t.Helper()
	path, _ := acctest.RawImage(t, 1<<20)
	return fmt.Sprintf(`
resource "harvester_image" %[1]q {
  name         = %[1]q
  display_name = "%[1]s.img"
  source_type  = "upload"
  file_path    = %[2]q
}

`, name, path)
}

// machine is the configuration of a machine with that body.
func machine(name, body string) string {
	return fmt.Sprintf(`
resource "harvester_virtualmachine" "test" {
  name = %q
  network_interface {
    name = "nic-1"
  }
%s
}

`, name, body)
}

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

// at is the path of an attribute: at("disk", 0, "name").
func at(root string, steps ...any) tfjsonpath.Path {
	path := tfjsonpath.New(root)
	for _, step := range steps {
		if index, ok := step.(int); ok {
			path = path.AtSliceIndex(index)
		} else {
			path = path.AtMapKey(fmt.Sprint(step))
		}
	}
	return path
}

func expect(value knownvalue.Check, root string, steps ...any) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, at(root, steps...), value)
}

func exactly(value string) knownvalue.Check { return knownvalue.StringExact(value) }

// imports checks an import, but for attributes whose spelling only the configuration
// knows. The guest's agent may tell the interface's name only after a while.
func imports(spelled ...string) resource.TestStep {
	return resource.TestStep{
		ResourceName: address, ImportState: true, ImportStateVerify: true,
		ImportStateVerifyIgnore: append(spelled, "network_interface.0.interface_name"),
	}
}

// look runs a check on the machine in the cluster.
func (c cluster) look(name string, check func(*kubevirtv1.VirtualMachine) error) resource.TestCheckFunc {
	return func(*terraform.State) error {
		vm, err := c.machines.Get(context.Background(), "default", name)
		if err != nil {
			return err
		}
		return check(vm)
	}
}

// gone checks that the machine is not in the cluster any more.
func (c cluster) gone(name string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if _, err := c.machines.Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the machine %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

// volume returns the name of the volume of the machine's disk.
func volume(vm *kubevirtv1.VirtualMachine, disk string) string {
	for _, v := range vm.Spec.Template.Spec.Volumes {
		if v.Name == disk && v.PersistentVolumeClaim != nil {
			return v.PersistentVolumeClaim.ClaimName
		}
	}
	return ""
}

// remove deletes a volume at the end of a test.
func (c cluster) remove(t *testing.T, volume *string) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.volumes.Delete(context.Background(), "default", *volume, ""); err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("delete the volume %s: %v", *volume, err)
		}
	})
}

func TestAccVirtualMachine_V4_V12_V13_image(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	ctx := context.Background()
	key := &api.KeyPair{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: api.KeyPairSpec{PublicKey: publicKey}}
	if _, err := c.keys.Create(ctx, "default", key); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.keys.Delete(ctx, "default", name, "") })
	image := image(t, name)
	config := func(more string) string {
		return image + machine(name, fmt.Sprintf(`
  disk {
    name        = "rootdisk"
    image       = harvester_image.%[1]s.id
    boot_order  = 1
    auto_delete = true
  }
  cloudinit {
    user_data = "#cloud-config\npackage_update: true\n"
  }
  ssh_keys = [%[1]q]
  tags     = { ssh-user = "ubuntu" }
  %[2]s`, name, more))
	}
	var root, instance string
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy: resource.ComposeTestCheckFunc(c.gone(name), func(*terraform.State) error {
			if _, err := c.volumes.Get(ctx, "default", root); !apierrors.IsNotFound(err) {
				return fmt.Errorf("the volume %s was to go with the machine (%w)", root, err)
			}
			return nil
		}),
		Steps: []resource.TestStep{
			{
				Config: config(""),
				ConfigStateChecks: []statecheck.StateCheck{
					expect(exactly("default/"+name), "id"),
					expect(exactly("Ready"), "state"),
					expect(knownvalue.Null(), "message"),
					expect(knownvalue.NotNull(), "node_name"),
					expect(exactly("RerunOnFailure"), "run_strategy"),
					expect(exactly("10Gi"), "disk", 0, "size"),
					expect(exactly("virtio"), "disk", 0, "bus"),
					expect(knownvalue.StringRegexp(regexp.MustCompile("^lh-")), "disk", 0, "storage_class_name"),
					expect(knownvalue.StringRegexp(regexp.MustCompile("^"+name+"-rootdisk-")), "disk", 0, "volume_name"),
					expect(knownvalue.ListSizeExact(1), "disk"),
					expect(exactly("masquerade"), "network_interface", 0, "type"),
					expect(knownvalue.NotNull(), "network_interface", 0, "mac_address"),
					expect(knownvalue.NotNull(), "network_interface", 0, "ip_address"),
					expect(exactly("#cloud-config\npackage_update: true\n"), "cloudinit", 0, "user_data"),
				},
				Check: c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
					root = volume(vm, "rootdisk")
					data := ""
					for _, v := range vm.Spec.Template.Spec.Volumes {
						if v.CloudInitNoCloud != nil {
							data = v.CloudInitNoCloud.UserData
						}
					}
					if want := "#cloud-config\npackage_update: true\n\nuser: ubuntu\n\nssh_authorized_keys:\n  - " + publicKey; data != want {
						return fmt.Errorf("user data %q, want %q", data, want)
					}
					return nil
				}),
			},
			imports("cloudinit.0.user_data", "ssh_keys"),
			{ // changes that need no restart leave the instance alone
				PreConfig: func() {
					vmi, err := c.instances.Get(ctx, "default", name)
					if err != nil {
						t.Fatal(err)
					}
					instance = string(vmi.UID)
					patch := map[string]any{"metadata": map[string]any{"labels": map[string]any{"other": "owner"}}}
					if _, err := c.machines.Patch(ctx, "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(`description = "changed"
  labels = { team = "web" }
  restart_after_update = true`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check: resource.ComposeTestCheckFunc(c.sameInstance(name, &instance, true), c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
					got := fmt.Sprintln(vm.Labels["team"], vm.Labels["other"], vm.Annotations[api.AnnotationDescription], vm.Labels["tag.harvesterhci.io/ssh-user"])
					if got != "web owner changed ubuntu\n" {
						return fmt.Errorf("got %q", got)
					}
					return nil
				})),
			},
			{ // this one needs a restart, which is wanted
				Config: config(`cpu = 2
  memory = "2048Mi"
  restart_after_update = true`),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					expect(exactly("Ready"), "state"), expect(exactly("2048Mi"), "memory"), expect(knownvalue.Null(), "message"), expect(knownvalue.Null(), "labels"),
				},
				Check: c.sameInstance(name, &instance, false),
			},
			{ // and this one is not restarted
				Config:            config(`cpu = 3`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect(knownvalue.StringRegexp(regexp.MustCompile("restart is needed")), "message")},
			},
			{
				Config:            config(`run_strategy = "Halted"`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Off"), "state"), expect(knownvalue.Null(), "node_name"), expect(knownvalue.Int64Exact(1), "cpu")},
			},
			{ // Harvester would go back to the strategy before Halted
				Config:            config(`run_strategy = "Always"`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Ready"), "state"), expect(exactly("Always"), "run_strategy")},
			},
		},
	})
}

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2cKWCGqAEWxGQ9gYzNgUkUeO1SmTXV7tzGeC5q0kyq someone@example.com"

// sameInstance compares the running instance with the one remembered.
func (c cluster) sameInstance(name string, before *string, same bool) resource.TestCheckFunc {
	return func(*terraform.State) error {
		vmi, err := c.instances.Get(context.Background(), "default", name)
		if err != nil {
			return err
		}
		if (string(vmi.UID) == *before) != same {
			return fmt.Errorf("instance %s, before %s: want the same: %t", vmi.UID, *before, same)
		}
		return nil
	}
}

// Disks are told apart by name: their volumes stay with them.
func TestAccVirtualMachine_disks(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	disk := func(disk, size string) string {
		return fmt.Sprintf("disk {\n name = %q\n size = %q\n auto_delete = true\n}\n", disk, size)
	}
	config := func(disks ...string) string {
		return machine(name, "run_strategy = \"Halted\"\n"+strings.Join(disks, ""))
	}
	var first, second string
	remember := func(vm *kubevirtv1.VirtualMachine) error {
		first, second = volume(vm, "first"), volume(vm, "second")
		return nil
	}
	unmoved := func(vm *kubevirtv1.VirtualMachine) error {
		if volume(vm, "first") != first || volume(vm, "second") != second {
			return fmt.Errorf("the volumes were %s and %s, now they are %s and %s", first, second, volume(vm, "first"), volume(vm, "second"))
		}
		return nil
	}
	sized := func(want string) resource.TestCheckFunc {
		return func(*terraform.State) error {
			claim, err := c.volumes.Get(context.Background(), "default", first)
			if err != nil {
				return err
			}
			if got := claim.Spec.Resources.Requests.Storage().String(); got != want {
				return fmt.Errorf("the volume has %s, want %s", got, want)
			}
			return nil
		}
	}
	c.remove(t, &second)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config:            config(disk("first", "1Gi"), disk("second", "1Gi")),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("harvester-longhorn"), "disk", 0, "storage_class_name")},
				Check:             c.look(name, remember),
			},
			{
				Config:           config(disk("new", "1Gi"), disk("second", "1Gi"), disk("first", "1Gi")),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            c.look(name, unmoved),
			},
			{
				Config:            config(disk("second", "1Gi"), disk("first", "2Gi")),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("2Gi"), "disk", 1, "size")},
				Check:             resource.ComposeTestCheckFunc(c.look(name, unmoved), sized("2Gi")),
			},
			{Config: config(disk("second", "1Gi"), disk("first", "1Gi")), ExpectError: acctest.Said(`Volume cannot shrink`)},
			{ // a disk that goes is detached; its volume stays
				Config: config(disk("first", "2Gi")),
				Check: func(*terraform.State) error {
					_, err := c.volumes.Get(context.Background(), "default", second)
					return err
				},
			},
		},
	})
}

// The gate: a machine is refused at plan while its image is not complete.
func TestAccVirtualMachine_V1_gate(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	body := fmt.Sprintf("run_strategy = \"Halted\"\ndisk {\n name = \"rootdisk\"\n image = \"default/%s\"\n auto_delete = true\n}\n", name)
	c.HeldUpload(t, name, 40)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: machine(name, body), PlanOnly: true, ExpectError: acctest.Said(`disk.*image.*Image is not ready|Image is not ready.*Uploading, 40`)},
			{Config: machine(name, strings.ReplaceAll(body, name, "missing-"+name)), PlanOnly: true, ExpectError: acctest.Said(`Image not found`)},
			{ // plan is told not to look, so apply refuses; nothing is made
				Config:      `provider "harvester" { plan_checks = "off" }` + machine(name, body),
				ExpectError: acctest.Said(`Image is not ready.*Nothing\s+was\s+created\s+or\s+changed`),
			},
			{
				PreConfig: func() {
					if err := c.gone(name)(nil); err != nil {
						t.Error(err)
					}
					c.ClearFault(t, name)
					c.Await(t, name, imagestate.Image.Ready)
				},
				Config:      machine(name, strings.Replace(body, "auto_delete", "size = \"1Ki\"\n auto_delete", 1)),
				ExpectError: acctest.Said(`Disk smaller than its image.*size`),
			},
			{
				Config:      machine(name, strings.Replace(body, "auto_delete", "storage_class_name = \"harvester-longhorn\"\n auto_delete", 1)),
				ExpectError: acctest.Said(`Storage class does not fit the image`),
			},
			{ // a bare name is in the machine's namespace, and stays as it is written
				Config:            machine(name, strings.Replace(body, "default/", "", 1)),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly(name), "disk", 0, "image"), expect(exactly("Off"), "state")},
			},
			{Config: machine(name, body), PlanOnly: true}, // which says the same
		},
	})
}

// Another image means another volume, and that another machine.
func TestAccVirtualMachine_V3_otherImage(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Uploaded(t, name, 1<<20)
	c.Uploaded(t, name+"-2", 1<<20)
	body := func(image string) string {
		return fmt.Sprintf("run_strategy = \"Halted\"\ndisk {\n name = \"rootdisk\"\n image = %q\n auto_delete = true\n}\n", image)
	}
	var before string
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: machine(name, body(name)),
				Check: c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
					before = volume(vm, "rootdisk")
					return nil
				}),
			},
			{
				Config:           machine(name, body(name+"-2")),
				ConfigPlanChecks: planned(plancheck.ResourceActionReplace),
				Check: c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
					if volume(vm, "rootdisk") == before {
						return fmt.Errorf("the machine still has the volume %s", before)
					}
					_, err := c.volumes.Get(context.Background(), "default", before)
					if !apierrors.IsNotFound(err) {
						return fmt.Errorf("the volume %s was to go with the machine (%w)", before, err)
					}
					return nil
				}),
			},
		},
	})
}

// A volume of others is attached, and never deleted.
func TestAccVirtualMachine_V17_existingVolume(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.remove(t, &name)
	body := "disk {\n name = \"data\"\n existing_volume_name = \"" + name + "\"\n hot_plug = true\n}\n"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy: resource.ComposeTestCheckFunc(c.gone(name), func(*terraform.State) error {
			_, err := c.volumes.Get(context.Background(), "default", name)
			return err
		}),
		Steps: []resource.TestStep{
			{Config: machine(name, body), ExpectError: acctest.Said(`Volume not found.*Nothing\s+was\s+created`)},
			{
				PreConfig: func() { c.claim(t, name) },
				Config:    machine(name, body),
				ConfigStateChecks: []statecheck.StateCheck{
					expect(exactly("Ready"), "state"), expect(exactly("scsi"), "disk", 0, "bus"), expect(exactly(name), "disk", 0, "volume_name"),
					expect(knownvalue.Null(), "disk", 0, "size"),
				},
			},
			imports(),
		},
	})
}

// claim makes a volume by other hands than Terraform's.
func (c cluster) claim(t *testing.T, name string) {
	t.Helper()
	class, mode := "harvester-longhorn", corev1.PersistentVolumeBlock
	_, err := c.volumes.Create(context.Background(), "default", &corev1.PersistentVolumeClaim{
		ObjectMeta: acctest.Meta("default", name),
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, VolumeMode: &mode, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: apiresource.MustParse("1Gi")}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A volume of the name to be made would be taken as it is, and go with the machine: even one that is
// just like it.
func TestAccVirtualMachine_volumeInTheWay(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.claim(t, name)
	c.remove(t, &name)
	body := fmt.Sprintf("disk {\n name = \"rootdisk\"\n size = \"1Gi\"\n auto_delete = true\n volume_name = %q\n}\n", name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy: resource.ComposeTestCheckFunc(c.gone(name), func(*terraform.State) error {
			_, err := c.volumes.Get(context.Background(), "default", name)
			return err
		}),
		Steps: []resource.TestStep{{
			Config:      machine(name, body),
			ExpectError: acctest.Said(`Volume exists already.*existing_volume_name\s+=`),
		}},
	})
}

// What keeps a machine from starting is said when the time is up.
func TestAccVirtualMachine_V15_stuck(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Apply(t, api.StorageClasses, "", map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "nobody.example.com",
		"metadata": map[string]any{"name": name, "annotations": map[string]any{"cdi.harvesterhci.io/storageProfileVolumeModeAccessModes": `{"Block":["ReadWriteMany"]}`}},
	})
	body := func(class string) string {
		return fmt.Sprintf("disk {\n name = \"data\"\n storage_class_name = %q\n auto_delete = true\n}\ntimeouts {\n create = \"8s\"\n}\n", class)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: machine(name, body("no-such-class")), ExpectError: acctest.Said(`storage_class_name = .*Storage class not found|Storage class not found.*storage_class_name`)},
			{
				Config: machine(name, body(name)),
				ExpectError: acctest.Said(`Timed out.*not\s+reached\s+within\s+\d+s.*WaitingForVolumeBinding.*The\s+volume\s+"` + name +
					`-data-.....".*is\s+Pending`),
			},
		},
	})
}

// Long cloud-init data are kept in a Secret, which nobody sees in the state.
func TestAccVirtualMachine_longCloudInit(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	body := func(length int) string {
		return fmt.Sprintf("disk {\n name = \"c\"\n container_image_name = \"example.com/disk:1\"\n}\ncloudinit {\n user_data = \"#cloud-config\\n# %s\\n\"\n}\n", strings.Repeat("x", length))
	}
	secret := func(want bool) resource.TestCheckFunc {
		return c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
			for _, v := range vm.Spec.Template.Spec.Volumes {
				if v.CloudInitNoCloud == nil {
					continue
				}
				reference := v.CloudInitNoCloud.UserDataSecretRef
				if (reference != nil) != want || (v.CloudInitNoCloud.UserData != "") == want {
					return fmt.Errorf("got %+v", v.CloudInitNoCloud)
				}
				if reference == nil {
					return nil
				}
				secret, err := c.secrets.Get(context.Background(), "default", reference.Name)
				if err == nil && (len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].UID != vm.UID) {
					return fmt.Errorf("the Secret does not belong to the machine")
				}
				return err
			}
			return fmt.Errorf("no cloud-init data")
		})
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: machine(name, body(3000)), Check: secret(true)},
			imports(),
			{Config: machine(name, body(3001)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: secret(true)},
			{Config: machine(name, body(10)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: secret(false)},
			{Config: machine(name, body(3000)), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: secret(true)},
		},
	})
}

// Keys that would not reach the guest are refused, and so is a Secret that is
// not there.
func TestAccVirtualMachine_login(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	const disk = "disk {\n name = \"c\"\n container_image_name = \"example.com/disk:1\"\n}\n"
	c.Apply(t, api.KeyPairs, "default", map[string]any{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": "KeyPair", "metadata": map[string]any{"name": name}, "spec": map[string]any{"publicKey": publicKey},
	})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: machine(name, disk+"ssh_keys = [\"missing\"]\ncloudinit {}"), ExpectError: acctest.Said("SSH key not found")},
			{Config: machine(name, disk+"cloudinit {\n user_data_secret_name = \"missing\"\n}"), ExpectError: acctest.Said("Secret not found")},
			{
				Config:      machine(name, disk+"ssh_keys = [\""+name+"\"]\ncloudinit {\n user_data_base64 = base64encode(\"#cloud-config\")\n}"),
				ExpectError: acctest.Said("SSH keys not in the user data"),
			},
			{Config: machine(name, disk+"ssh_keys = [\"default/"+name+"\"]\ncloudinit {}")},
			{Config: machine(name, disk), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate)},
		},
	})
}

// A machine that disappears is made again.
func TestAccVirtualMachine_V19_disappears(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := machine(name, "run_strategy = \"Manual\"\ndisk {\n name = \"c\"\n type = \"cd-rom\"\n}\n")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config, ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Off"), "state"), expect(exactly("sata"), "disk", 0, "bus")}},
			{
				PreConfig: func() {
					if err := c.machines.Delete(context.Background(), "default", name, ""); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the machine is gone", func(context.Context) bool { return c.gone(name)(nil) == nil })
				},
				Config:           config,
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
		},
	})
}

// The deprecated start, and a plan that is empty with it.
func TestAccVirtualMachine_start(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	body := func(start bool) string {
		return fmt.Sprintf("start = %t\ndisk {\n name = \"c\"\n type = \"cd-rom\"\n}\n", start)
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: machine(name, body(false)), ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Halted"), "run_strategy"), expect(exactly("Off"), "state")}},
			{Config: machine(name, body(true)), ConfigStateChecks: []statecheck.StateCheck{expect(exactly("RerunOnFailure"), "run_strategy"), expect(exactly("Ready"), "state")}},
			{ // halted by hand: that is drift
				PreConfig: func() {
					patch := map[string]any{"spec": map[string]any{"runStrategy": "Halted"}}
					if _, err := c.machines.Patch(context.Background(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the machine stops", func(ctx context.Context) bool {
						_, err := c.instances.Get(ctx, "default", name)
						return apierrors.IsNotFound(err)
					})
				},
				Config:           machine(name, body(true)),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				Check:            c.sameInstance(name, new(string), false),
			},
		},
	})
}

// Much of what the official provider's example has, as it is written there.
func TestAccVirtualMachine_official(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.claim(t, name)
	c.remove(t, &name)
	config := image(t, name) + fmt.Sprintf(`
resource "harvester_virtualmachine" "test" {
  name                 = %[1]q
  namespace            = "default"
  restart_after_update = true

  description = "test ubuntu20 raw image"
  tags = {
    ssh-user = "ubuntu"
  }

  cpu    = 2
  memory = "2Gi"

  efi         = true
  secure_boot = true

  run_strategy    = "RerunOnFailure"
  hostname        = "ubuntu20"
  reserved_memory = "100Mi"
  machine_type    = "q35"

  network_interface {
    name           = "nic-1"
    wait_for_lease = true
  }

  disk {
    name       = "cdrom-disk"
    type       = "cd-rom"
    size       = "10Gi"
    bus        = "sata"
    boot_order = 2

    image       = harvester_image.%[1]s.id
    auto_delete = true
  }

  disk {
    name       = "rootdisk"
    type       = "disk"
    size       = "10Gi"
    bus        = "virtio"
    boot_order = 1

    image       = harvester_image.%[1]s.id
    auto_delete = true
  }

  disk {
    name = "mount-disk"
    type = "disk"
    bus  = "scsi"

    existing_volume_name = %[1]q
    auto_delete          = false
    hot_plug             = true
  }

  cloudinit {
    user_data    = <<-EOF
      #cloud-config
      user: ubuntu
      EOF
    network_data = ""
  }

  input {
    name = "tablet"
    type = "tablet"
    bus  = "usb"
  }

  tpm {
    name = "tpm"
  }

  timeouts {
    create  = "5m"
    default = "2m"
  }
}

`, name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{{
			Config: config,
			ConfigStateChecks: []statecheck.StateCheck{
				expect(exactly("Ready"), "state"), expect(knownvalue.NotNull(), "network_interface", 0, "ip_address"), expect(exactly("ubuntu20"), "hostname"),
			},
		}},
	})
}

// A machine made elsewhere, with next to nothing in it, is taken over as it is.
func TestAccVirtualMachine_adopt(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.claim(t, name)
	c.remove(t, &name)
	running := false
	memory := apiresource.MustParse("512Mi")
	_, err := c.machines.Create(context.Background(), "default", &kubevirtv1.VirtualMachine{
		ObjectMeta: acctest.Meta("default", name),
		Spec: kubevirtv1.VirtualMachineSpec{Running: &running, Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{
			Spec: kubevirtv1.VirtualMachineInstanceSpec{
				Domain: kubevirtv1.DomainSpec{
					Memory:  &kubevirtv1.Memory{Guest: &memory},
					Devices: kubevirtv1.Devices{Disks: []kubevirtv1.Disk{{Name: "root"}, {Name: "config"}}},
				},
				Volumes: []kubevirtv1.Volume{
					{Name: "root", VolumeSource: kubevirtv1.VolumeSource{PersistentVolumeClaim: &kubevirtv1.PersistentVolumeClaimVolumeSource{
						PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
					}}},
					{Name: "config", VolumeSource: kubevirtv1.VolumeSource{ConfigMap: &kubevirtv1.ConfigMapVolumeSource{
						LocalObjectReference: corev1.LocalObjectReference{Name: "theirs"},
					}}},
				},
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	config := machine(name, "memory = \"512Mi\"\nrun_strategy = \"Halted\"\ndisk {\n name = \"root\"\n existing_volume_name = \""+name+"\"\n}\n")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config, ResourceName: address, ImportState: true, ImportStateId: "default/" + name, ImportStatePersist: true},
			{
				Config:           config,
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), // it has no network interface yet
				Check: c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
					if volume(vm, "root") != name || len(vm.Spec.Template.Spec.Volumes) != 2 {
						return fmt.Errorf("volumes: %+v", vm.Spec.Template.Spec.Volumes)
					}
					return nil
				}),
			},
		},
	})
}
