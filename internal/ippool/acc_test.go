// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package ippool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
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

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

const address = "harvester_ippool.test"

// config is a pool with these arguments. NET stands for the first three numbers of a network of its own.
func config(name, more string) string {
	return fmt.Sprintf("resource \"harvester_ippool\" \"test\" {\n  name = %q\n  %s\n}\n", name, more)
}

// network returns the first three numbers of a network that no other test has.
func network() string {
	return fmt.Sprintf("10.%d.%d", rand.IntN(256), rand.IntN(256))
}

func in(network, text string) string { return strings.ReplaceAll(text, "NET", network) }

const small = `range {
    subnet = "NET.0/24"
    start  = "NET.10"
    end    = "NET.12"
  }`

func pools(cluster *acctest.Cluster) kube.Resource[api.IPPool] {
	return kube.For[api.IPPool](cluster.Client, api.IPPools, "IPPool")
}

func expect(attribute string, value knownvalue.Check) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(address, tfjsonpath.New(attribute), value)
}

func planned(action plancheck.ResourceActionType) resource.ConfigPlanChecks {
	return resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectResourceAction(address, action)}}
}

func gone(cluster *acctest.Cluster, name string) func(*terraform.State) error {
	return func(*terraform.State) error {
		if _, err := pools(cluster).Get(context.Background(), "", name); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the pool %s is still there (or: %w)", name, err)
		}
		return nil
	}
}

// Everything is sent, read (P1), changed, unset (P5, C1) and imported; the labels of others stay (C2, C3).
func TestAccIPPool_lifecycle(t *testing.T) {
	t.Parallel()
	cluster, name, net, other := acctest.Shared(t), acctest.Name(t), network(), network()
	priority := 1000 + rand.IntN(1<<30)
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{
				Config: config(name, in(net, fmt.Sprintf(`
  description = "lab"
  labels      = { team = "blue" }
  tags        = { tier = "1" }
  range {
    subnet  = "NET.0/24"
    start   = "NET.10"
    end     = "NET.19"
    gateway = "NET.1"
  }
  range {
    subnet = "%s.0/29"
  }
  selector {
    priority = %d
    scope {
      namespace = %q
    }
  }`, other, priority, name))),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("id", knownvalue.StringExact(name)), expect("total", knownvalue.Int64Exact(15)), expect("available", knownvalue.Int64Exact(15)),
					expect("state", knownvalue.StringExact("Ready")), expect("message", knownvalue.StringExact("")), expect("global", knownvalue.Bool(false)),
					expect("allocated", knownvalue.MapSizeExact(0)),
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{
				Config: config(name, in(net, fmt.Sprintf(`
  description = "test"
  labels      = { team = "red" }
  range {
    subnet  = "NET.0/25"
    start   = "NET.20"
    end     = "NET.24"
    gateway = "NET.2"
  }
  selector {
    priority = %d
    scope {
      project       = "c-1/p-1"
      namespace     = %q
      guest_cluster = "*"
    }
    scope {
      namespace = "%s-2"
    }
  }`, priority+1, name, name))),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{
					expect("description", knownvalue.StringExact("test")), expect("total", knownvalue.Int64Exact(5)), expect("tags", knownvalue.Null()),
				},
			},
			{
				Config:            config(name, in(net, small)),
				ConfigPlanChecks:  planned(plancheck.ResourceActionUpdate),
				ConfigStateChecks: []statecheck.StateCheck{expect("description", knownvalue.Null()), expect("total", knownvalue.Int64Exact(3)), expect("selector", knownvalue.ListSizeExact(0))},
				Check: func(*terraform.State) error {
					pool, err := pools(cluster).Get(t.Context(), "", name)
					if err != nil {
						return err
					}
					if pool.Spec.Description != "" || len(pool.Spec.Selector.Scope) > 0 || pool.Labels[api.LabelGlobalPool] != "false" || pool.Labels["team"] != "" {
						return fmt.Errorf("the pool is %+v, with the labels %v", pool.Spec, pool.Labels)
					}
					return nil
				},
			},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
			{
				Config: config(name, in(net, small)) + `data "harvester_ippool" "test" { name = harvester_ippool.test.name }`,
				ConfigStateChecks: []statecheck.StateCheck{
					statecheck.CompareValuePairs(address, tfjsonpath.New("range"), "data.harvester_ippool.test", tfjsonpath.New("range"), sameValue{}),
				},
			},
			{ // drift
				PreConfig: func() {
					patch := map[string]any{"spec": map[string]any{"description": "by hand"}}
					if _, err := pools(cluster).Patch(t.Context(), "", name, patch); err != nil {
						t.Fatal(err)
					}
				},
				Config:           config(name, in(net, small)),
				ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
			},
			{ // P2, C4: what is gone is made anew
				PreConfig: func() {
					if err := pools(cluster).Delete(t.Context(), "", name, ""); err != nil {
						t.Fatal(err)
					}
					acctest.Eventually(t, "the pool is gone", func(context.Context) bool { return gone(cluster, name)(nil) == nil })
				},
				Config:           config(name, in(net, small)),
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

// P4: what can be known before is refused before anything is done.
func TestAccIPPool_refusedPlans(t *testing.T) {
	t.Parallel()
	cluster, name, net := acctest.Shared(t), acctest.Name(t), network()
	cluster.Apply(t, api.IPPools, "", map[string]any{
		"apiVersion": "loadbalancer.harvesterhci.io/v1beta1", "kind": "IPPool", "metadata": map[string]any{"name": name + "-other"},
		"spec": map[string]any{"ranges": []any{map[string]any{"subnet": net + ".0/24"}}},
	})
	var steps []resource.TestStep
	for more, want := range map[string]string{
		`range { subnet = "NET.0" }`: `no subnet`,
		`range {
			subnet = "NET.0/24"
			start  = "192.0.2.1"
		}`: `outside of the subnet`,
		`range {
			subnet = "NET.0/24"
			end    = "NET.255"
		}`: `broadcast address`,
		`range { subnet = "NET.0/25" }
		range { subnet = "NET.0/26" }`: `Overlapping IP ranges`,
		`range { subnet = "NET.0/28" }`: `(?s)overlaps with the\s+range .* of the IP pool`,
		``:                              `range`,
		`range { subnet = "NET.0/24" }
		selector { priority = -1 }`: `priority`,
		`range { subnet = "NET.0/24" }
		selector { network = "vlan" }`: `Invalid network`,
	} {
		steps = append(steps, resource.TestStep{Config: config(name, in(net, more)), PlanOnly: true, ExpectError: acctest.Said(want)})
	}
	resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name), Steps: steps})
}

// The refusal of the server is final, though its status is 500, and shown with the server's reason alone.
func TestAccIPPool_refusedByServer(t *testing.T) {
	t.Parallel()
	cluster, name, net := acctest.Shared(t), acctest.Name(t), network()
	cluster.Apply(t, api.IPPools, "", map[string]any{
		"apiVersion": "loadbalancer.harvesterhci.io/v1beta1", "kind": "IPPool", "metadata": map[string]any{"name": name + "-other"},
		"spec": map[string]any{"ranges": []any{map[string]any{"subnet": net + ".0/24"}}},
	})
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name),
		Steps: []resource.TestStep{{
			Config:      `provider "harvester" { plan_checks = "off" }` + "\n" + config(name, in(net, small)),
			ExpectError: acctest.Said(`Rejected by the cluster.*can't\s+create\s+IP\s+pool.*because\s+the\s+ranges.*overlap\s+with\s+other\s+pools`),
		}, {
			Config: `provider "harvester" { plan_checks = "off" }` + "\n" + config(name, in(network(), small)+`
  selector { network = "default/none" }`),
			ExpectError: acctest.Said(`There is no network "default/none"`),
		}},
	})
}

// A webhook that cannot be reached is asked again.
func TestAccIPPool_webhookDown(t *testing.T) {
	t.Parallel()
	cluster, name, net := acctest.Shared(t), acctest.Name(t), network()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name),
		Steps: []resource.TestStep{{
			PreConfig: func() {
				cluster.SetFaultOf(t, "webhooks", name, acctest.Fault{WebhookDown: true})
				time.AfterFunc(8*time.Second, func() { cluster.ClearFaultOf(t, "webhooks", name) })
			},
			Config: config(name, in(net, small)),
		}},
	})
}

// A pool gives way to one of another name with the same addresses in one apply.
func TestAccIPPool_renamed(t *testing.T) {
	t.Parallel()
	cluster, name, net := acctest.Shared(t), acctest.Name(t), network()
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name+"-b"),
		Steps: []resource.TestStep{
			{Config: config(name+"-a", in(net, small))},
			{Config: config(name+"-b", in(net, small)), ConfigPlanChecks: planned(plancheck.ResourceActionReplace)},
			{Config: strings.ReplaceAll(config(name+"-a", in(net, small)), `"test"`, `"moved"`)},
		},
	})
}

// holder makes a load balancer that has an address of the pool.
func holder(t *testing.T, cluster *acctest.Cluster, name, ipam string) {
	t.Helper()
	spec := map[string]any{"ipPool": name, "workloadType": "vm", "listeners": []any{map[string]any{"name": "a", "port": 80, "protocol": "TCP", "backendPort": 80}}}
	if ipam != "" {
		spec["ipam"] = ipam
	}
	cluster.Apply(t, api.LoadBalancers, "default", map[string]any{
		"apiVersion": "loadbalancer.harvesterhci.io/v1beta1", "kind": "LoadBalancer", "metadata": map[string]any{"name": name, "namespace": "default"}, "spec": spec,
	})
	acctest.Eventually(t, "the load balancer has an address", func(ctx context.Context) bool {
		pool, err := pools(cluster).Get(ctx, "", name)
		return err == nil && len(pool.Status.Allocated) == 1
	})
}

func remove(t *testing.T, cluster *acctest.Cluster, name string) {
	t.Helper()
	balancers := kube.For[api.LoadBalancer](cluster.Client, api.LoadBalancers, "LoadBalancer")
	if err := balancers.Delete(t.Context(), "default", name, ""); err != nil {
		t.Fatal(err)
	}
	acctest.Eventually(t, "the load balancer is gone", func(ctx context.Context) bool {
		_, err := balancers.Get(ctx, "default", name)
		return apierrors.IsNotFound(err)
	})
}

// P3: whose addresses stand in the way of a deletion, and how one that leaked (L1) is released.
func TestAccIPPool_inUse(t *testing.T) {
	t.Parallel()
	cluster, name, net := acctest.Shared(t), acctest.Name(t), network()
	off := `provider "harvester" { plan_checks = "off" }` + "\n"
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories, CheckDestroy: gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: config(name, in(net, small))},
			{
				PreConfig:   func() { holder(t, cluster, name, "") },
				Config:      config(name, in(net, `range { subnet = "NET.128/25" }`)),
				ExpectError: acctest.Said(`Addresses in use.*load balancer\s+"default/` + name),
			},
			{Config: config(name, in(net, small)), Destroy: true, ExpectError: acctest.Said(`IP pool in use.*load\s+balancer\s+"default/` + name)},
			{
				PreConfig: func() { remove(t, cluster, name) },
				Config:    off + config(name, in(net, small)), Destroy: true,
				ExpectError: acctest.Said(`is\s+gone,\s+but\s+the\s+server\s+did\s+not\s+release\s+its\s+address.*` + api.AnnotationReleaseIP),
			},
			{
				PreConfig: func() {
					pool, err := pools(cluster).Get(t.Context(), "", name)
					if err != nil {
						t.Fatal(err)
					}
					for address, holder := range pool.Status.Allocated {
						patch := map[string]any{"metadata": map[string]any{"annotations": map[string]any{api.AnnotationReleaseIP: address + ": " + holder}}}
						if _, err := pools(cluster).Patch(t.Context(), "", name, patch); err != nil {
							t.Fatal(err)
						}
					}
				},
				Config: config(name, in(net, small)),
			},
		},
	})
}
