// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package clusternetwork_test

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

const address = "harvester_clusternetwork.test"

func config(name, more string) string {
	return fmt.Sprintf(`
resource "harvester_clusternetwork" "test" {
  name = %q
  %s
}
`, name, more)
}

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func networks(cluster *acctest.Cluster) kube.Resource[api.ClusterNetwork] {
	return kube.For[api.ClusterNetwork](cluster.Client, api.ClusterNetworks, api.KindClusterNetwork)
}

func gone(cluster *acctest.Cluster, name string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if _, err := networks(cluster).Get(context.Background(), "", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the cluster network %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

// The life of a cluster network with every argument. C1: each can be unset. C2: labels of others stay.
func TestAccClusterNetwork_lifecycle(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.ShortName(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config: config(name, `description = "fast"
  labels = { team = "blue" }
  tags   = { tier = "1" }`),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", text(name)), expect("state", text("Active")), expect("mtu", knownvalue.Int64Exact(1500)),
					expect("message", text("None of its VlanConfigs is set up on a node.")),
					expect("nodes", knownvalue.ListSizeExact(0)), expect("vlan_ids", knownvalue.ListSizeExact(0)), expect("vlan_configs", knownvalue.ListSizeExact(0)),
				},
			},
			{
				PreConfig: func() {
					patch := map[string]any{"metadata": map[string]any{"labels": map[string]any{"network.harvesterhci.io/other": "owner"}}}
					if _, err := networks(cluster).Patch(t.Context(), "", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config:           config(name, `labels = { team = "red" }`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate)}},
				Check: func(*terraform.State) error {
					network, err := networks(cluster).Get(t.Context(), "", name)
					if err != nil {
						return err
					}
					_, described := network.Annotations[api.AnnotationDescription]
					_, tagged := network.Labels["tag.harvesterhci.io/tier"]
					if got := fmt.Sprintln(network.Labels["team"], network.Labels["network.harvesterhci.io/other"], described, tagged); got != "red owner false false\n" {
						return fmt.Errorf("got %q", got)
					}
					return nil
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{Config: config(name, ""), ConfigStateChecks: []statecheck.StateCheck{expect("labels", knownvalue.Null())}},
		},
	})
}

// It is ready when an uplink is set up on a node, and shows the uplink's MTU.
func TestAccClusterNetwork_uplink(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.ShortName(t)
	both := config(name, "") + fmt.Sprintf(`
resource "harvester_vlanconfig" "test" {
  name                 = %q
  cluster_network_name = harvester_clusternetwork.test.name
  uplink {
    nics = ["ens1f0"]
    mtu  = 9000
  }
}

data "harvester_clusternetwork" "test" {
  name       = harvester_clusternetwork.test.name
  depends_on = [harvester_vlanconfig.test]
}
`, name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: both},
			{
				PreConfig: func() {
					acctest.Eventually(t, "the cluster network is ready", func(ctx context.Context) bool {
						network, err := networks(cluster).Get(ctx, "", name)
						return err == nil && network.Status.Ready().Status == "True"
					})
				},
				RefreshState: true,
			},
			{
				Config:           both,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}},
				ConfigStateChecks: []statecheck.StateCheck{
					expect("state", text("Ready")), expect("message", text("")), expect("mtu", knownvalue.Int64Exact(9000)),
					expect("vlan_configs", knownvalue.ListExact([]knownvalue.Check{text(name)})), expect("nodes", knownvalue.ListSizeExact(2)),
					statecheck.ExpectKnownValue("data.harvester_clusternetwork.test", tfjsonpath.New("state"), text("Ready")),
				},
			},
		},
	})
}

// The management network is imported, can be given an MTU, and stays when it is destroyed.
func TestAccClusterNetwork_management(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy: func(*terraform.State) error {
			_, err := networks(cluster).Get(context.Background(), "", api.ManagementNetwork)
			return err
		},
		Steps: []resource.TestStep{
			{Config: config("mgmt", ""), ExpectError: acctest.Said(`already\s+exists.*terraform import\s+harvester_clusternetwork.<name> mgmt`)},
			{Config: config("mgmt", ""), ResourceName: address, ImportState: true, ImportStateId: "mgmt", ImportStatePersist: true},
			{ // 0 and 1500 are the same, so that the networks of other tests do not notice
				Config:            config("mgmt", "mtu = 0"),
				ConfigStateChecks: []statecheck.StateCheck{expect("mtu", knownvalue.Int64Exact(0)), expect("state", text("Ready"))},
				Check: func(*terraform.State) error {
					network, err := networks(cluster).Get(t.Context(), "", api.ManagementNetwork)
					if err == nil && network.Annotations[api.AnnotationUplinkMTU] != "0" {
						err = fmt.Errorf("the MTU is %q", network.Annotations[api.AnnotationUplinkMTU])
					}
					return err
				},
			},
		},
	})
}

func TestAccClusterNetwork_refused(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	for name, test := range map[string]struct{ config, want string }{
		"long name":      {config("thirteenchars", ""), `(?s)Name too long.*at\s+most\s+12\s+characters`},
		"MTU":            {config("mgmt", "mtu = 100"), `Invalid MTU`},
		"MTU of another": {config("other", "mtu = 9000"), `(?s)MTU belongs to the VlanConfig.*uplink.mtu`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: acctest.Factories, Steps: []resource.TestStep{
				{Config: test.config, PlanOnly: true, ExpectError: acctest.Said(test.want)},
			}})
		})
	}
}

// What is on it keeps it, and is named.
func TestAccClusterNetwork_inUse(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.ShortName(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, "")},
			{
				PreConfig: func() {
					cluster.Apply(t, api.Networks, "default", map[string]any{
						"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition", "metadata": map[string]any{"name": name},
						"spec": map[string]any{"config": fmt.Sprintf(`{"cniVersion":"0.3.1","name":%q,"type":"bridge","bridge":"%s-br","promiscMode":true,"vlan":7,"ipam":{}}`, name, name)},
					})
					acctest.Eventually(t, "the network has its labels", func(ctx context.Context) bool {
						network, err := kube.For[api.Network](cluster.Client, api.Networks, api.KindNetwork).Get(ctx, "default", name)
						return err == nil && network.Labels[api.LabelNetworkType] != ""
					})
				},
				Config: "# none", ExpectError: acctest.Said(`Cluster network in use.*network default/` + name),
			},
			{
				PreConfig: func() {
					if err := kube.For[api.Network](cluster.Client, api.Networks, api.KindNetwork).Delete(t.Context(), "default", name, ""); err != nil {
						t.Fatal(err)
					}
				},
				Config: config(name, ""),
			},
		},
	})
}
