// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// least are the arguments of an object of each kind that has the name a.
var least = map[string]map[string]any{
	"harvester_ssh_key":          {"name": "a", "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIt8d1W8vkXo7JYH0VfUEVQ3Tz6kkS8iV1N1Yqv4Yx0r"},
	"harvester_cloudinit_secret": {"name": "a", "user_data": "#cloud-config\n"},
	"harvester_storageclass":     {"name": "a", "parameters": map[string]any{"migratable": "true", "numberOfReplicas": "1", "staleReplicaTimeout": "30"}},
	"harvester_volume":           {"name": "a", "size": "1Gi", "image": "default/b"},
	"harvester_clusternetwork":   {"name": "a"},
	"harvester_vlanconfig":       {"name": "a", "cluster_network_name": "c", "uplink": []any{map[string]any{"nics": []any{"eno1"}}}},
	"harvester_network":          {"name": "a", "cluster_network_name": "c", "vlan_id": 7},
	"harvester_ippool":           {"name": "a", "range": []any{map[string]any{"subnet": "192.0.2.0/24"}}},
	"harvester_loadbalancer": {
		"name": "a", "listener": []any{map[string]any{"name": "a", "port": 80, "protocol": "TCP", "backend_port": 80}},
		"backend_selector": []any{map[string]any{"key": "app", "values": []any{"web"}}},
	},
	"harvester_schedule_backup": {"name": "a", "vm_name": "web", "schedule": "0 3 * * *", "type": "snapshot"},
	"harvester_virtualmachine":  uses["virtual machine"].arguments,
	"harvester_image":           {"name": "a", "display_name": "a", "source_type": "download", "url": "https://images.example/a.img"},
	"harvester_encrypted_image": uses["encrypted image"].arguments,
	"harvester_decrypted_image": uses["decrypted image"].arguments,
}

// elsewhere are resources that make no object of their own.
var elsewhere = map[string]string{
	"harvester_image_download":       "a file of this machine",
	"harvester_setting":              "the value of an object that is always there, and never deleted",
	"harvester_pcidevice":            "a device that is there; see TestDevices for its claim",
	"harvester_sriov_network_device": "a number of a device that is there; see TestDevices",
	"harvester_bootstrap":            "a password, and a file of this machine",
}

// TestEveryKindIsCovered: a new kind needs a line in kinds and in least.
func TestEveryKindIsCovered(t *testing.T) {
	t.Parallel()
	for _, factory := range New("test")().Resources(t.Context()) {
		var name resource.MetadataResponse
		factory().Metadata(t.Context(), resource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
		if _, found := kinds[name.TypeName]; (!found || least[name.TypeName] == nil) && elsewhere[name.TypeName] == "" {
			t.Errorf("%s needs a line in kinds and in least: whose an object is has to be tested for it", name.TypeName)
		}
	}
}

// What others put in the place of an object is not changed: the change is refused.
func TestForeignIsNotChanged(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newWorld(map[string]string{kind.path: kind.object + usable(name)})
			c := courseIn(t, name, cluster, nil)
			c.importID(kind.id)
			if c.failed != "" {
				t.Fatalf("the import ends with %s", c.failed)
			}
			change(c)
			if c.failed != "" || !in(t, cluster.written(), "text of ours") {
				t.Errorf("our own is not changed: %q: %s, after %q", c.failed, c.details, cluster.written())
			}

			cluster = newWorld(map[string]string{kind.path: `"metadata":{"uid":"B"},` + kind.object + usable(name)})
			other := courseIn(t, name, cluster, nil)
			other.importID(kind.id) // fills the state from that one
			other.private = c.private
			change(other)
			if other.failed != "Made anew by others" {
				t.Errorf("the change ends with %q: %s", other.failed, other.details)
			}
			if left, _ := json.Marshal(cluster.objects[kind.path]); strings.Contains(string(left), "text of ours") {
				t.Errorf("it was changed: %s", left)
			}
		})
	}
}

// usable is the status of an object of that kind that nobody has to wait for.
func usable(kind string) string {
	switch {
	case strings.HasSuffix(kind, "image"):
		return `,"status":{` + statusOf("True") + `}`
	case kind == "harvester_ssh_key":
		return `,"status":{"fingerPrint":"x","conditions":[{"type":"validated","status":"True"}]}`
	case kind == "harvester_ippool":
		return `,"status":{"total":253,"available":253,"conditions":[{"type":"Ready","status":"True"}]}`
	case kind == "harvester_loadbalancer":
		return `,"status":{"address":"192.0.2.9","allocatedAddress":{"ipPool":"a","ip":"192.0.2.9"},"conditions":[{"type":"Ready","status":"True"}]}`
	}
	return ""
}

// change applies another description.
func change(c *course) {
	c.Helper()
	var values map[string]tftypes.Value
	if err := c.state.As(&values); err != nil {
		c.Fatal(err)
	}
	values = maps.Clone(values)
	for _, attribute := range c.schema.Block.Attributes {
		if !attribute.Optional && !attribute.Required {
			values[attribute.Name] = tftypes.NewValue(attribute.Type, nil)
		}
	}
	values["description"] = tftypes.NewValue(tftypes.String, "text of ours")
	config := tftypes.NewValue(c.kind, values)
	planned, replaced := c.planFor(config)
	if c.failed != "" || len(replaced) > 0 {
		c.Fatalf("the plan ends with %q, %s: %s", c.failed, replaced, c.details)
	}
	c.applyPlan(config, planned)
}

// What has the wanted name and is finished belongs to somebody: it is neither taken over nor changed.
func TestForeignIsNotAdopted(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := imageWorld("True", name == "harvester_decrypted_image")
			cluster.put("/apis/network.harvesterhci.io/v1beta1/clusternetworks/c", `"apiVersion":"network.harvesterhci.io/v1beta1","kind":"ClusterNetwork"`)
			c := courseIn(t, name, cluster, nil)
			c.begin()
			config := c.configured(least[name])
			planned, _ := c.planFor(config)
			if c.failed != "" {
				t.Fatalf("the plan ends with %q: %s", c.failed, c.details)
			}
			cluster.put(kind.path, `"metadata":{"uid":"B"},`+kind.object)
			before, _ := json.Marshal(cluster.objects[kind.path])
			c.applyPlan(config, planned)
			if !strings.HasSuffix(c.failed, "already exists") || !strings.Contains(c.details, "terraform import "+name) || !c.state.IsNull() {
				t.Errorf("the creation ends with %q: %s", c.failed, c.details)
			}
			if after, _ := json.Marshal(cluster.objects[kind.path]); string(after) != string(before) {
				t.Errorf("it is %s now, and was %s", after, before)
			}
			if in(t, cluster.written(), "PATCH") || in(t, cluster.written(), "DELETE") {
				t.Errorf("it wrote %q", cluster.written())
			}
		})
	}
}

// A deletion asks for the object that the state knows: one that takes its place at the last moment stays.
func TestDeletionIsOfThatObject(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newWorld(map[string]string{kind.path: kind.object})
			c := courseIn(t, name, cluster, nil)
			c.importID(kind.id)
			cluster.put(kind.path, `"metadata":{"uid":"B"},`+kind.object)
			cluster.seenOnce(kind.path, kind.object)
			if c.destroy(); c.failed == "" {
				t.Error("it ends without an error, and what it deleted is not known")
			}
			if cluster.objects[kind.path] == nil {
				t.Errorf("the other %s is gone, after %q", path.Base(kind.path), cluster.written())
			}
		})
	}
}

// sensitive are all attributes that Terraform must not show.
var sensitive = map[string][]string{
	"harvester_setting":          {"effective_value", "value", "value_wo"},
	"harvester_bootstrap":        {"initial_password", "kubeconfig_content", "password", "password_wo"},
	"harvester_cloudinit_secret": {"network_data", "network_data_base64", "network_data_wo", "user_data", "user_data_base64", "user_data_wo"},
}

// TestSensitive wants exactly these attributes to be sensitive, in the resource and in the data source: a secret that
// shows is a leak, and what is hidden without need cannot be reviewed.
func TestSensitive(t *testing.T) {
	t.Parallel()
	c := courseIn(t, "harvester_image", newWorld(nil), nil)
	schemas, err := c.server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, all := range []map[string]*tfprotov6.Schema{schemas.ResourceSchemas, schemas.DataSourceSchemas} {
		for name, s := range all {
			var got []string
			hidden(s.Block, &got)
			want := sensitive[name]
			if all[name] == schemas.DataSourceSchemas[name] { // what is only written is not read
				want = slices.DeleteFunc(slices.Clone(want), func(name string) bool { return strings.HasSuffix(name, "_wo") })
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%s: sensitive are %q, want %q", name, got, want)
			}
		}
	}
}

// hidden finds the sensitive attributes of a block, and of the blocks in it.
func hidden(block *tfprotov6.SchemaBlock, found *[]string) {
	for _, attribute := range block.Attributes {
		if attribute.Sensitive {
			*found = append(*found, attribute.Name)
		}
	}
	for _, nested := range block.BlockTypes {
		hidden(nested.Block, found)
	}
}
