// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// shows checks a part of the machine's object, as JSON. Each step that uses it also ends with a plan
// that must be empty.
func (c cluster) shows(name, want string, part func(*kubevirtv1.VirtualMachineInstanceSpec) any) resource.TestCheckFunc {
	return c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
		got, err := json.Marshal(part(&vm.Spec.Template.Spec))
		if err != nil {
			return err
		}
		return same(name, string(got), want)
	})
}

func updated(config string, check resource.TestCheckFunc) resource.TestStep {
	return resource.TestStep{Config: config, ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: check}
}

// Everything about the guest's processor and board, on and off again.
func TestAccVirtualMachine_V4_compute(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(body string) string { return machine(name, "run_strategy = \"Halted\"\n"+emptyDrive+body) }
	on := `
cpu                     = 2
cpu_model               = "host-passthrough"
cpu_pinning             = true
isolate_emulator_thread = true
efi                     = true
secure_boot             = true
machine_type            = "q35"
hostname                = "guest"
node_selector           = { "zone" = "a" }
requests {
  cpu    = "2"
  memory = "1Gi"
}
tpm {}
input {
  name = "tablet"
  bus  = "virtio"
}
`
	part := func(spec *kubevirtv1.VirtualMachineInstanceSpec) any {
		smm := spec.Domain.Features != nil && spec.Domain.Features.SMM != nil && *spec.Domain.Features.SMM.Enabled
		cpu := spec.Domain.CPU
		efi := spec.Domain.Firmware != nil && spec.Domain.Firmware.Bootloader != nil && spec.Domain.Firmware.Bootloader.EFI != nil
		return []any{
			cpu.Cores, cpu.Model, cpu.DedicatedCPUPlacement, cpu.IsolateEmulatorThread, efi, smm, spec.Hostname, spec.NodeSelector,
			spec.Domain.Devices.TPM != nil, spec.Domain.Devices.Inputs,
		}
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: config(on),
				Check:  c.shows(name, `[2,"host-passthrough",true,true,true,true,"guest",{"zone":"a"},true,[{"bus":"virtio","type":"tablet","name":"tablet"}]]`, part),
			},
			imports(),
			// V4: values that are off again reach the cluster.
			updated(config(`hostname = ""`), c.shows(name, `[1,"",false,false,false,false,"",null,false,null]`, part)),
			updated(config(`cpu_pinning = false
efi = true
node_selector = {}`), c.shows(name, `[1,"",false,false,true,false,"",null,false,null]`, part)),
		},
	})
}

func TestAccVirtualMachine_V5_hostDevice(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	config := func(devices ...string) string {
		body := "run_strategy = \"Halted\"\n" + emptyDrive
		for _, device := range devices {
			body += fmt.Sprintf("host_device {\n name = %q\n device_name = \"vendor.com/%s\"\n}\n", device, device)
		}
		return machine(name, body)
	}
	part := func(spec *kubevirtv1.VirtualMachineInstanceSpec) any {
		names := []string{}
		for _, device := range spec.Domain.Devices.HostDevices {
			names = append(names, device.Name+" "+device.DeviceName)
		}
		return names
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config("a", "a"), ExpectError: acctest.Said("Name used twice")},
			{Config: config("a"), Check: c.shows(name, `["a vendor.com/a"]`, part)},
			imports(),
			{ // what it asks of a node is Harvester's to say at any change
				Config: strings.Replace(config("a"), "host_device", "description = \"changed\"\nhost_device", 1), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
			// V5: an update does not add the device a second time.
			updated(config("a", "b"), c.shows(name, `["a vendor.com/a","b vendor.com/b"]`, part)),
			updated(config("b"), c.shows(name, `["b vendor.com/b"]`, part)),
			updated(config(), c.shows(name, `[]`, part)),
		},
	})
}

// Cloud-init data in all forms, from one to the next.
func TestAccVirtualMachine_cloudInit(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Apply(t, api.Secrets, "default", map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name},
		"stringData": map[string]any{"userdata": "#cloud-config", "networkdata": "version: 2"},
	})
	config := func(body string) string {
		return machine(name, "run_strategy = \"Halted\"\n"+emptyDrive+"cloudinit {\n"+body+"\n}\n")
	}
	part := func(spec *kubevirtv1.VirtualMachineInstanceSpec) any {
		kinds := map[string]any{}
		for _, d := range spec.Domain.Devices.Disks {
			if d.Name == "cloudinitdisk" {
				kinds["cdrom"] = d.CDRom != nil
			}
		}
		for _, v := range spec.Volumes {
			if v.CloudInitNoCloud != nil {
				kinds["noCloud"] = v.CloudInitNoCloud
			}
			if v.CloudInitConfigDrive != nil {
				kinds["configDrive"] = v.CloudInitConfigDrive
			}
		}
		return kinds
	}
	encoded := base64.StdEncoding.EncodeToString([]byte("#cloud-config"))
	step := func(body, want string) resource.TestStep {
		return updated(config(body), c.shows(name, strings.ReplaceAll(want, "NAME", name), part))
	}
	first := step("user_data = \"#cloud-config\"", `{"cdrom":false,"noCloud":{"userData":"#cloud-config"}}`)
	first.ConfigPlanChecks = planned(plancheck.ResourceActionCreate)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			first,
			imports(),
			step("user_data = \"#cloud-config\"\nnetwork_data = \"version: 2\"", `{"cdrom":false,"noCloud":{"userData":"#cloud-config","networkData":"version: 2"}}`),
			step("user_data_base64 = \""+encoded+"\"\nnetwork_data = \"\"", `{"cdrom":false,"noCloud":{"userDataBase64":"`+encoded+`"}}`),
			step("user_data_secret_name = \""+name+"\"\nnetwork_data_base64 = base64encode(\"version: 2\")",
				`{"cdrom":false,"noCloud":{"secretRef":{"name":"NAME"},"networkDataBase64":"`+base64.StdEncoding.EncodeToString([]byte("version: 2"))+`"}}`),
			step("type = \"configDrive\"\nuser_data_secret_name = \""+name+"\"\nnetwork_data_secret_name = \""+name+"\"",
				`{"cdrom":true,"configDrive":{"secretRef":{"name":"NAME"},"networkDataSecretRef":{"name":"NAME"}}}`),
			imports(),
			updated(machine(name, "run_strategy = \"Halted\"\n"+emptyDrive), c.shows(name, `{}`, part)),
		},
	})
}

// Disks of a running machine: each keeps its volume, whatever comes and goes around it.
func TestAccVirtualMachine_V3_runningDisks(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	existing := name + "-existing"
	c.claim(t, existing)
	c.remove(t, &existing)
	disk := func(name, more string) string { return fmt.Sprintf("disk {\n name = %q\n %s\n}\n", name, more) }
	own := func(name, size string) string {
		return disk(name, "auto_delete = true\n size = \""+size+"\"")
	}
	hot := disk("hot", "existing_volume_name = \""+existing+"\"\n hot_plug = true")
	container := disk("tools", "type = \"cd-rom\"\n container_image_name = \"example.com/tools:1\"")
	var first, last string
	unmoved := c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
		if volume(vm, "first") != first || volume(vm, "last") != last {
			return fmt.Errorf("the volumes were %s and %s, now they are %s and %s", first, last, volume(vm, "first"), volume(vm, "last"))
		}
		return nil
	})
	part := func(spec *kubevirtv1.VirtualMachineInstanceSpec) any {
		var disks []string
		for _, d := range spec.Domain.Devices.Disks {
			kind, bus := "disk", kubevirtv1.DiskBus("")
			if d.CDRom != nil {
				kind, bus = "cd-rom", d.CDRom.Bus
			} else if d.Disk != nil {
				bus = d.Disk.Bus
			}
			source := ""
			for _, v := range spec.Volumes {
				switch {
				case v.Name != d.Name:
				case v.ContainerDisk != nil:
					source = v.ContainerDisk.Image
				case v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.Hotpluggable:
					source = "hot"
				}
			}
			disks = append(disks, strings.Join([]string{d.Name, kind, string(bus), source}, " "))
		}
		return disks
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: machine(name, own("first", "1Gi")+own("last", "1Gi")),
				Check: c.look(name, func(vm *kubevirtv1.VirtualMachine) error {
					first, last = volume(vm, "first"), volume(vm, "last")
					return nil
				}),
			},
			updated(machine(name, own("first", "1Gi")+hot+container+own("last", "1Gi")), resource.ComposeTestCheckFunc(unmoved,
				c.shows(name, `["first disk virtio ","hot disk scsi hot","tools cd-rom sata example.com/tools:1","last disk virtio "]`, part))),
			imports("disk.0.auto_delete"),
			{ // V3: a volume grows while the machine runs
				Config:            machine(name, own("first", "3Gi")+hot+container+own("last", "1Gi")),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("3Gi"), "disk", 0, "size"), expect(exactly("Ready"), "state")},
				Check: resource.ComposeTestCheckFunc(unmoved, func(*terraform.State) error {
					claim, err := c.volumes.Get(context.Background(), "default", first)
					if err != nil {
						return err
					}
					return same(first, claim.Spec.Resources.Requests.Storage().String(), "3Gi")
				}),
			},
			updated(machine(name, own("last", "1Gi")+own("first", "3Gi")), resource.ComposeTestCheckFunc(unmoved,
				c.shows(name, `["last disk virtio ","first disk virtio "]`, part))),
		},
	})
}

// V20: the initial snapshot is waited for, and made up for if it failed.
func TestAccVirtualMachine_V20_snapshot(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	c.Apply(t, api.StorageClasses, "", map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "driver.longhorn.io", "volumeBindingMode": "WaitForFirstConsumer",
		"metadata": map[string]any{"name": name}, "parameters": map[string]any{"numberOfReplicas": "1", "migratable": "true"},
	})
	snapshots := kube.For[api.VirtualMachineBackup](c.Client, api.VirtualMachineBackups, "VirtualMachineBackup")
	t.Cleanup(func() { _ = snapshots.Delete(context.Background(), "default", name+"-initial", "") })
	config := func(strategy string) string {
		return machine(name, fmt.Sprintf("run_strategy = %q\ncreate_initial_snapshot = true\ndisk {\n name = \"root\"\n storage_class_name = %q\n auto_delete = true\n}\n", strategy, name))
	}
	usable := func(*terraform.State) error {
		snapshot, err := snapshots.Get(context.Background(), "default", name+"-initial")
		if err != nil {
			return err
		}
		if snapshot.Status.ReadyToUse == nil || !*snapshot.Status.ReadyToUse || snapshot.Spec.Type != api.TypeSnapshot {
			return fmt.Errorf("got %+v", snapshot)
		}
		return nil
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{ // the volume of a machine that never ran is not there to take a snapshot of
				Config: config("Halted"), ExpectNonEmptyPlan: true,
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Off"), "state")},
			},
			{
				Config: config("RerunOnFailure"), ConfigPlanChecks: planned(plancheck.ResourceActionUpdate), Check: usable,
				ConfigStateChecks: []statecheck.StateCheck{expect(exactly("Ready"), "state"), expect(knownvalue.Bool(true), "create_initial_snapshot")},
			},
			{
				PreConfig: func() {
					group := "kubevirt.io"
					_, err := snapshots.Create(context.Background(), "default", &api.VirtualMachineBackup{
						ObjectMeta: acctest.Meta("default", name+"-2-initial"),
						Spec:       api.VirtualMachineBackupSpec{Source: corev1.TypedLocalObjectReference{APIGroup: &group, Kind: "VirtualMachine", Name: name}, Type: api.TypeSnapshot},
					})
					if err != nil {
						t.Fatal(err)
					}
				},
				Config:      config("RerunOnFailure") + strings.NewReplacer(`"test"`, `"other"`, "\n  name = \""+name, "\n  name = \""+name+"-2").Replace(config("Halted")),
				ExpectError: acctest.Said(`Snapshot exists already.*Nothing\s+was\s+created`),
			},
			{ // Harvester deletes the snapshot with the machine
				Config: config("RerunOnFailure"), Taint: []string{address}, Check: usable,
			},
		},
	})
}
