// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const address = "harvester_loadbalancer.test"

// pool is a pool of a few addresses in a network that no other test has.
func pool(label, name string, addresses int) string {
	network := fmt.Sprintf("10.%d.%d", rand.IntN(256), rand.IntN(256))
	return fmt.Sprintf(`
resource "harvester_ippool" %q {
  name = %q
  range {
    subnet  = "%[3]s.0/24"
    gateway = "%[3]s.1"
    start   = "%[3]s.10"
    end     = "%[3]s.%[4]d"
  }
}
`, label, name, network, 9+addresses)
}

func config(name, more string) string {
	return fmt.Sprintf("resource \"harvester_loadbalancer\" \"test\" {\n  name = %q\n  %s\n}\n", name, more)
}

const http = `listener {
    name         = "http"
    port         = 80
    protocol     = "tcp"
    backend_port = 8080
  }`

const ofPool = `ippool = harvester_ippool.a.name
  ` + http

func balancers(cluster *acctest.Cluster) kube.Resource[api.LoadBalancer] {
	return kube.For[api.LoadBalancer](cluster.Client, api.LoadBalancers, "LoadBalancer")
}

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func text(value string) knownvalue.Check { return knownvalue.StringExact(value) }

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func gone(cluster *acctest.Cluster, name string) func(*terraform.State) error {
	return func(*terraform.State) error {
		if _, err := balancers(cluster).Get(context.Background(), "default", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the load balancer %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

// Everything is sent, read (L2), changed and unset (L5); the address is there when apply ends (L4), and it is given back before
// the pool goes (L8).
func TestAccLoadBalancer_lifecycle(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	both := pool("a", name+"-a", 5) + pool("b", name+"-b", 5)
	full := both + config(name, `
  description   = "web"
  labels        = { team = "blue" }
  tags          = { tier = "1" }
  workload_type = "vm"
  ipam          = "pool"
  `+ofPool+`
  listener {
    name         = "dns"
    port         = 53
    protocol     = "UDP"
    backend_port = 53
  }
  backend_selector {
    key    = "tag.harvesterhci.io/role"
    values = ["web", "api"]
  }
  backend_selector {
    key    = "app"
    values = ["x"]
  }
  healthcheck {
    port = 8080
  }`)
	known := func(attribute string) plancheck.PlanCheck {
		return plancheck.ExpectKnownValue(address, tfjsonpath.New(attribute), knownvalue.StringRegexp(regexp.MustCompile(`^10\.`)))
	}
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config: full,
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", text("default/"+name)), expect("ip_address", knownvalue.StringRegexp(regexp.MustCompile(`^10\..*\.10$`))), expect("allocated_pool", text(name+"-a")),
					expect("gateway", knownvalue.StringRegexp(regexp.MustCompile(`\.1$`))), expect("subnet_mask", text("255.255.255.0")), expect("state", text("NoBackend")),
					expect("message", text("no running backend servers")), expect("healthcheck", knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectExact(map[string]knownvalue.Check{
						"port": knownvalue.Int64Exact(8080), "success_threshold": knownvalue.Int64Exact(2), "failure_threshold": knownvalue.Int64Exact(2),
						"period_seconds": knownvalue.Int64Exact(1), "timeout_seconds": knownvalue.Int64Exact(1),
					})})),
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: []string{"listener.0.protocol"}},
			{ // listeners and checks change, the address stays, and is known to stay
				Config: both + config(name, `
  description = "changed"
  labels      = { team = "red" }
  ippool      = harvester_ippool.a.name
  listener {
    name         = "https"
    port         = 443
    protocol     = "TCP"
    backend_port = 8443
  }
  backend_selector {
    key    = "app"
    values = ["y"]
  }
  healthcheck {
    port              = 8443
    success_threshold = 3
    failure_threshold = 4
    period_seconds    = 5
    timeout_seconds   = 6
  }`),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate), known("ip_address"), known("allocated_ip"),
				}},
			},
			{ // another pool
				Config: both + config(name, strings.Replace(ofPool, "ippool.a", "ippool.b", 1)),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate), plancheck.ExpectUnknownValue(address, tfjsonpath.New("ip_address")),
				}},
				ConfigStateChecks: []statecheck.StateCheck{
					expect("allocated_pool", text(name+"-b")), expect("description", knownvalue.Null()), expect("healthcheck", knownvalue.ListSizeExact(0)),
					expect("backend_selector", knownvalue.SetSizeExact(0)), statecheck.CompareValuePairs(address, tfjsonpath.New("ip_address"), address, tfjsonpath.New("allocated_ip"), sameValue{}),
				},
				Check: func(*terraform.State) error {
					balancer, err := balancers(cluster).Get(t.Context(), "default", name)
					if err == nil && (balancer.Spec.Description != "" || len(balancer.Spec.BackendServerSelector) > 0 || balancer.Spec.HealthCheck != nil) {
						err = fmt.Errorf("left over: %+v", balancer.Spec)
					}
					return err
				},
			},
			{
				Config: both + config(name, strings.Replace(ofPool, "ippool.a", "ippool.b", 1)) +
					`data "harvester_loadbalancer" "test" { name = harvester_loadbalancer.test.name }`,
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.CompareValuePairs(address, tfjsonpath.New("ip_address"), "data.harvester_loadbalancer.test", tfjsonpath.New("ip_address"), sameValue{}),
				},
			},
			{ // drift
				PreConfig: func() {
					patch := map[string]any{"spec": map[string]any{"backendServerSelector": map[string]any{"by": []any{"hand"}}}}
					if _, err := balancers(cluster).Patch(t.Context(), "default", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config:           both + config(name, strings.Replace(ofPool, "ippool.a", "ippool.b", 1)),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
			{ // L7
				Config: both + config(name, `
  ipam = "dhcp"
  `+http),
				ConfigPlanChecks:  planned(plancheck.ResourceActionReplace),
				ConfigStateChecks: []statecheck.StateCheck{expect("ip_address", knownvalue.StringRegexp(regexp.MustCompile(`^198\.51\.100\.`))), expect("allocated_ip", text("0.0.0.0"))},
			},
			{ // L4: the official provider waits for an address that never comes
				Config: both + config(name, `
  workload_type = "cluster"
  ippool        = harvester_ippool.a.name`),
				ConfigPlanChecks:  planned(plancheck.ResourceActionReplace),
				ConfigStateChecks: []statecheck.StateCheck{expect("ip_address", knownvalue.StringRegexp(regexp.MustCompile(`^10\.`))), expect("state", text("Ready"))},
			},
			{ // L3, C4
				PreConfig: func() {
					if err := balancers(cluster).Delete(t.Context(), "default", name, ""); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the load balancer is gone", func(context.Context) bool { return gone(cluster, name)(nil) == nil })
				},
				Config:           both + config(name, ofPool),
				ConfigPlanChecks: planned(plancheck.ResourceActionCreate),
			},
		},
	})
}

type sameValue struct{}

func (sameValue) CompareValues(values ...any) error {
	if fmt.Sprint(values[0]) != fmt.Sprint(values[1]) {
		return fmt.Errorf("%v and %v differ", values[0], values[1])
	}
	return nil
}

// L1: the server does not give back the address of a load balancer without ipam, as the official provider makes it. Its
// deletion here does.
func TestAccLoadBalancer_leak(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	only := pool("a", name, 1)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: only},
			{
				PreConfig: func() {
					cluster.Apply(t, api.LoadBalancers, "default", map[string]any{
						"apiVersion": "loadbalancer.harvesterhci.io/v1beta1", "kind": "LoadBalancer", "metadata": map[string]any{"name": name, "namespace": "default"},
						"spec": map[string]any{"ipPool": name, "listeners": []any{map[string]any{"name": "http", "port": 80, "protocol": "TCP", "backendPort": 8080}}},
					})
					acctest.Eventually(t, "it has an address", func(ctx context.Context) bool {
						balancer, err := balancers(cluster).Get(ctx, "default", name)
						return err == nil && balancer.Status.Address != ""
					})
				},
				Config: only + fmt.Sprintf("import {\n  to = harvester_loadbalancer.test\n  id = \"default/%s\"\n}\n", name) +
					config(name, strings.Replace(ofPool, `"tcp"`, `"TCP"`, 1)),
			},
			{Config: only}, // the pool goes at the end, which the server would refuse
			{
				Config: only + config(name+"-2", ofPool), // the one address is free
			},
		},
	})
}

// What the webhook or the service behind it would not take is refused in the plan (L6).
func TestAccLoadBalancer_refusedPlans(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	listener := func(name string, port int, protocol string, backend int) string {
		return fmt.Sprintf("listener {\n    name = %q\n    port = %d\n    protocol = %q\n    backend_port = %d\n  }\n", name, port, protocol, backend)
	}
	var steps []resource.TestStep
	for more, want := range map[string]string{
		``:                              `at least one listener`,
		listener("a", 0, "TCP", 80):     `between 1 and 65535`,
		listener("a", 80, "TCP", 65536): `between 1 and 65535`,
		listener("a", 80, "HTTP", 80):   `protocol`,
		listener("A b", 80, "TCP", 80):  `name of a port`,
		listener("a", 80, "TCP", 80) + listener("a", 81, "TCP", 81):                                                                                          `the name a`,
		listener("a", 80, "TCP", 80) + listener("b", 80, "tcp", 81):                                                                                          `the port TCP 80`,
		listener("a", 80, "TCP", 80) + listener("b", 81, "TCP", 80):                                                                                          `the backend port TCP 80`,
		listener("a", 80, "UDP", 80) + "healthcheck {\n port = 80 \n}":                                                                                       `No such backend port`,
		listener("a", 80, "TCP", 80) + "backend_selector {\n key = \"a b\"\n values = [\"c\"]\n}":                                                            `Invalid label`,
		listener("a", 80, "TCP", 80) + "backend_selector {\n key = \"a\"\n values = [\"c\"]\n}\n" + "backend_selector {\n key = \"a\"\n values = [\"d\"]\n}": `Label selected twice`,
	} {
		steps = append(steps, resource.TestStep{Config: config(name, more), PlanOnly: true, ExpectError: acctest.Said(want)})
	}
	steps = append(steps, resource.TestStep{Config: config("1.dotted", http), PlanOnly: true, ExpectError: acctest.Said(`the\s+service that the server\s+makes`)})
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name), Steps: steps})
}

// A service of the same name would be overwritten.
func TestAccLoadBalancer_serviceInTheWay(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Apply(t, schema.GroupVersionResource{Version: "v1", Resource: "services"}, "default", map[string]any{
		"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"ports": []any{map[string]any{"port": 1234}}, "selector": map[string]any{"app": "mine"}},
	})
	off := `provider "harvester" { plan_checks = "off" }` + "\n"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, "ipam = \"dhcp\"\n"+http), PlanOnly: true, ExpectError: acctest.Said(`Service in the way`)},
			{Config: off + config(name, "ipam = \"dhcp\"\n"+http), ExpectError: acctest.Said(`Service in the way.*Nothing was\s+created`)},
		},
	})
}

// A pool without a free address: refused in the plan, and by the server with its reason.
func TestAccLoadBalancer_exhausted(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	one := pool("a", name, 1) + strings.ReplaceAll(config(name+"-first", ofPool), `"test"`, `"first"`)
	other := pool("b", name+"-b", 1)
	off := `provider "harvester" { plan_checks = "off" }` + "\n"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: one},
			{Config: one + config(name, ofPool), PlanOnly: true, ExpectError: acctest.Said(`IP pool exhausted`)},
			{
				Config:      off + one + config(name, ofPool),
				ExpectError: acctest.Said(`No address for the load balancer.*no IP addresses available\s+in range set`),
			},
			{Config: other + one + config(name, strings.Replace(ofPool, "ippool.a", "ippool.b", 1))},
		},
	})
}

// Without a pool that lets it in, the server's reason is shown, and why each pool does not.
func TestAccLoadBalancer_noPool(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name),
		Steps: []resource.TestStep{{
			Config:      pool("a", name, 1) + config(name, "depends_on = [harvester_ippool.a]\n"+http),
			ExpectError: acctest.Said(`no matched IPPool.*Why no pool was chosen:.*` + name + `:\s+its\s+selector has\s+no scope`),
		}},
	})
}

// kube-vip that gives no address, or a DHCP server that does not answer: the reason is the server's.
func TestAccLoadBalancer_noAddress(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.SetFault(t, name, acctest.Fault{Idle: true})
	one := pool("a", name, 1)
	short := "\ntimeouts {\n create = \"5s\"\n}\n"
	waiting := acctest.Said(`Timed out.*service is waiting for external IP`)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, "ipam = \"dhcp\"\n"+http+short), ExpectError: waiting},
			{Config: one + config(name, ofPool+short), ExpectError: waiting},
			{PreConfig: func() { cluster.ClearFault(t, name) }, Config: one + config(name, ofPool)},
		},
	})
}

// Backends: waited for if asked to; state and message say what is wrong with them.
func TestAccLoadBalancer_backends(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Apply(t, api.VirtualMachines, "default", map[string]any{
		"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"runStrategy": "Always", "template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": name}}, "spec": map[string]any{
			"domain": map[string]any{
				"cpu":       map[string]any{"cores": 1, "sockets": 1, "threads": 1, "maxSockets": 1},
				"devices":   map[string]any{"interfaces": []any{map[string]any{"name": "default", "masquerade": map[string]any{}}}},
				"resources": map[string]any{"limits": map[string]any{"cpu": "1", "memory": "1Gi"}},
			},
			"networks": []any{map[string]any{"name": "default", "pod": map[string]any{}}},
		}}},
	})
	two := pool("a", name, 2)
	selecting := ofPool + fmt.Sprintf("\nwait_for_backends = true\nbackend_selector {\n key = \"app\"\n values = [%q]\n}\nhealthcheck {\n port = 8080\n}\n", name)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name),
		Steps: []resource.TestStep{
			{
				PreConfig:   func() { cluster.SetFault(t, name, acctest.Fault{Unhealthy: true}) },
				Config:      two + config(name, selecting+"timeouts {\n create = \"15s\"\n}\n"),
				ExpectError: acctest.Said(`not probed as\s+healthy`),
			},
			{
				PreConfig: func() { cluster.ClearFault(t, name) },
				Config:    two + config(name, selecting),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("state", text("Ready")), expect("backend_servers", knownvalue.ListSizeExact(1)),
				},
			},
		},
	})
}
