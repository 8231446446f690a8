// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// States as the official provider writes them, on objects as it makes them, are taken over with an empty plan: SDKv2's
// zero values, the controllers' labels among the user's (C3), the server's -1 for bond_miimon (U1), nodes in the server's
// order (U6), a discovered route (N2), and networks of which it has read neither VLAN (N3) nor mode (N6).
func TestAccOfficialStates_networks(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.ShortName(t)
	cluster.Apply(t, api.ClusterNetworks, "", map[string]any{
		"apiVersion": "network.harvesterhci.io/v1beta1", "kind": "ClusterNetwork", "metadata": map[string]any{"name": name},
	})
	cluster.Apply(t, api.VlanConfigs, "", map[string]any{
		"apiVersion": "network.harvesterhci.io/v1beta1", "kind": "VlanConfig", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"clusterNetwork": name, "uplink": map[string]any{
			"nics": []any{"ens1f14"}, "bondOptions": map[string]any{"mode": "active-backup"}, "linkAttributes": map[string]any{},
		}},
	})
	network := func(suffix string, vlan int) (config string) {
		config = fmt.Sprintf(`{"cniVersion":"0.3.1","name":"%s-%s","type":"bridge","bridge":"mgmt-br","promiscMode":true,"vlan":%d,"ipam":{}}`, name, suffix, vlan)
		cluster.Apply(t, api.Networks, "default", map[string]any{
			"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition",
			"metadata": map[string]any{
				"name": name + "-" + suffix, "labels": map[string]any{api.LabelClusterNetwork: "mgmt"},
				"annotations": map[string]any{api.AnnotationRoute: `{"mode":"auto"}`},
			},
			"spec": map[string]any{"config": config},
		})
		return config
	}
	tagged, untagged := network("tagged", 7), network("untagged", 0)
	common := func(id, name string, more map[string]any) map[string]any {
		attributes := map[string]any{
			"id": id, "name": name, "description": "", "labels": map[string]any{}, "tags": map[string]any{}, "state": "", "message": "", "timeouts": nil,
		}
		maps.Copy(attributes, more)
		return attributes
	}
	route := func(vlan int, config, mode, cidr, gateway, connectivity string) map[string]any {
		return map[string]any{
			"namespace": "default", "vlan_id": vlan, "cluster_network_name": "mgmt", "config": config, "route_mode": mode, "route_dhcp_server_ip": "",
			"route_cidr": cidr, "route_gateway": gateway, "route_connectivity": connectivity,
			"labels": map[string]any{api.LabelClusterNetwork: "mgmt", api.LabelNetworkReady: "true", api.LabelNetworkType: "L2VlanNetwork"},
		}
	}
	cluster.TakeOver(t, fmt.Sprintf(`
resource "harvester_clusternetwork" "a" {
  name = %[1]q
}

resource "harvester_vlanconfig" "a" {
  name                 = %[1]q
  cluster_network_name = harvester_clusternetwork.a.name
  uplink {
    nics = ["ens1f14"]
  }
}

resource "harvester_network" "tagged" {
  name                 = "%[1]s-tagged"
  cluster_network_name = "mgmt"
  vlan_id              = 7
}

resource "harvester_network" "untagged" {
  name                 = "%[1]s-untagged"
  namespace            = "default"
  cluster_network_name = "mgmt"
  vlan_id              = 0
  route_mode           = "auto"
}
`, name),
		acctest.Official{Type: "harvester_clusternetwork", Name: "a", Attributes: common(name, name, map[string]any{"state": "Ready"})},
		acctest.Official{Type: "harvester_vlanconfig", Name: "a", Attributes: common(name, name, map[string]any{
			"cluster_network_name": name, "node_selector": map[string]any{}, "matched_nodes": []any{"harvester-node-1", "harvester-node-0"},
			"uplink": []any{map[string]any{"nics": []any{"ens1f14"}, "bond_mode": "active-backup", "bond_miimon": -1, "mtu": 0}},
			"labels": map[string]any{api.LabelClusterNetwork: name},
		})},
		acctest.Official{Type: "harvester_network", Name: "tagged", Attributes: common("default/"+name+"-tagged", name+"-tagged",
			route(0, tagged, "auto", "198.51.100.0/24", "198.51.100.1", "true"))},
		acctest.Official{Type: "harvester_network", Name: "untagged", Attributes: common("default/"+name+"-untagged", name+"-untagged",
			route(0, untagged, "", "", "", ""))},
	)
}
