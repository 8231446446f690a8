// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// officialStates are states as the official provider 1.8 writes them, with its zero values for what is not set: the
// configuration that they belong to, and the object as the cluster has it.
var officialStates = map[string]struct{ kind, config, state, path, object string }{
	"an IP pool": {
		kind: "harvester_ippool",
		config: `{"name":"a","description":"web","range":[{"start":"192.0.2.10","end":"192.0.2.20","subnet":"192.0.2.0/24","gateway":"192.0.2.1"}],
			"selector":[{"priority":null,"network":null,"scope":[{"project":null,"namespace":"default","guest_cluster":null}]}]}`,
		// Its refresh reads the name alone (P1); the rest is what was configured.
		state: `{"id":"a","name":"a","description":"web","labels":{},"tags":{},"message":"","state":"","timeouts":null,
			"range":[{"start":"192.0.2.10","end":"192.0.2.20","subnet":"192.0.2.0/24","gateway":"192.0.2.1"}],
			"selector":[{"priority":0,"network":"","scope":[{"project":"","namespace":"default","guest_cluster":""}]}]}`,
		path: "/apis/loadbalancer.harvesterhci.io/v1beta1/ippools/a",
		object: `"apiVersion":"loadbalancer.harvesterhci.io/v1beta1","kind":"IPPool","spec":{"description":"web",
			"ranges":[{"rangeStart":"192.0.2.10","rangeEnd":"192.0.2.20","subnet":"192.0.2.0/24","gateway":"192.0.2.1"}],
			"selector":{"scope":[{"namespace":"default"}]}},"status":{"total":11,"available":11,"lastAllocated":"","conditions":[{"type":"Ready","status":"True"}]}`,
	},
	"an IP pool without selector": {
		kind:   "harvester_ippool",
		config: `{"name":"a","range":[{"start":"2001:db8::10","end":"2001:db8::20","subnet":"2001:db8::/64","gateway":"2001:db8:0::1"}],"selector":[]}`,
		state: `{"id":"a","name":"a","description":"","labels":{},"tags":{},"message":"","state":"","timeouts":null,"selector":[],
			"range":[{"start":"2001:db8::10","end":"2001:db8::20","subnet":"2001:db8::/64","gateway":"2001:db8:0::1"}]}`,
		path: "/apis/loadbalancer.harvesterhci.io/v1beta1/ippools/a",
		object: `"apiVersion":"loadbalancer.harvesterhci.io/v1beta1","kind":"IPPool","spec":{"selector":{},
			"ranges":[{"rangeStart":"2001:db8::10","rangeEnd":"2001:db8::20","subnet":"2001:db8::/64","gateway":"2001:db8::1"}]}`,
	},
	"a load balancer": {
		kind: "harvester_loadbalancer",
		config: `{"name":"a","description":"web","ipam":"pool","ippool":"lab","workload_type":"vm",
			"listener":[{"name":"http","port":80,"protocol":"tcp","backend_port":8080}],
			"backend_selector":[{"key":"tag.harvesterhci.io/role","values":["web","api"]},{"key":"app","values":["x"]}],
			"healthcheck":[{"port":8080,"success_threshold":1,"failure_threshold":null,"period_seconds":null,"timeout_seconds":null}]}`,
		// Its refresh reads the address alone (L2).
		state: `{"id":"default/a","name":"a","namespace":"default","description":"web","labels":{},"tags":{},"message":"","state":"","timeouts":null,
			"ipam":"pool","ippool":"lab","workload_type":"vm","ip_address":"192.0.2.10",
			"listener":[{"name":"http","port":80,"protocol":"tcp","backend_port":8080}],
			"backend_selector":[{"key":"app","values":["x"]},{"key":"tag.harvesterhci.io/role","values":["web","api"]}],
			"healthcheck":[{"port":8080,"success_threshold":1,"failure_threshold":0,"period_seconds":0,"timeout_seconds":0}]}`,
		path: "/apis/loadbalancer.harvesterhci.io/v1beta1/namespaces/default/loadbalancers/a",
		object: `"apiVersion":"loadbalancer.harvesterhci.io/v1beta1","kind":"LoadBalancer","spec":{"description":"web","ipam":"pool","ipPool":"lab","workloadType":"vm",
			"listeners":[{"name":"http","port":80,"protocol":"TCP","backendPort":8080}],"backendServerSelector":{"app":["x"],"tag.harvesterhci.io/role":["web","api"]},
			"healthCheck":{"port":8080,"successThreshold":1,"failureThreshold":2,"periodSeconds":1,"timeoutSeconds":1}},
			"status":{"address":"192.0.2.10","allocatedAddress":{"ipPool":"lab","ip":"192.0.2.10"}}`,
	},
	// Its states have description, tags and labels, which it ignores (D7).
	"a PCI device": {
		kind:   "harvester_pcidevice",
		config: `{"name":"a"}`,
		state: `{"id":"a","name":"a","description":"","labels":{},"tags":{},"message":"","state":"","timeouts":null,"passthrough_enabled":false,
			"address":"0000:01:00.0","node_name":"node1","vendor_id":"10de","device_id":"2204","class_id":"0300","device_description":"GPU","iommu_group":"1",
			"kernel_driver_in_use":"nouveau","resource_name":"nvidia.com/GPU"}`,
		path: "/apis/devices.harvesterhci.io/v1beta1/pcidevices/a",
		object: `"apiVersion":"devices.harvesterhci.io/v1beta1","kind":"PCIDevice","status":{"address":"0000:01:00.0","nodeName":"node1","vendorId":"10de","deviceId":"2204",
			"classId":"0300","description":"GPU","iommuGroup":"1","kernelDriverInUse":"nouveau","resourceName":"nvidia.com/GPU"}`,
	},
	"an SR-IOV network device": {
		kind:   "harvester_sriov_network_device",
		config: `{"name":"a","virtual_functions":2}`,
		state: `{"id":"a","name":"a","description":"","labels":{},"tags":{},"message":"","state":"","timeouts":null,"virtual_functions":2,"enabled":true,
			"vf_addresses":["0000:03:02.1","0000:03:02.0"],"vf_device_names":["node1-000003021","node1-000003020"]}`,
		path: "/apis/devices.harvesterhci.io/v1beta1/sriovnetworkdevices/a",
		object: `"apiVersion":"devices.harvesterhci.io/v1beta1","kind":"SRIOVNetworkDevice","spec":{"address":"0000:03:00.0","nodeName":"node1","numVFs":2},
			"status":{"status":"sriovNetworkDeviceEnabled","vfAddresses":["0000:03:02.0","0000:03:02.1"],"vfPCIDevices":["node1-000003020","node1-000003021"]}`,
	},
	// L1: the official provider leaves ipam open.
	"a load balancer that leaves everything open": {
		kind:   "harvester_loadbalancer",
		config: `{"name":"a","listener":[{"name":"http","port":80,"protocol":"TCP","backend_port":80}],"backend_selector":[],"healthcheck":[]}`,
		state: `{"id":"default/a","name":"a","namespace":"default","description":"","labels":{},"tags":{},"message":"","state":"","timeouts":null,
			"ipam":"","ippool":"","workload_type":"","ip_address":"192.0.2.10","backend_selector":[],"healthcheck":[],
			"listener":[{"name":"http","port":80,"protocol":"TCP","backend_port":80}]}`,
		path: "/apis/loadbalancer.harvesterhci.io/v1beta1/namespaces/default/loadbalancers/a",
		object: `"apiVersion":"loadbalancer.harvesterhci.io/v1beta1","kind":"LoadBalancer","spec":{"healthCheck":{},
			"listeners":[{"name":"http","port":80,"protocol":"TCP","backendPort":80}]},"status":{"address":"192.0.2.10"}`,
	},
}

// What the official provider made is taken over with an empty plan: after an upgrade of its state and a look at the cluster,
// the state is what the configuration says.
func TestOfficialStates(t *testing.T) {
	t.Parallel()
	for name, test := range officialStates {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourse(t, test.kind, test.path, test.object)
			c.upgrade(test.state)
			if c.read(); c.failed != "" || c.state.IsNull() {
				t.Fatalf("the look at the cluster ends with %v, %s", c.state, c.failed)
			}
			config, planned := c.planStated(test.config)
			if c.failed != "" {
				t.Fatal(c.failed)
			}
			for _, difference := range differing(t, c.schema, config, c.state) {
				t.Errorf("%s is not as configured", difference)
			}
			if !planned.Equal(c.state) {
				differences, _ := planned.Diff(c.state)
				t.Errorf("the plan is not empty: %v", differences)
			}
		})
	}
}

func (c *course) upgrade(state string) {
	c.Helper()
	answer, err := c.server.UpgradeResourceState(c.Context(), &tfprotov6.UpgradeResourceStateRequest{
		TypeName: c.name, Version: 0, RawState: &tfprotov6.RawState{JSON: []byte(state)},
	})
	if err != nil || len(answer.Diagnostics) > 0 {
		c.Fatal(err, answer.Diagnostics)
	}
	c.take(answer.UpgradedState, nil, nil)
}

// planStated plans a configuration that sets only what it names.
func (c *course) planStated(text string) (config, planned tftypes.Value) {
	c.Helper()
	config = c.parse(text)
	answer, err := c.server.PlanResourceChange(c.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: c.name, PriorState: c.dynamic(c.state), ProposedNewState: c.dynamic(c.state), Config: c.dynamic(config), PriorPrivate: c.private,
	})
	if err != nil {
		c.Fatal(err)
	}
	state := c.state
	c.take(answer.PlannedState, c.private, answer.Diagnostics)
	planned, c.state = c.state, state
	return config, planned
}

// parse reads a configuration; what it does not name is null.
func (c *course) parse(text string) tftypes.Value {
	c.Helper()
	var given map[string]any
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		c.Fatal(err)
	}
	object, _ := c.kind.(tftypes.Object)
	for name := range object.AttributeTypes {
		if _, found := given[name]; !found {
			given[name] = nil
		}
	}
	full, _ := json.Marshal(given) // it was JSON
	value, err := (&tfprotov6.RawState{JSON: full}).Unmarshal(c.kind)
	if err != nil {
		c.Fatal(err)
	}
	return value
}

// differing are the arguments that a state has otherwise than the configuration. What is left out may be computed.
func differing(t *testing.T, schema *tfprotov6.Schema, config, state tftypes.Value) (names []string) {
	t.Helper()
	var given, have map[string]tftypes.Value
	if err := config.As(&given); err != nil {
		t.Fatal(err)
	}
	if err := state.As(&have); err != nil {
		t.Fatal(err)
	}
	for _, attribute := range schema.Block.Attributes {
		left := given[attribute.Name].IsNull()
		if left && !attribute.Computed && !have[attribute.Name].IsNull() || !left && !given[attribute.Name].Equal(have[attribute.Name]) {
			names = append(names, attribute.Name)
		}
	}
	for _, block := range schema.Block.BlockTypes {
		if !agree(given[block.TypeName], have[block.TypeName]) {
			names = append(names, block.TypeName)
		}
	}
	return names
}

// agree says that blocks are alike but for what the configuration leaves out.
func agree(config, state tftypes.Value) bool {
	if config.IsNull() || config.Equal(state) {
		return true
	}
	var given, have []tftypes.Value
	if config.As(&given) == nil && state.As(&have) == nil {
		return len(given) == len(have) && !slices.ContainsFunc(given, func(one tftypes.Value) bool {
			return !slices.ContainsFunc(have, func(other tftypes.Value) bool { return agree(one, other) })
		})
	}
	var fields, values map[string]tftypes.Value
	if config.As(&fields) != nil || state.As(&values) != nil {
		return false
	}
	for name, field := range fields {
		if !agree(field, values[name]) {
			return false
		}
	}
	return true
}
