// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package pcidevice_test

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

const address = "harvester_pcidevice.test"

func config(name, more string) string {
	return fmt.Sprintf("resource \"harvester_pcidevice\" \"test\" {\n  name = %q\n  %s\n}\n", name, more)
}

const on, off = "passthrough_enabled = true\n", "passthrough_enabled = false\n"

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func claims(cluster *acctest.Cluster) kube.Resource[api.PCIDeviceClaim] {
	return kube.For[api.PCIDeviceClaim](cluster.Client, api.PCIDeviceClaims, "PCIDeviceClaim")
}

func devices(cluster *acctest.Cluster) kube.Resource[api.PCIDevice] {
	return kube.For[api.PCIDevice](cluster.Client, api.PCIDevices, "PCIDevice")
}

func claimed(cluster *acctest.Cluster, name string, want bool) func(*terraform.State) error {
	return func(*terraform.State) error {
		_, err := claims(cluster).Get(context.Background(), "", name)
		if err != nil && !apierrors.IsNotFound(err) || (err == nil) != want {
			return fmt.Errorf("the claim of %s: %w", name, err)
		}
		return nil
	}
}

// D1: the import works. D3, D4: off means that the device has its driver back, also where it was off. D6: on and off, again and
// again. D7: description, tags and labels are kept, by the claim.
func TestAccPCIDevice_lifecycle(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), "harvester-node-1-000002000"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             claimed(cluster, name, false),
		Steps: []resource.TestStep{
			{ // nothing said, nothing done
				Config: config(name, ""), Check: claimed(cluster, name, false),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("passthrough_enabled", knownvalue.Bool(false)), expect("state", text("passthrough_disabled")), expect("kernel_driver_in_use", text("nvme")),
					expect("node_name", text("harvester-node-1")), expect("address", text("0000:02:00.0")), expect("vendor_id", text("144d")), expect("iommu_group", text("2")),
				},
			},
			{
				Config: config(name, on+`
  description = "for the database"
  tags        = { tier = "1" }
  labels      = { team = "blue" }`),
				Check: func(*terraform.State) error {
					claim, err := claims(cluster).Get(t.Context(), "", name)
					if err == nil && (claim.Labels["team"] != "blue" || claim.Labels["tag.harvesterhci.io/tier"] != "1" || claim.Annotations[api.AnnotationDescription] == "" ||
						len(claim.OwnerReferences) != 1 || claim.Spec.UserName != "admin" || claim.Annotations[api.AnnotationCreation] != "") {
						err = fmt.Errorf("the claim is %+v", claim)
					}
					return err
				},
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("passthrough_enabled")), expect("kernel_driver_in_use", text("vfio-pci")), expect("message", text(""))},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{Config: config(name, on), ConfigStateChecks: []statecheck.StateCheck{expect("description", knownvalue.Null()), expect("labels", knownvalue.Null())}},
			{
				Config: config(name, off), Check: claimed(cluster, name, false),
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("passthrough_disabled")), expect("kernel_driver_in_use", text("nvme"))},
			},
			{Config: config(name, on), Check: claimed(cluster, name, true)},
			{ // drift
				PreConfig: func() {
					if err := claims(cluster).Delete(t.Context(), "", name, ""); err != nil {
						t.Fatal(err)
					}
				},
				Config:           config(name, on),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate)}},
				Check:            claimed(cluster, name, true),
			},
			{
				Config: config(name, on) + `data "harvester_pcidevice" "test" { name = harvester_pcidevice.test.name }`,
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue("data.harvester_pcidevice.test", tfjsonpath.New("passthrough_enabled"), knownvalue.Bool(true)),
				},
			},
		},
	})
}

// D2: a claim that is there already, as Harvester makes them for an IOMMU group, is no error, and stays when the resource goes.
func TestAccPCIDevice_claimOfOthers(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), "harvester-node-1-000001001"
	device, err := devices(cluster).Get(t.Context(), "", name)
	if err != nil {
		t.Fatal(err)
	}
	cluster.Apply(t, api.PCIDeviceClaims, "", map[string]any{
		"apiVersion": "devices.harvesterhci.io/v1beta1", "kind": "PCIDeviceClaim",
		"metadata": map[string]any{"name": name, "ownerReferences": []any{map[string]any{"apiVersion": "devices.harvesterhci.io/v1beta1", "kind": "PCIDevice", "name": name, "uid": string(device.UID)}}},
		"spec":     map[string]any{"address": "0000:01:00.1", "nodeName": "harvester-node-1", "userName": "someone"},
	})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: claimed(cluster, name, true),
		Steps: []resource.TestStep{{
			Config:            config(name, on+`tags = { tier = "1" }`),
			ConfigStateChecks: []statecheck.StateCheck{expect("state", text("passthrough_enabled")), expect("iommu_group_devices", knownvalue.ListExact([]knownvalue.Check{text("harvester-node-1-000001000")}))},
		}},
	})
}

// What cannot be passed through is refused in the plan.
func TestAccPCIDevice_refused(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		Steps: []resource.TestStep{
			{Config: config("harvester-node-0-0000001f3", on), PlanOnly: true, ExpectError: acctest.Said(`PCI device without IOMMU group`)},
			{Config: config("harvester-node-0-000009000", on), ExpectError: acctest.Said(`PCI device not found.*The\s+node\s+has:.*harvester-node-0-000002000`)},
			{Config: config("node9-000002000", on), ExpectError: acctest.Said(`Nodes with devices are:.*harvester-node-1`)},
			{
				Config:      `provider "harvester" { plan_checks = "off" }` + "\n" + config("harvester-node-0-0000001f3", on),
				ExpectError: acctest.Said(`without IOMMU group.*Nothing was\s+created`),
			},
		},
	})
}

// A machine that lists the device keeps it: the error names it.
func TestAccPCIDevice_inUse(t *testing.T) {
	t.Parallel()
	cluster, name, machine := acctest.Shared(t), "harvester-node-0-000002000", acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: claimed(cluster, name, false),
		Steps: []resource.TestStep{
			{Config: config(name, on)},
			{
				PreConfig: func() {
					cluster.Apply(t, api.VirtualMachines, "default", map[string]any{
						"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": map[string]any{"name": machine},
						"spec": map[string]any{"runStrategy": "Halted", "template": map[string]any{"spec": map[string]any{
							"domain": map[string]any{
								"cpu": map[string]any{"cores": 1, "sockets": 1, "threads": 1, "maxSockets": 1},
								"devices": map[string]any{
									"interfaces":  []any{map[string]any{"name": "default", "masquerade": map[string]any{}}},
									"hostDevices": []any{map[string]any{"name": name, "deviceName": "samsung.com/NVME_SSD_CONTROLLER_SM981_PM981_PM983"}},
								},
								"resources": map[string]any{"limits": map[string]any{"cpu": "1", "memory": "1Gi"}},
							},
							"networks": []any{map[string]any{"name": "default", "pod": map[string]any{}}},
						}}},
					})
				},
				Config: config(name, off), ExpectError: acctest.Said(`PCI device in use.*default/` + machine),
			},
			{
				PreConfig: func() {
					machines := kube.For[api.MachineDevices](cluster.Client, api.VirtualMachines, "VirtualMachine")
					if err := machines.Delete(t.Context(), "default", machine, ""); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the machine is gone", func(ctx context.Context) bool {
						_, err := machines.Get(ctx, "default", machine)
						return apierrors.IsNotFound(err)
					})
				},
				Config: config(name, off), Check: claimed(cluster, name, false),
			},
		},
	})
}

// An agent that does nothing is named. D5: a device that is gone, as with its node, does not block the end of the resource.
func TestAccPCIDevice_agent(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), "harvester-node-1-000003000"
	cluster.SetFaultOf(t, "devices", name, acctest.Fault{Idle: true})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: claimed(cluster, name, false),
		Steps: []resource.TestStep{
			{
				Config:      config(name, on+"timeouts {\n create = \"4s\"\n}\n"),
				ExpectError: acctest.Said(`Timed\s+out.*the\s+agent\s+of\s+the\s+node\s+harvester-node-1\s+has\s+not\s+passed`),
			},
			{PreConfig: func() { cluster.ClearFaultOf(t, "devices", name) }, Config: config(name, on)},
			{
				PreConfig: func() {
					if err := devices(cluster).Delete(t.Context(), "", name, ""); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(name, on), Destroy: true,
			},
		},
	})
}
