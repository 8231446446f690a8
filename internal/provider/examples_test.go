// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
	"github.com/harvester-community/terraform-provider-harvester/internal/qcow2img"
)

const examples = "../../examples"

// byIdentity is the example of an import by the resource identity.
const byIdentity = "import-by-identity.tf"

// filePath finds the local files that an example uploads.
var filePath = regexp.MustCompile(`file_path\s*=\s*"\$\{path\.module\}/([^"/]+)"`)

// Every example can be planned as it stands. Those of the demo need one another; make demo runs them. Those of
// guides are applied, see guides_acc_test.go.
func TestAccExamples_plan(t *testing.T) {
	cluster := acctest.Shared(t)
	folders := exampleFolders(t)
	if len(folders) < 3 {
		t.Fatalf("only %d examples found: %v", len(folders), folders)
	}
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) {
			if folder == "provider" || strings.HasPrefix(folder, "functions/") {
				// They name the source, as users do; the others leave that to it.
				t.Setenv("TF_ACC_PROVIDER_NAMESPACE", path.Base(path.Dir(provider.Address)))
			}
			if arrange := existing[folder]; arrange != nil {
				arrange(t, cluster)
			}
			staged := stage(t, folder)
			// Paths count from the provider's working folder, which here is the test's.
			t.Chdir(staged)
			resource.Test(t, resource.TestCase{Steps: []resource.TestStep{{
				ProtoV6ProviderFactories: acctest.Factories,
				ConfigDirectory:          config.StaticDirectory(staged),
				PlanOnly:                 true,
				ExpectNonEmptyPlan:       makes(t, staged),
			}}})
		})
	}
}

// existing makes what the examples of data sources find in the cluster.
var existing = map[string]func(*testing.T, *acctest.Cluster){
	"data-sources/harvester_image": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Uploaded(t, "debian-13-generic-amd64", 1<<20)
	},
	"data-sources/harvester_encrypted_image": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Uploaded(t, "debian-13-plain", 1<<20)
		cluster.Encrypted(t, "debian-13-encrypted", "debian-13-plain", cluster.EncryptedClass(t))
	},
	"data-sources/harvester_decrypted_image": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Uploaded(t, "debian-13-open", 1<<20)
		cluster.Encrypted(t, "debian-13-sealed", "debian-13-open", cluster.EncryptedClass(t))
		cluster.Decrypted(t, "debian-13-decrypted", "debian-13-sealed")
	},
	"data-sources/harvester_network": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Apply(t, api.Networks, "default", map[string]any{
			"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition", "metadata": map[string]any{"name": "vlan-100"},
			"spec": map[string]any{"config": `{"cniVersion":"0.3.1","name":"vlan-100","type":"bridge","bridge":"mgmt-br","promiscMode":true,"vlan":100,"ipam":{}}`},
		})
	},
	"data-sources/harvester_vlanconfig": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Apply(t, api.ClusterNetworks, "", map[string]any{
			"apiVersion": "network.harvesterhci.io/v1beta1", "kind": "ClusterNetwork", "metadata": map[string]any{"name": "example"},
		})
		cluster.Apply(t, api.VlanConfigs, "", map[string]any{
			"apiVersion": "network.harvesterhci.io/v1beta1", "kind": "VlanConfig", "metadata": map[string]any{"name": "workload-uplink"},
			"spec": map[string]any{"clusterNetwork": "example", "uplink": map[string]any{"nics": []any{"ens1f15"}}},
		})
	},
	"data-sources/harvester_ssh_key": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Apply(t, api.KeyPairs, "default", map[string]any{
			"apiVersion": "harvesterhci.io/v1beta1", "kind": "KeyPair", "metadata": map[string]any{"name": "ops"},
			"spec": map[string]any{"publicKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgBlcxUKtqHQ/0Zgsy9KFYuEPXYwmzPOXfzKdFtvDw ops"},
		})
	},
	"data-sources/harvester_cloudinit_secret": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Apply(t, api.Secrets, "default", map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "base"},
			"stringData": map[string]any{"userdata": "#cloud-config\n", "networkdata": "version: 2\n"},
		})
	},
	"data-sources/harvester_virtualmachine": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Apply(t, api.VirtualMachines, "default", map[string]any{
			"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": map[string]any{"name": "gateway"},
			"spec": map[string]any{"runStrategy": "Halted", "template": map[string]any{"spec": map[string]any{
				"domain": map[string]any{
					"cpu":       map[string]any{"cores": 1, "sockets": 1, "threads": 1, "maxSockets": 1},
					"devices":   map[string]any{"interfaces": []any{map[string]any{"name": "default", "masquerade": map[string]any{}}}},
					"resources": map[string]any{"limits": map[string]any{"cpu": "1", "memory": "1Gi"}},
				},
				"networks": []any{map[string]any{"name": "default", "pod": map[string]any{}}},
			}}},
		})
	},
	"data-sources/harvester_ippool": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Apply(t, api.IPPools, "", map[string]any{
			"apiVersion": "loadbalancer.harvesterhci.io/v1beta1", "kind": "IPPool", "metadata": map[string]any{"name": "lab"},
			"spec": map[string]any{"ranges": []any{map[string]any{"subnet": "203.0.113.0/25"}}},
		})
	},
	"data-sources/harvester_loadbalancer": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Apply(t, api.LoadBalancers, "default", map[string]any{
			"apiVersion": "loadbalancer.harvesterhci.io/v1beta1", "kind": "LoadBalancer", "metadata": map[string]any{"name": "web"},
			"spec": map[string]any{
				"ipam": "dhcp", "workloadType": "vm",
				"listeners": []any{map[string]any{"name": "http", "port": 80, "protocol": "TCP", "backendPort": 8080}},
			},
		})
	},
	"data-sources/harvester_schedule_backup": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Apply(t, api.ScheduleVMBackups, "default", map[string]any{
			"apiVersion": "harvesterhci.io/v1beta1", "kind": "ScheduleVMBackup", "metadata": map[string]any{"name": "files-nightly"},
			"spec": map[string]any{"cron": "0 20 * * *", "retain": 5, "maxFailure": 4, "vmbackup": map[string]any{
				"type": "snapshot", "source": map[string]any{"apiGroup": "kubevirt.io", "kind": "VirtualMachine", "name": "files"},
			}},
		})
	},
	"data-sources/harvester_volume": func(t *testing.T, cluster *acctest.Cluster) {
		t.Helper()
		cluster.Apply(t, api.PersistentVolumeClaims, "default", map[string]any{
			"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{"name": "data"},
			"spec": map[string]any{
				"accessModes": []any{"ReadWriteMany"}, "volumeMode": "Block", "storageClassName": "harvester-longhorn",
				"resources": map[string]any{"requests": map[string]any{"storage": "1Gi"}},
			},
		})
	},
}

// makes says whether an example makes something, be it only an output.
func makes(t *testing.T, folder string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no configuration in %s (%v)", folder, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^(resource|output) "`).Match(text) {
			return true
		}
	}
	return false
}

func exampleFolders(t *testing.T) (folders []string) {
	t.Helper()
	seen := map[string]bool{}
	err := filepath.WalkDir(examples, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.Name() == byIdentity {
			return nil
		}
		folder, err := filepath.Rel(examples, filepath.Dir(file))
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "demo" || entry.Name() == "guides" || entry.Name() == "actions") { // actions need Terraform 1.14
			return fs.SkipDir
		}
		if filepath.Ext(file) == ".tf" && !seen[folder] {
			seen[folder] = true
			folders = append(folders, folder)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

// stage copies an example and makes the images it uploads.
func stage(t *testing.T, folder string) string {
	t.Helper()
	staged := t.TempDir()
	if err := os.CopyFS(staged, os.DirFS(filepath.Join(examples, folder))); err != nil {
		t.Fatal(err)
	}
	// It imports what is not there, and needs Terraform 1.12.
	if err := os.Remove(filepath.Join(staged, byIdentity)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(staged, "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range filePath.FindAllStringSubmatch(string(text), -1) {
			writeImage(t, filepath.Join(staged, match[1]))
		}
	}
	return staged
}

func writeImage(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (qcow2img.Image{VirtualSize: 1 << 20, DataSize: 1 << 18}).WriteTo(file); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
