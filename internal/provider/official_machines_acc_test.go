// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	k8stypes "k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB1uWU5zUk8Kz0Zq0y8vXkK7sJc7pVtW2uXk5q4oT0jN someone"

// filled fills in what stands between « and » in a text and reads it as JSON.
func filled(t *testing.T, text string, words map[string]string) (object map[string]any) {
	t.Helper()
	for word, value := range words {
		text = strings.ReplaceAll(text, "«"+word+"»", value)
	}
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return object
}

// ofOfficial is a state with what every resource of the official provider has, and "" for what is not set.
func ofOfficial(t *testing.T, kind, id, attributes string, words map[string]string) acctest.Official {
	t.Helper()
	namespace, name, namespaced := strings.Cut(id, "/")
	state := map[string]any{"id": id, "name": id, "description": "", "labels": map[string]any{}, "tags": map[string]any{}, "state": "", "message": "", "timeouts": nil}
	if namespaced {
		state["namespace"], state["name"] = namespace, name
	}
	maps.Copy(state, filled(t, attributes, words))
	return acctest.Official{Type: kind, Name: "a", Attributes: state}
}

// An image, a volume, a machine and what belongs to them, as the official provider makes and remembers them: the cloud-init
// disk among the disks (V10), requests that nobody configured, a size that stands for none (V12), both forms of a secret's data.
func TestAccOfficialStates_machines(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	file, _ := acctest.RawImage(t, 1<<20)
	images := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(file))))
	t.Cleanup(images.Close)
	words := map[string]string{
		"name": name, "url": images.URL + "/" + filepath.Base(file), "key": publicKey,
		"data": `#cloud-config\npackage_update: true\n`, "base64": base64.StdEncoding.EncodeToString([]byte("#cloud-config\npackage_update: true\n")),
	}
	for _, object := range []struct {
		kind      schema.GroupVersionResource
		namespace string
		text      string
	}{
		{api.KeyPairs, "default", `{"apiVersion":"harvesterhci.io/v1beta1","kind":"KeyPair","metadata":{"name":"«name»"},"spec":{"publicKey":"«key»"}}`},
		{api.Secrets, "default", `{"apiVersion":"v1","kind":"Secret","type":"secret","metadata":{"name":"«name»","labels":{"harvesterhci.io/cloud-init-template":"harvester"}},
			"data":{"userdata":"«base64»","networkdata":""}}`},
		{api.StorageClasses, "", `{"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"«name»","annotations":{"storageclass.kubernetes.io/is-default-class":"false"}},
			"provisioner":"driver.longhorn.io","reclaimPolicy":"Delete","volumeBindingMode":"Immediate","allowVolumeExpansion":true,
			"parameters":{"migratable":"true","numberOfReplicas":"1","staleReplicaTimeout":"30"}}`},
		{api.Images, "default", `{"apiVersion":"harvesterhci.io/v1beta1","kind":"VirtualMachineImage","metadata":{"name":"«name»","labels":{"harvesterhci.io/imageDisplayName":"«name».img"},
			"annotations":{"harvesterhci.io/storageClassName":"harvester-longhorn"}},
			"spec":{"backend":"backingimage","displayName":"«name».img","sourceType":"download","url":"«url»","pvcName":"","pvcNamespace":"","checksum":"","retry":3}}`},
		{api.PersistentVolumeClaims, "default", `{"apiVersion":"v1","kind":"PersistentVolumeClaim","metadata":{"name":"«name»-data"},
			"spec":{"accessModes":["ReadWriteMany"],"resources":{"requests":{"storage":"2Gi"}},"storageClassName":"harvester-longhorn","volumeMode":"Block"}}`},
	} {
		cluster.Apply(t, object.kind, object.namespace, filled(t, object.text, words))
	}
	cluster.Await(t, name, imagestate.Image.Ready)
	image, err := cluster.Images.Get(t.Context(), "default", name)
	if err != nil {
		t.Fatal(err)
	}
	words["class"] = image.Status.StorageClassName
	words["templates"] = strings.ReplaceAll(fmt.Sprintf(`[{"metadata":{"name":"%[1]s-root-abcde","creationTimestamp":null,`+
		`"annotations":{"harvesterhci.io/imageId":"default/%[1]s","terraform-provider-harvester-auto-delete":"true"}},`+
		`"spec":{"accessModes":["ReadWriteMany"],"resources":{"requests":{"storage":"10Gi"}},"storageClassName":%[2]q,"volumeMode":"Block"},"status":{}}]`, name, words["class"]), `"`, `\"`)
	cluster.Apply(t, api.VirtualMachines, "default", filled(t, `{"apiVersion":"kubevirt.io/v1","kind":"VirtualMachine",
		"metadata":{"name":"«name»","labels":{"harvesterhci.io/creator":"terraform-provider-harvester","tag.harvesterhci.io/ssh-user":"ubuntu"},
			"annotations":{"harvesterhci.io/volumeClaimTemplates":"«templates»"}},
		"spec":{"runStrategy":"RerunOnFailure","template":{
			"metadata":{"labels":{"harvesterhci.io/creator":"terraform-provider-harvester","harvesterhci.io/vmName":"«name»"},
				"annotations":{"harvesterhci.io/sshNames":"[\"default/«name»\"]","harvesterhci.io/waitForLeaseInterfaceNames":"[\"nic-1\"]"}},
			"spec":{"affinity":{},"evictionStrategy":"LiveMigrateIfPossible","hostname":"«name»",
				"domain":{"cpu":{"cores":2,"sockets":1,"threads":1},"machine":{"type":"q35"},"features":{"acpi":{}},
					"resources":{"limits":{"cpu":"2","memory":"2Gi"}},
					"devices":{
						"disks":[{"name":"root","bootOrder":1,"disk":{"bus":"virtio"}},{"name":"data","disk":{"bus":"scsi"}},{"name":"drive","cdrom":{"bus":"sata"}},
							{"name":"cloudinitdisk","disk":{"bus":"virtio"}}],
						"interfaces":[{"name":"nic-1","model":"virtio","masquerade":{}}],
						"inputs":[{"name":"tablet","type":"tablet","bus":"usb"}]}},
				"networks":[{"name":"nic-1","pod":{}}],
				"volumes":[{"name":"root","persistentVolumeClaim":{"claimName":"«name»-root-abcde"}},{"name":"data","persistentVolumeClaim":{"claimName":"«name»-data"}},
					{"name":"cloudinitdisk","cloudInitNoCloud":{"userData":"«data»"}}]}}}}`, words))
	acctest.Eventually(t, "the machine runs", func(ctx context.Context) bool {
		instance, err := cluster.Client.Dynamic().Resource(api.VirtualMachineInstances).Namespace("default").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false
		}
		phase, _, _ := unstructured.NestedString(instance.Object, "status", "phase")
		return phase == "Running"
	})
	cluster.TakeOver(t, fmt.Sprintf(`
resource "harvester_ssh_key" "a" {
  name       = %[1]q
  public_key = %[2]q
}

resource "harvester_cloudinit_secret" "a" {
  name      = %[1]q
  user_data = "#cloud-config\npackage_update: true\n"
}

resource "harvester_storageclass" "a" {
  name = %[1]q
  parameters = {
    migratable          = "true"
    numberOfReplicas    = "1"
    staleReplicaTimeout = "30"
  }
}

resource "harvester_image" "a" {
  name         = %[1]q
  display_name = "%[1]s.img"
  source_type  = "download"
  url          = %[3]q
}

resource "harvester_volume" "a" {
  name = "%[1]s-data"
  size = "2Gi"
}

resource "harvester_virtualmachine" "a" {
  name         = %[1]q
  cpu          = 2
  memory       = "2Gi"
  tags         = { ssh-user = "ubuntu" }
  ssh_keys     = [harvester_ssh_key.a.id]
  machine_type = "q35"

  network_interface {
    name           = "nic-1"
    wait_for_lease = true
  }

  disk {
    name        = "root"
    boot_order  = 1
    image       = harvester_image.a.id
    auto_delete = true
  }

  disk {
    name                 = "data"
    bus                  = "scsi"
    existing_volume_name = harvester_volume.a.name
  }

  disk {
    name = "drive"
    type = "cd-rom"
    bus  = "sata"
  }

  input {
    name = "tablet"
    type = "tablet"
    bus  = "usb"
  }

  cloudinit {
    user_data = "#cloud-config\npackage_update: true\n"
  }
}
`, name, publicKey, words["url"]),
		// Its creation does not wait for the fingerprint.
		ofOfficial(t, "harvester_ssh_key", "default/"+name, `{"public_key":"«key»","fingerprint":"","state":"Not Validated"}`, words),
		ofOfficial(t, "harvester_cloudinit_secret", "default/"+name, `{"user_data":"«data»","user_data_base64":"«base64»","network_data":"","network_data_base64":""}`, words),
		ofOfficial(t, "harvester_storageclass", name, `{"allow_volume_expansion":true,"allowed_topologies":[],"is_default":false,"reclaim_policy":"Delete",
			"parameters":{"migratable":"true","numberOfReplicas":"1","staleReplicaTimeout":"30"},"volume_binding_mode":"Immediate","volume_provisioner":"driver.longhorn.io"}`, words),
		ofOfficial(t, "harvester_image", "default/"+name, `{"backend":"backingimage","checksum":"","display_name":"«name».img","file_path":"","progress":100,"pvc_name":"","pvc_namespace":"",
			"security_parameters":{},"size":1048576,"source_type":"download","state":"Active","storage_class_name":"harvester-longhorn",
			"storage_class_parameters":{"migratable":"true","numberOfReplicas":"3","staleReplicaTimeout":"30"},"url":"«url»","volume_storage_class_name":"«class»"}`, words),
		ofOfficial(t, "harvester_volume", "default/"+name+"-data", `{"access_mode":"ReadWriteMany","attached_vm":"default/«name»-data","image":"","phase":"Bound","size":"2Gi","state":"In-use",
			"storage_class_name":"harvester-longhorn","volume_mode":"Block"}`, words),
		ofOfficial(t, "harvester_virtualmachine", "default/"+name, `{
			"cloudinit":[{"network_data":"","network_data_base64":"","network_data_secret_name":"","type":"noCloud","user_data":"«data»","user_data_base64":"","user_data_secret_name":""}],
			"cpu":2,"cpu_model":"","cpu_pinning":false,"create_initial_snapshot":false,
			"disk":[
				{"access_mode":"ReadWriteMany","auto_delete":true,"boot_order":1,"bus":"virtio","cache_mode":"","container_image_name":"","existing_volume_name":"","hot_plug":false,
					"image":"default/«name»","name":"root","size":"10Gi","storage_class_name":"«class»","type":"disk","volume_mode":"Block","volume_name":"«name»-root-abcde"},
				{"access_mode":"ReadWriteMany","auto_delete":false,"boot_order":0,"bus":"scsi","cache_mode":"","container_image_name":"","existing_volume_name":"«name»-data","hot_plug":false,
					"image":"","name":"data","size":"2Gi","storage_class_name":"harvester-longhorn","type":"disk","volume_mode":"Block","volume_name":""},
				{"access_mode":"","auto_delete":false,"boot_order":0,"bus":"sata","cache_mode":"","container_image_name":"","existing_volume_name":"","hot_plug":false,
					"image":"","name":"drive","size":"","storage_class_name":"","type":"cd-rom","volume_mode":"","volume_name":""},
				{"access_mode":"","auto_delete":false,"boot_order":0,"bus":"virtio","cache_mode":"","container_image_name":"","existing_volume_name":"","hot_plug":false,
					"image":"","name":"cloudinitdisk","size":"","storage_class_name":"","type":"disk","volume_mode":"","volume_name":""}],
			"efi":false,"host_device":[],"hostname":"«name»","input":[{"bus":"usb","name":"tablet","type":"tablet"}],"isolate_emulator_thread":false,"machine_type":"q35","memory":"2Gi",
			"network_interface":[{"boot_order":0,"interface_name":"","ip_address":"10.52.0.9","mac_address":"","model":"virtio","name":"nic-1","network_name":"","type":"masquerade","wait_for_lease":true}],
			"node_name":"harvester-node-0","node_selector":{},"requests":[{"cpu":"125m","memory":"1365Mi"}],"reserved_memory":"","restart_after_update":false,
			"run_strategy":"RerunOnFailure","secure_boot":false,"ssh_keys":["default/«name»"],"start":null,"state":"Ready","tags":{"ssh-user":"ubuntu"},"tpm":[]}`, words),
	)
}

// What the official provider's refresh reads next to nothing of (P1, L2), and devices.
func TestAccOfficialStates_rest(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	const card, device = "harvester-node-1-enp3s0f0", "harvester-node-1-0000001f3"
	cluster.Alone(t, card)
	words := map[string]string{"name": name, "card": card, "device": device, "host": cluster.Client.Host(), "net": fmt.Sprintf("100.64.%d", rand.IntN(256)), "kubeconfig": filepath.Join(t.TempDir(), "kubeconfig")}
	kubeconfig, err := os.ReadFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(words["kubeconfig"], kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	cluster.Apply(t, api.IPPools, "", filled(t, `{"apiVersion":"loadbalancer.harvesterhci.io/v1beta1","kind":"IPPool","metadata":{"name":"«name»"},
		"spec":{"ranges":[{"rangeStart":"«net».10","rangeEnd":"«net».20","subnet":"«net».0/24","gateway":"«net».1"}],"selector":{}}}`, words))
	cluster.Apply(t, api.LoadBalancers, "default", filled(t, `{"apiVersion":"loadbalancer.harvesterhci.io/v1beta1","kind":"LoadBalancer","metadata":{"name":"«name»"},
		"spec":{"ipam":"pool","ipPool":"«name»","workloadType":"vm","listeners":[{"name":"http","port":80,"protocol":"TCP","backendPort":8080}],
			"backendServerSelector":{"app":["x"]},"healthCheck":{"port":8080,"successThreshold":1}}}`, words))
	functions(t, cluster, card, 2)
	t.Cleanup(func() { functions(t, cluster, card, 0) })
	cluster.TakeOver(t, fmt.Sprintf(`
provider "harvester" {
  bootstrap = true
}

resource "harvester_bootstrap" "a" {
  api_url          = %[1]q
  initial_password = "admin"
  password         = "the first password"
  kubeconfig       = %[2]q
}
`, words["host"], words["kubeconfig"]),
		acctest.Official{Type: "harvester_bootstrap", Name: "a", Attributes: filled(t, `{"id":"token-abc","api_url":"«host»","initial_password":"admin","password":"the first password",
			"kubeconfig":"«kubeconfig»","should_update_password":true}`, words)})
	cluster.TakeOver(t, fmt.Sprintf(`
resource "harvester_ippool" "a" {
  name = %[1]q
  range {
    start   = "%[4]s.10"
    end     = "%[4]s.20"
    subnet  = "%[4]s.0/24"
    gateway = "%[4]s.1"
  }
}

resource "harvester_loadbalancer" "a" {
  name          = %[1]q
  ipam          = "pool"
  ippool        = harvester_ippool.a.name
  workload_type = "vm"
  listener {
    name         = "http"
    port         = 80
    protocol     = "TCP"
    backend_port = 8080
  }
  backend_selector {
    key    = "app"
    values = ["x"]
  }
  healthcheck {
    port              = 8080
    success_threshold = 1
  }
}

resource "harvester_sriov_network_device" "a" {
  name              = %[2]q
  virtual_functions = 2
}

resource "harvester_pcidevice" "a" {
  name = %[3]q
}
`, name, card, device, words["net"]),
		ofOfficial(t, "harvester_ippool", name, `{"range":[{"start":"«net».10","end":"«net».20","subnet":"«net».0/24","gateway":"«net».1"}],"selector":[]}`, words),
		ofOfficial(t, "harvester_loadbalancer", "default/"+name, `{"ipam":"pool","ippool":"«name»","workload_type":"vm","ip_address":"",
			"listener":[{"name":"http","port":80,"protocol":"TCP","backend_port":8080}],"backend_selector":[{"key":"app","values":["x"]}],
			"healthcheck":[{"port":8080,"success_threshold":1,"failure_threshold":0,"period_seconds":0,"timeout_seconds":0}]}`, words),
		ofOfficial(t, "harvester_sriov_network_device", card, `{"virtual_functions":2,"enabled":true,"vf_addresses":[],"vf_device_names":[]}`, words),
		ofOfficial(t, "harvester_pcidevice", device, `{"passthrough_enabled":false,"address":"","node_name":"","vendor_id":"","device_id":"","class_id":"","device_description":"","iommu_group":"",
			"kernel_driver_in_use":"","resource_name":""}`, words),
	)
}

// functions gives a network card that many virtual functions, as the dashboard does, and waits for them.
func functions(t *testing.T, cluster *acctest.Cluster, card string, number int) {
	t.Helper()
	cards := cluster.Client.Dynamic().Resource(api.SRIOVNetworkDevices)
	ctx := context.WithoutCancel(t.Context()) // it also cleans up
	if _, err := cards.Patch(ctx, card, k8stypes.MergePatchType, fmt.Appendf(nil, `{"spec":{"numVFs":%d}}`, number), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	acctest.Eventually(t, fmt.Sprintf("%s has %d virtual functions", card, number), func(context.Context) bool {
		seen, err := cards.Get(ctx, card, metav1.GetOptions{})
		if err != nil {
			return false
		}
		addresses, _, _ := unstructured.NestedStringSlice(seen.Object, "status", "vfAddresses")
		return len(addresses) == number
	})
}
