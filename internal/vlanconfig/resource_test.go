// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package vlanconfig_test

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
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const address = "harvester_vlanconfig.test"

// config is a VlanConfig of a cluster network of its own.
func config(name, uplink, more string) string {
	return fmt.Sprintf(`
resource "harvester_clusternetwork" "test" {
  name = %[1]q
}

resource "harvester_vlanconfig" "test" {
  name                 = %[1]q
  cluster_network_name = harvester_clusternetwork.test.name
  %[3]s
  uplink {
    %[2]s
  }
}
`, name, uplink, more)
}

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func expectUplink(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New("uplink").AtSliceIndex(0).AtMapKey(attribute), value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func texts(values ...string) knownvalue.Check {
	checks := []knownvalue.Check{}
	for _, value := range values {
		checks = append(checks, text(value))
	}
	return knownvalue.ListExact(checks)
}

type cluster struct {
	*acctest.Cluster
	configs kube.Resource[api.VlanConfig]
}

func shared(t *testing.T) cluster {
	t.Helper()
	c := acctest.Shared(t)
	return cluster{c, kube.For[api.VlanConfig](c.Client, api.VlanConfigs, api.KindVlanConfig)}
}

// gone: the VlanConfig and what the nodes say about it.
func (c cluster) gone(name string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if _, err := c.configs.Get(context.Background(), "", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the VlanConfig %s is still there (or: %w)", name, err)
		}
		statuses, err := kube.For[api.VlanStatus](c.Client, api.VlanStatuses, api.KindVlanStatus).List(context.Background(), "", api.LabelVlanConfig+"="+name)
		if err == nil && len(statuses) > 0 {
			err = fmt.Errorf("%d nodes still have it", len(statuses))
		}
		return err
	}
}

// The life of a VlanConfig, with every argument changed. U2: monitoring can be switched off. U3, C1: the selector can be
// removed, and what has no argument here stays. U4: it is set up when apply returns. U6: the nodes are sorted.
func TestAccVlanConfig_lifecycle(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	other := fmt.Sprintf("resource \"harvester_clusternetwork\" \"other\" {\n  name = %q\n}\n", "o"+name)
	first := config(name, `nics = ["ens1f1"]
    bond_mode   = "balance-xor"
    bond_miimon = 50
    mtu         = 9000`, `description = "mine"
  labels = { team = "blue" }
  tags = { tier = "1" }
  node_selector = { "kubernetes.io/hostname" = "harvester-node-1" }`)
	second := strings.Replace(config(name, `nics = ["ens1f2", "ens1f1"]
    bond_miimon = 0
    mtu         = 1600`, `labels = { team = "red" }`), "harvester_clusternetwork.test.name", "harvester_clusternetwork.other.name", 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: other + first,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectKnownValue(address, tfjsonpath.New("matched_nodes"), texts("harvester-node-1")),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", text(name)), expect("state", text("Ready")), expect("message", text("")), expect("matched_nodes", texts("harvester-node-1")),
					expect("nodes", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(map[string]knownvalue.Check{
						"name": text("harvester-node-1"), "ready": knownvalue.Bool(true), "message": text(""),
					})})),
				},
			},
			{
				PreConfig: func() {
					patch := map[string]any{
						"metadata": map[string]any{"labels": map[string]any{"other": "owner"}},
						"spec":     map[string]any{"uplink": map[string]any{"linkAttributes": map[string]any{"txQLen": 700}}},
					}
					if _, err := c.configs.Patch(t.Context(), "", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: other + second,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
					plancheck.ExpectKnownValue(address, tfjsonpath.New("matched_nodes"), texts("harvester-node-0", "harvester-node-1")),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					expect("state", text("Ready")), expect("nodes", knownvalue.ListSizeExact(2)), expect("cluster_network_name", text("o"+name)),
					expect("node_selector", knownvalue.Null()), expect("description", knownvalue.Null()), expect("tags", knownvalue.Null()),
					expectUplink("bond_mode", text("active-backup")), expectUplink("bond_miimon", knownvalue.Int64Exact(0)), expectUplink("mtu", knownvalue.Int64Exact(1600)),
				},
				Check: func(*terraform.State) error {
					object, err := c.Client.Dynamic().Resource(api.VlanConfigs).Get(t.Context(), name, metav1.GetOptions{})
					if err != nil {
						return err
					}
					spec, _ := object.Object["spec"].(map[string]any)
					got := fmt.Sprint(spec["nodeSelector"], spec["uplink"], object.GetLabels()["other"], object.GetLabels()[api.LabelClusterNetwork])
					want := fmt.Sprint(map[string]any{}, map[string]any{
						"nics": []any{"ens1f2", "ens1f1"}, "bondOptions": map[string]any{"mode": "active-backup", "miimon": 0},
						"linkAttributes": map[string]any{"mtu": 1600, "txQLen": 700},
					}, "owner", "o"+name)
					if strings.Replace(got, "<nil>", "map[]", 1) != want {
						return fmt.Errorf("got %s, want %s", got, want)
					}
					return nil
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: []string{"labels.%", "labels.other"}},
			{
				Config: other + second + fmt.Sprintf("data \"harvester_vlanconfig\" \"test\" {\n  name = %q\n}\n", name),
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.ExpectKnownValue("data.harvester_vlanconfig.test", tfjsonpath.New("uplink").AtSliceIndex(0).AtMapKey("nics"), texts("ens1f2", "ens1f1")),
					statecheck.ExpectKnownValue("data.harvester_vlanconfig.test", tfjsonpath.New("state"), text("Ready")),
				},
			},
		},
	})
}

// U1: what is left out does not come back as a difference, and an MTU of 1500 is none.
func TestAccVlanConfig_defaults(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	empty := resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(name, `nics = ["ens1f3"]`, ""), ConfigStateChecks: []statecheck.StateCheck{expectUplink("bond_miimon", knownvalue.Int64Exact(-1))}},
			{Config: config(name, "nics = [\"ens1f3\"]\n    mtu = 0\n    bond_miimon = -1", ""), ConfigPlanChecks: empty},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{Config: config(name, "nics = [\"ens1f3\"]\n    mtu = 1500", "")},
			{Config: config(name, `nics = ["ens1f3"]`, ""), ConfigPlanChecks: empty},
		},
	})
}

// U4: a card that a node does not have fails the apply at once, with what the node says; the next apply starts over.
func TestAccVlanConfig_cardMissing(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(name, `nics = ["eno99"]`, ""), ExpectError: acctest.Said(`No such network card.*"eno99".*Free\s+on\s+all\s+of\s+them:.*eno1`)},
			{Config: config(name, `nics = ["ens2f0"]`, ""), ExpectError: acctest.Said(`Uplink not set up.*harvester-node-1:\s+get\s+link\s+ens2f0\s+failed.*marked\s+for\s+replacement`)},
			{
				Config:            config(name, `nics = ["ens2f0"]`, `node_selector = { "kubernetes.io/hostname" = "harvester-node-0" }`),
				ConfigPlanChecks:  resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionReplace)}},
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Ready"))},
			},
		},
	})
}

// An agent that does not act, and one that fails, end in the time limit, with what is known.
func TestAccVlanConfig_agentFails(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	limited := config(name, `nics = ["ens1f4"]`, "timeouts {\n    create = \"5s\"\n  }")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				PreConfig:   func() { c.SetFaultOf(t, "vlanconfigs", name, acctest.Fault{AgentSilent: true}) },
				Config:      limited,
				ExpectError: acctest.Said(`Timed out.*harvester-node-0\s+has\s+not\s+begun`),
			},
			{
				PreConfig: func() {
					c.SetFaultOf(t, "vlanconfigs", name, acctest.Fault{SetupError: "set ens1f4 up failed, error: device busy"})
				},
				Config:      limited,
				ExpectError: acctest.Said(`Timed out.*What\s+the\s+nodes\s+say:.*device\s+busy`),
			},
			{
				PreConfig:         func() { c.ClearFaultOf(t, "vlanconfigs", name) },
				Config:            limited,
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Ready"))},
			},
		},
	})
}

// A refusal of the server is final, though it comes as an internal error, and shows the server's reason alone.
func TestAccVlanConfig_overlap(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	second := fmt.Sprintf(`
resource "harvester_vlanconfig" "second" {
  name                 = "%s-2"
  cluster_network_name = harvester_clusternetwork.test.name
  uplink {
    nics = ["ens1f6"]
    mtu  = 9000
  }
}
`, name)
	first := config(name, `nics = ["ens1f5"]`, `node_selector = { "kubernetes.io/hostname" = "harvester-node-0" }`)
	var began time.Time
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: first},
			{
				PreConfig: func() { began = time.Now() },
				Config:    first + second, ExpectError: acctest.Said(`Rejected by the cluster.*need\s+to\s+have\s+same\s+MTU`),
			},
			{
				Config:      first + strings.Replace(second, "mtu  = 9000", "", 1),
				ExpectError: acctest.Said(`Rejected by the cluster.*"[^"]+-2":\s+can't\s+create.*overlaps\s+with\s+other\s+vlanconfigs.*Nothing\s+was\s+created`),
			},
			{
				PreConfig: func() {
					if took := time.Since(began); took > time.Minute {
						t.Errorf("the refusal took %s: it was sent again and again", took)
					}
				},
				Config: first,
			},
			{ // the management network and others that cannot be
				Config: strings.Replace(first, "harvester_clusternetwork.test.name", `"mgmt"`, 1), ExpectError: acctest.Said(`Invalid cluster network`),
			},
			{Config: strings.Replace(first, "harvester_clusternetwork.test.name", `"thirteenchars"`, 1), ExpectError: acctest.Said(`at\s+most\s+12\s+characters`)},
			{Config: strings.Replace(first, `nics = ["ens1f5"]`, "nics = [\"ens1f5\"]\n    mtu = 100", 1), ExpectError: acctest.Said(`Invalid MTU`)},
			{Config: strings.Replace(first, `nics = ["ens1f5"]`, "nics = []", 1), ExpectError: acctest.Said(`nics`)},
			{Config: first}, // what destroys it has to be valid
		},
	})
}

// A cluster network that does not exist is refused before anything is done.
func TestAccVlanConfig_noClusterNetwork(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{{
			Config:      strings.Replace(config(name, `nics = ["ens1f7"]`, ""), "harvester_clusternetwork.test.name", `"missing"`, 1),
			ExpectError: acctest.Said(`Cluster network not found.*"missing".*Nothing\s+was\s+created`),
		}},
	})
}

// Without a node that matches nothing is set up, which is no error.
func TestAccVlanConfig_noNode(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{{
			Config: config(name, `nics = ["ens1f8"]`, `node_selector = { "kubernetes.io/hostname" = "no-such-node" }`),
			ConfigStateChecks: []statecheck.StateCheck{
				expect("state", text("Pending")), expect("matched_nodes", texts()), expect("nodes", knownvalue.ListSizeExact(0)),
			},
		}},
	})
}

// A webhook that cannot be reached for a moment is waited for.
func TestAccVlanConfig_webhookDown(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{{
			PreConfig: func() {
				c.SetFaultOf(t, "webhooks", name, acctest.Fault{WebhookDown: true})
				time.AfterFunc(5*time.Second, func() { c.ClearFaultOf(t, "webhooks", name) })
			},
			Config:            config(name, `nics = ["ens1f9"]`, ""),
			ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Ready"))},
		}},
	})
}

// U5: what is gone already when it is to be deleted is as good; and drift is seen.
func TestAccVlanConfig_drift(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	plain := config(name, `nics = ["ens1f10"]`, "")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: plain},
			{
				PreConfig: func() {
					if _, err := c.configs.Patch(t.Context(), "", name, map[string]any{"spec": map[string]any{"uplink": map[string]any{"nics": []string{"ens1f11"}}}}); err != nil {
						t.Fatal(err)
					}
				},
				Config:            plain,
				ConfigPlanChecks:  resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate)}},
				ConfigStateChecks: []statecheck.StateCheck{expectUplink("nics", texts("ens1f10"))},
			},
			{
				PreConfig: func() {
					if err := c.configs.Delete(t.Context(), "", name, ""); err != nil {
						t.Fatal(err)
					}
				},
				Config:  plain,
				Destroy: true,
			},
		},
	})
}
