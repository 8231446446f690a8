// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package network_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
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

const address = "harvester_network.test"

// config is a network on the management network unless more says otherwise.
func config(name, more string) string {
	return fmt.Sprintf("\nresource \"harvester_network\" \"test\" {\n  name = %q\n  %s\n}\n", name, more)
}

const vlan = "cluster_network_name = \"mgmt\"\n  vlan_id = 7\n  "

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

var (
	empty   = resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}}
	updated = resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate)}}
)

type cluster struct {
	*acctest.Cluster
	networks kube.Resource[api.Network]
}

func shared(t *testing.T) cluster {
	t.Helper()
	c := acctest.Shared(t)
	return cluster{c, kube.For[api.Network](c.Client, api.Networks, api.KindNetwork)}
}

func (c cluster) gone(name string) resource.TestCheckFunc {
	return func(*terraform.State) error {
		if _, err := c.networks.Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the network %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

// routed waits until the server has found out about the route.
func (c cluster) routed(t *testing.T, name, connectivity string) {
	t.Helper()
	acctest.Eventually(t, "the route is known", func(ctx context.Context) bool {
		network, err := c.networks.Get(ctx, "default", name)
		return err == nil && strings.Contains(network.Annotations[api.AnnotationRoute], fmt.Sprintf(`"connectivity":%q`, connectivity))
	})
}

// live checks what the server has: the configuration, with keys in order, and the route.
func (c cluster) live(t *testing.T, name, wantConfig, wantRoute string) resource.TestCheckFunc {
	t.Helper()
	return func(*terraform.State) error {
		network, err := c.networks.Get(t.Context(), "default", name)
		if err != nil {
			return err
		}
		var conf map[string]any
		if err := json.Unmarshal([]byte(network.Spec.Config), &conf); err != nil {
			return err
		}
		got, _ := json.Marshal(conf)
		if route := network.Annotations[api.AnnotationRoute]; string(got) != wantConfig || route != wantRoute {
			return fmt.Errorf("got %s and %s, want %s and %s", got, route, wantConfig, wantRoute)
		}
		return nil
	}
}

// The life of a network with every argument. N2: it can be changed after its route was discovered. N3: the VLAN is right
// at once. C1: each argument can be taken back. C2: labels of the controllers stay.
func TestAccNetwork_lifecycle(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	conf := func(vlan string) string {
		return fmt.Sprintf(`{"bridge":"mgmt-br","cniVersion":"0.3.1","ipam":{},"name":%q,"promiscMode":true,"type":"bridge","vlan":%s}`, name, vlan)
	}
	first := config(name, vlan+"description = \"mine\"\n  labels = { team = \"blue\" }\n  tags = { tier = \"1\" }\n  route_dhcp_server_ip = \"198.51.100.9\"")
	manual := config(name, "cluster_network_name = \"mgmt\"\n  vlan_id = 8\n  labels = { team = \"red\" }\n  route_mode = \"manual\"\n  route_cidr = \"192.0.2.0/24\"\n  route_gateway = \"192.0.2.1\"")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: first,
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", text("default/"+name)), expect("vlan_id", knownvalue.Int64Exact(7)), expect("type", text("L2VlanNetwork")),
					expect("mtu", knownvalue.Int64Exact(1500)), expect("ready", knownvalue.Bool(true)), expect("route_mode", text("auto")),
				},
			},
			{
				PreConfig: func() { c.routed(t, name, "true") },
				Config:    first, ConfigPlanChecks: empty,
				ConfigStateChecks: []statecheck.StateCheck{
					expect("state", text("Ready")), expect("message", text("")), expect("route_cidr", text("198.51.100.0/24")),
					expect("route_gateway", text("198.51.100.1")), expect("route_connectivity", text("true")),
				},
			},
			{ // N2
				Config: strings.Replace(first, "mine", "changed", 1), ConfigPlanChecks: updated,
				ConfigStateChecks: []statecheck.StateCheck{expect("description", text("changed")), expect("route_cidr", text("198.51.100.0/24"))},
			},
			{
				Config: manual, ConfigPlanChecks: updated,
				ConfigStateChecks: []statecheck.StateCheck{expect("vlan_id", knownvalue.Int64Exact(8)), expect("description", knownvalue.Null()), expect("tags", knownvalue.Null())},
			},
			{
				PreConfig: func() { c.routed(t, name, "true") },
				Config:    manual, ConfigPlanChecks: empty,
				ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Ready")), expect("route_connectivity", text("true"))},
				Check:             c.live(t, name, conf("8"), `{"mode":"manual","cidr":"192.0.2.0/24","gateway":"192.0.2.1","connectivity":"true"}`),
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{ // to no VLAN, with which the server drops the route
				Config: strings.Replace(manual, "vlan_id = 8", "vlan_id = 0", 1), ConfigPlanChecks: updated,
				ConfigStateChecks: []statecheck.StateCheck{expect("route_mode", text("manual")), expect("type", text("UntaggedNetwork"))},
			},
			{
				Config:            config(name, vlan+fmt.Sprintf("}\n\ndata \"harvester_network\" \"test\" {\n  name = %q\n  depends_on = [harvester_network.test]", name)),
				ConfigPlanChecks:  updated,
				ConfigStateChecks: []statecheck.StateCheck{statecheck.ExpectKnownValue("data.harvester_network.test", tfjsonpath.New("vlan_id"), knownvalue.Int64Exact(7))},
			},
		},
	})
}

// On a cluster network of another MTU. N1: it can be changed. N7: another cluster network replaces it. N8 and the order
// of creation: nothing refers to the VlanConfig.
func TestAccNetwork_mtu(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	uplink := fmt.Sprintf(`
resource "harvester_clusternetwork" "test" {
  name = %[1]q
}

resource "harvester_vlanconfig" "test" {
  name                 = %[1]q
  cluster_network_name = harvester_clusternetwork.test.name
  uplink {
    nics = ["ens1f12"]
    mtu  = 9000
  }
}
`, name)
	on := func(more string) string {
		return uplink + config(name, fmt.Sprintf("cluster_network_name = %q\n  %s", name, more))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: on("vlan_id = 7"), ConfigStateChecks: []statecheck.StateCheck{expect("ready", knownvalue.Bool(true))}},
			{
				PreConfig: func() {
					acctest.Eventually(t, "the network has the MTU", func(ctx context.Context) bool {
						network, err := c.networks.Get(ctx, "default", name)
						return err == nil && strings.Contains(network.Spec.Config, `"mtu":9000`)
					})
				},
				Config: on("vlan_id = 9\n  description = \"changed\""), ConfigPlanChecks: updated,
				ConfigStateChecks: []statecheck.StateCheck{expect("mtu", knownvalue.Int64Exact(9000)), expect("vlan_id", knownvalue.Int64Exact(9))},
			},
			{
				Config:           uplink + config(name, vlan),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionReplace)}},
			},
		},
	})
}

// N4: a trunk, by its whole configuration. Its spelling is kept, its keys are compared.
func TestAccNetwork_config(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	trunk := func(ids string) string {
		return config(name, fmt.Sprintf(`config = jsonencode({
    vlanTrunk = [%s], bridge = "mgmt-br", type = "bridge", cniVersion = "0.3.1", name = %q, promiscMode = true, ipam = {}
  })`, ids, name))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{
				Config: trunk("{ minID = 10, maxID = 20 }"),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("type", text("L2VlanTrunkNetwork")), expect("vlan_id", knownvalue.Null()), expect("cluster_network_name", text("mgmt")),
				},
			},
			{Config: trunk("{ minID = 10, maxID = 30 }"), ConfigPlanChecks: updated},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{Config: strings.Replace(trunk("{ minID = 10, maxID = 30 }"), `"mgmt-br"`, `"other-br"`, 1), PlanOnly: true, ExpectNonEmptyPlan: true},
		},
	})
}

// A gateway that does not answer is shown, and fails the apply only if that was asked for.
func TestAccNetwork_route(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	for _, fault := range []string{"DHCP failed", "ping failed", "false"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			name := name + "-" + strings.ReplaceAll(strings.ToLower(fault), " ", "-")
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             c.gone(name),
				Steps: []resource.TestStep{
					{
						PreConfig: func() { c.SetFaultOf(t, "default", name, acctest.Fault{RouteConnectivity: fault}) },
						Config:    config(name, vlan+"wait_for_route = true"), ExpectError: acctest.Said(`Gateway not reached`),
					},
					{Config: config(name, vlan)},
					{
						PreConfig: func() { c.routed(t, name, fault) },
						Config:    config(name, vlan), ConfigPlanChecks: empty,
						ConfigStateChecks: []statecheck.StateCheck{expect("state", text("Active")), expect("route_connectivity", text(fault))},
					},
				},
			})
		})
	}
	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		name := name + "-answers"
		resource.Test(t, resource.TestCase{
			ProtoV6ProviderFactories: acctest.Factories,
			CheckDestroy:             c.gone(name),
			Steps: []resource.TestStep{{
				Config:            config(name, vlan+"wait_for_route = true"),
				ConfigStateChecks: []statecheck.StateCheck{expect("route_connectivity", text("true")), expect("route_cidr", text("198.51.100.0/24"))},
			}},
		})
	})
}

// What cannot be right is refused in the plan (C6).
func TestAccNetwork_refused(t *testing.T) {
	t.Parallel()
	c := shared(t)
	for name, test := range map[string]struct{ more, want string }{
		"VLAN":          {"cluster_network_name = \"mgmt\"\n  vlan_id = 4095", `vlan_id`},
		"long name":     {"cluster_network_name = \"thirteenchars\"\n  vlan_id = 7", `cluster_network_name`},
		"no VLAN":       {"cluster_network_name = \"mgmt\"", `(?s)Missing argument.*vlan_id`},
		"CIDR":          {vlan + "route_mode = \"manual\"\n  route_cidr = \"192.0.2.0\"\n  route_gateway = \"192.0.2.1\"", `Invalid CIDR`},
		"gateway":       {vlan + "route_mode = \"manual\"\n  route_cidr = \"192.0.2.0/24\"\n  route_gateway = \"x\"", `Invalid address`},
		"no gateway":    {vlan + "route_mode = \"manual\"\n  route_cidr = \"192.0.2.0/24\"", `(?s)Missing argument.*route_gateway`},
		"auto, CIDR":    {vlan + "route_cidr = \"192.0.2.0/24\"", `(?s)Contradiction.*route_cidr`},
		"no JSON":       {"config = \"{\"", `Invalid configuration`},
		"contradiction": {"vlan_id = 8\n  config = jsonencode({ type = \"bridge\", bridge = \"mgmt-br\", vlan = 7 })", `Contradiction`},
		"mode":          {vlan + "route_mode = \"none\"", `route_mode`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: c.gone("refused"),
				Steps: []resource.TestStep{{Config: config("refused", test.more), PlanOnly: true, ExpectError: acctest.Said(test.want)}},
			})
		})
	}
}

// A cluster network that is missing, and one without an uplink, are told apart. N8.
func TestAccNetwork_clusterNetwork(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	bare := fmt.Sprintf("resource \"harvester_clusternetwork\" \"test\" {\n  name = %q\n}\n", name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(name, "cluster_network_name = \"missing\"\n  vlan_id = 7"), ExpectError: acctest.Said(`Cluster network not found.*Nothing\s+was\s+created`)},
			{
				Config:      bare + config(name, "cluster_network_name = harvester_clusternetwork.test.name\n  vlan_id = 7\n  timeouts {\n    create = \"5s\"\n  }"),
				ExpectError: acctest.Said(`Timed out.*none\s+of\s+its\s+VlanConfigs\s+is\s+set\s+up.*needs\s+a\s+harvester_vlanconfig`),
			},
		},
	})
}

// What a machine is attached to is not deleted, and the machine is named.
func TestAccNetwork_inUse(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(name, vlan)},
			{
				PreConfig: func() {
					c.Apply(t, api.VirtualMachines, "default", map[string]any{
						"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": map[string]any{"name": name, "namespace": "default"},
						"spec": map[string]any{"runStrategy": "Halted", "template": map[string]any{"spec": map[string]any{
							"domain":   map[string]any{"cpu": map[string]any{"cores": 1, "sockets": 1, "threads": 1, "maxSockets": 1}, "devices": map[string]any{"interfaces": []any{map[string]any{"name": "a", "bridge": map[string]any{}}}}, "memory": map[string]any{"guest": "64Mi"}, "resources": map[string]any{"limits": map[string]any{"cpu": "1", "memory": "128Mi"}}},
							"networks": []any{map[string]any{"name": "a", "multus": map[string]any{"networkName": "default/" + name}}},
						}}},
					})
				},
				Config: "# none", ExpectError: acctest.Said(`Network in use.*still\s+used\s+by.*` + name),
			},
			{
				PreConfig: func() {
					_ = kube.For[api.MachineVolumes](c.Client, api.VirtualMachines, "VirtualMachine").Delete(t.Context(), "default", name, "")
				},
				Config: config(name, vlan),
			},
		},
	})
}

// The most common mistake with the data source.
func TestAccNetwork_elsewhere(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(name, vlan+"namespace = \"harvester-system\"")},
			{
				Config:      config(name, vlan+"namespace = \"harvester-system\"") + fmt.Sprintf("data \"harvester_network\" \"test\" {\n  name = %q\n}\n", name),
				ExpectError: acctest.Said(`Not found.*in:\s+harvester-system`),
			},
		},
	})
}

// C4: what is gone leaves the state, and is made anew. Drift of every argument is seen.
func TestAccNetwork_drift(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	manual := config(name, vlan+"route_mode = \"manual\"\n  route_cidr = \"192.0.2.0/24\"\n  route_gateway = \"192.0.2.1\"\n  description = \"mine\"")
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: manual},
			{
				PreConfig: func() {
					c.routed(t, name, "true")
					patch := map[string]any{
						"metadata": map[string]any{"annotations": map[string]any{api.AnnotationDescription: "theirs", api.AnnotationRoute: `{"mode":"auto"}`}},
						"spec":     map[string]any{"config": fmt.Sprintf(`{"cniVersion":"0.3.1","name":%q,"type":"bridge","bridge":"mgmt-br","promiscMode":true,"vlan":9,"ipam":{}}`, name)},
					}
					if _, err := c.networks.Patch(t.Context(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config: manual, ConfigPlanChecks: updated,
				ConfigStateChecks: []statecheck.StateCheck{
					expect("vlan_id", knownvalue.Int64Exact(7)), expect("route_mode", text("manual")), expect("route_cidr", text("192.0.2.0/24")), expect("description", text("mine")),
				},
			},
			{
				PreConfig: func() {
					if err := c.networks.Delete(t.Context(), "default", name, ""); err != nil {
						t.Fatal(err)
					}
				},
				Config:           manual,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, plancheck.ResourceActionCreate)}},
			},
		},
	})
}

// C5: what an interrupted apply made is taken over by the next one, with what has changed since.
func TestAccNetwork_takesOverItsOwn(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.ShortName(t)
	abandon := c.WatchMark(t, api.Networks, "default", name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             c.gone(name),
		Steps: []resource.TestStep{
			{Config: config(name, vlan)},
			{Config: "removed {\n  from = harvester_network.test\n  lifecycle {\n    destroy = false\n  }\n}\n"},
			{Config: config(name, vlan), ExpectError: acctest.Said(`already exists.*terraform import harvester_network`)},
			{
				PreConfig: abandon, Config: config(name, "cluster_network_name = \"mgmt\"\n  vlan_id = 9"),
				ConfigStateChecks: []statecheck.StateCheck{expect("vlan_id", knownvalue.Int64Exact(9))},
			},
		},
	})
}
