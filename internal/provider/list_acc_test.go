// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// labelled is what the tests of lists make: all have the label that the list asks for.
type labelled struct {
	*acctest.Cluster
	*testing.T
	label string
}

func (l labelled) apply(gvr schema.GroupVersionResource, kind, namespace, name string, metadata, content map[string]any) {
	l.Helper()
	labels := map[string]any{"listed": l.label}
	if more, ok := metadata["labels"].(map[string]any); ok {
		maps.Copy(labels, more)
	}
	about := map[string]any{"name": name}
	maps.Copy(about, metadata)
	about["labels"] = labels
	object := map[string]any{"apiVersion": gvr.GroupVersion().String(), "kind": kind, "metadata": about}
	maps.Copy(object, content)
	l.Apply(l.T, gvr, namespace, object)
}

const group = "a-" // begins the names of what is to be listed

// lists makes objects to be listed, named a- and more, and others like them that are not, for each kind.
var lists = map[string]func(l labelled){
	"harvester_ssh_key": func(l labelled) {
		key := map[string]any{"spec": map[string]any{"publicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgBlcxUKtqHQ/0Zgsy9KFYuEPXYwmzPOXfzKdFtvDw ops"}}
		for _, name := range []string{"a-one-", "a-two-"} {
			l.apply(api.KeyPairs, "KeyPair", "default", name+l.label, nil, key)
		}
		l.apply(api.KeyPairs, "KeyPair", "default", "chart-"+l.label, map[string]any{"labels": map[string]any{"app.kubernetes.io/managed-by": "Helm"}}, key)
		l.apply(api.KeyPairs, "KeyPair", "harvester-system", "system-"+l.label, nil, key)
	},
	"harvester_cloudinit_secret": func(l labelled) {
		data := map[string]any{"stringData": map[string]any{"userdata": "#cloud-config\n", "networkdata": "version: 2\n"}}
		l.apply(api.Secrets, "Secret", "default", "a-"+l.label, nil, data)
		l.apply(api.Secrets, "Secret", "default", "password-"+l.label, nil, map[string]any{"stringData": map[string]any{"password": "hidden"}})
		l.apply(api.Secrets, "Secret", "default", "owned-"+l.label, map[string]any{"ownerReferences": []any{
			map[string]any{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": "vm", "uid": "00000000-0000-0000-0000-000000000001"},
		}}, data)
	},
	"harvester_volume": func(l labelled) {
		claim := map[string]any{"spec": map[string]any{
			"accessModes": []any{"ReadWriteMany"}, "volumeMode": "Block", "storageClassName": "harvester-longhorn",
			"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
		}}
		l.apply(api.PersistentVolumeClaims, "PersistentVolumeClaim", "default", "a-"+l.label, nil, claim)
		l.apply(api.PersistentVolumeClaims, "PersistentVolumeClaim", "default", "disk-"+l.label, nil, claim)
		l.machine("machine-"+l.label, "disk-"+l.label, nil)
	},
	"harvester_virtualmachine": func(l labelled) {
		l.machine("a-"+l.label, "root-"+l.label, nil)
		l.machine("guest-"+l.label, "", map[string]any{"harvesterhci.io/creator": "docker-machine-driver-harvester"})
	},
	"harvester_schedule_backup": func(l labelled) {
		l.apply(api.ScheduleVMBackups, "ScheduleVMBackup", "default", "a-"+l.label, nil, map[string]any{"spec": map[string]any{
			"cron": "0 20 * * *", "retain": 5, "maxFailure": 4, "vmbackup": map[string]any{
				"type": "snapshot", "source": map[string]any{"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": l.label},
			},
		}})
	},
	"harvester_network": func(l labelled) {
		l.apply(api.Networks, "NetworkAttachmentDefinition", "default", "a-"+l.label, nil, map[string]any{"spec": map[string]any{
			"config": fmt.Sprintf(`{"cniVersion":"0.3.1","name":"a-%s","type":"bridge","bridge":"mgmt-br","promiscMode":true,"vlan":77,"ipam":{}}`, l.label),
		}})
	},
	"harvester_loadbalancer": func(l labelled) {
		balancer := map[string]any{"spec": map[string]any{
			"ipam": "dhcp", "workloadType": "vm", "listeners": []any{map[string]any{"name": "http", "port": 80, "protocol": "TCP", "backendPort": 8080}},
		}}
		l.apply(api.LoadBalancers, "LoadBalancer", "default", "a-"+l.label, nil, balancer)
		l.apply(api.LoadBalancers, "LoadBalancer", "default", "guest-"+l.label, map[string]any{"labels": map[string]any{api.LabelBalancerGuest: "guest"}}, balancer)
	},
	"harvester_ippool": func(l labelled) {
		l.apply(api.IPPools, "IPPool", "", "a-"+l.label, nil, map[string]any{"spec": map[string]any{"ranges": []any{map[string]any{"subnet": "198.51.100.0/26"}}}})
	},
	"harvester_clusternetwork": func(l labelled) {
		l.apply(api.ClusterNetworks, "ClusterNetwork", "", "a-"+l.label, nil, nil)
	},
	"harvester_vlanconfig": func(l labelled) {
		l.apply(api.ClusterNetworks, "ClusterNetwork", "", "n-"+l.label, nil, nil)
		l.apply(api.VlanConfigs, "VlanConfig", "", "a-"+l.label, nil, map[string]any{"spec": map[string]any{
			"clusterNetwork": "n-" + l.label, "nodeSelector": map[string]any{"kubernetes.io/hostname": "no-such-node"}, "uplink": map[string]any{"nics": []any{"ens1f13"}},
		}})
	},
	"harvester_storageclass": func(l labelled) {
		class := func(parameters map[string]any) map[string]any {
			return map[string]any{
				"provisioner": "driver.longhorn.io", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate", "allowVolumeExpansion": true, "parameters": parameters,
			}
		}
		l.apply(api.StorageClasses, "StorageClass", "", "a-"+l.label, nil, class(map[string]any{"migratable": "true", "numberOfReplicas": "1", "staleReplicaTimeout": "30"}))
		l.apply(api.StorageClasses, "StorageClass", "", "image-"+l.label, nil, class(map[string]any{"backingImage": "vmi-x", "migratable": "true", "numberOfReplicas": "1", "staleReplicaTimeout": "30"}))
	},
}

func (l labelled) machine(name, volume string, labels map[string]any) {
	l.Helper()
	metadata := map[string]any{"labels": labels}
	spec := map[string]any{
		"domain": map[string]any{
			"cpu":       map[string]any{"cores": 1, "sockets": 1, "threads": 1, "maxSockets": 1},
			"devices":   map[string]any{"interfaces": []any{map[string]any{"name": "default", "masquerade": map[string]any{}}}},
			"resources": map[string]any{"limits": map[string]any{"cpu": "1", "memory": "1Gi"}},
		},
		"networks": []any{map[string]any{"name": "default", "pod": map[string]any{}}},
	}
	if volume != "" {
		metadata["annotations"] = map[string]any{api.AnnotationVolumeClaimTemplates: fmt.Sprintf(
			`[{"metadata":{"name":%q},"spec":{"accessModes":["ReadWriteMany"],"volumeMode":"Block","storageClassName":"harvester-longhorn","resources":{"requests":{"storage":"1Gi"}}}}]`, volume)}
		spec["domain"].(map[string]any)["devices"].(map[string]any)["disks"] = []any{map[string]any{"name": "disk", "disk": map[string]any{"bus": "virtio"}}}
		spec["volumes"] = []any{map[string]any{"name": "disk", "persistentVolumeClaim": map[string]any{"claimName": volume}}}
	}
	l.apply(api.VirtualMachines, "VirtualMachine", "default", name, metadata, map[string]any{
		"spec": map[string]any{"runStrategy": "Halted", "template": map[string]any{"spec": spec}},
	})
}

// A list finds what people may want to manage, and nothing else. With the resource, Terraform generates a configuration
// whose import changes nothing.
func TestAccLists(t *testing.T) {
	t.Parallel()
	for typeName, prepare := range lists {
		t.Run(typeName, func(t *testing.T) {
			t.Parallel()
			l := labelled{acctest.Shared(t), t, acctest.ShortName(t)}
			prepare(l)
			config := map[string]any{"labels": map[string]string{"listed": l.label}}
			found, warned := l.Lists(t, typeName, acctest.Query{Config: config, IncludeResource: true})
			if len(warned) > 0 || len(found) == 0 {
				t.Fatalf("it lists %v, and warns of %q", found, warned)
			}
			for _, listed := range found {
				namespaced, name := listed.Address["namespace"] != "", listed.Address["name"]
				if !strings.HasPrefix(name, group) || namespaced && listed.DisplayName != "default/"+name || !namespaced && listed.DisplayName != name {
					t.Errorf("it lists %v as %q", listed.Address, listed.DisplayName)
				}
				l.Adopts(t, typeName, listed)
			}
			if found, _ := l.Lists(t, typeName, acctest.Query{Config: config, Limit: 1}); len(found) != 1 {
				t.Errorf("with a limit of 1 it lists %v", found)
			}
			if found, _ := l.Lists(t, typeName, acctest.Query{Config: map[string]any{"labels": map[string]string{"listed": "nothing"}}}); len(found) > 0 {
				t.Errorf("labels that nothing has find %v", found)
			}
		})
	}
}

// names are those of what is listed, in order.
func names(found []acctest.Listed) (all []string) {
	for _, listed := range found {
		all = append(all, listed.Address["name"])
	}
	slices.Sort(all)
	return all
}

// The namespaces of the system are looked at only if they are named.
func TestAccLists_namespace(t *testing.T) {
	t.Parallel()
	l := labelled{acctest.Shared(t), t, acctest.ShortName(t)}
	lists["harvester_ssh_key"](l)
	for namespace, want := range map[string]int{"": 2, "default": 2, "harvester-system": 1, "kube-system": 0} {
		config := map[string]any{"labels": map[string]string{"listed": l.label}}
		if namespace != "" {
			config["namespace"] = namespace
		}
		if found, _ := l.Lists(t, "harvester_ssh_key", acctest.Query{Config: config}); len(found) != want {
			t.Errorf("in %q it lists %v", namespace, names(found))
		}
	}
}

// Images are listed by state and display name, and each as what it is.
func TestAccLists_images(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	cluster.Uploaded(t, name, 1<<20)
	cluster.Pending(t, name+"-p")
	cluster.Encrypted(t, name+"-e", name, cluster.EncryptedClass(t))
	cluster.Decrypted(t, name+"-d", name+"-e")
	for _, tt := range []struct {
		typeName, want string
		config         map[string]any
	}{
		{"harvester_image", name, map[string]any{"display_name": name + ".img"}},
		{"harvester_image", name, map[string]any{"display_name": name + ".img", "state": "Active", "namespace": "default"}},
		{"harvester_image", "", map[string]any{"display_name": name + ".img", "state": "Failed"}},
		{"harvester_image", "", map[string]any{"display_name": name + "-e"}},
		{"harvester_image", name + "-p", map[string]any{"display_name": name + "-p.img"}},
		{"harvester_encrypted_image", name + "-e", map[string]any{"display_name": name + "-e"}},
		{"harvester_decrypted_image", name + "-d", map[string]any{"display_name": name + "-d"}},
		{"harvester_decrypted_image", "", map[string]any{"display_name": name + "-e"}},
	} {
		found, warned := cluster.Lists(t, tt.typeName, acctest.Query{Config: tt.config, IncludeResource: true})
		if got := strings.Join(names(found), " "); got != tt.want || len(warned) > 0 {
			t.Errorf("%s lists %q for %v, want %q; it warns of %q", tt.typeName, got, tt.config, tt.want, warned)
			continue
		}
		for _, listed := range found {
			if want := fmt.Sprintf("default/%s (%s)", tt.want, tt.config["display_name"]); listed.DisplayName != want {
				t.Errorf("it is shown as %q, want %q", listed.DisplayName, want)
			}
			if tt.want != name+"-p" { // whose upload the plan would wait for
				cluster.Adopts(t, tt.typeName, listed)
			}
		}
	}
}

// Devices and settings are there by themselves: only those count that somebody has set.
func TestAccLists_givens(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	for typeName, never := range map[string][]string{
		"harvester_setting":        {"server-version", "upgradable-versions", "default-storage-class"},
		"harvester_clusternetwork": {"mgmt"},
		"harvester_storageclass":   {"longhorn", "longhorn-static", "vmstate-persistence"},
		"harvester_pcidevice":      {"harvester-node-0-0000001f3"},
	} {
		found, warned := cluster.Lists(t, typeName, acctest.Query{})
		if len(warned) > 0 {
			t.Errorf("%s warns of %q", typeName, warned)
		}
		for _, name := range never {
			if slices.Contains(names(found), name) {
				t.Errorf("%s lists %s", typeName, name)
			}
		}
	}
}
