// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfversion"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// left says whether an object is as it must be after a destroy. Without it, the object must be gone.
type left func(object map[string]any) bool

// coverage says what is peculiar to each kind: where its objects are, what becomes of them, and whether the server has found
// out all about one. What it finds out after an apply cannot be compared with an import before.
var coverage = map[string]struct {
	objects schema.GroupVersionResource
	left    left
	settled func(*unstructured.Unstructured) bool
}{
	"ssh_key":              {objects: api.KeyPairs},
	"cloudinit_secret":     {objects: api.Secrets},
	"storageclass":         {objects: api.StorageClasses},
	"volume":               {objects: api.PersistentVolumeClaims},
	"clusternetwork":       {objects: api.ClusterNetworks},
	"vlanconfig":           {objects: api.VlanConfigs},
	"network":              {objects: api.Networks, settled: routed},
	"ippool":               {objects: api.IPPools},
	"loadbalancer":         {objects: api.LoadBalancers},
	"schedule_backup":      {objects: api.ScheduleVMBackups},
	"virtualmachine":       {objects: api.VirtualMachines},
	"image":                {objects: api.Images},
	"encrypted_image":      {objects: api.Images},
	"decrypted_image":      {objects: api.Images},
	"image_download":       {},
	"bootstrap":            {},
	"setting":              {objects: api.Settings, left: func(o map[string]any) bool { return o["value"] == nil || o["value"] == "" }},
	"pcidevice":            {objects: api.PCIDeviceClaims},
	"sriov_network_device": {objects: api.SRIOVNetworkDevices, left: func(o map[string]any) bool { return fmt.Sprint(o["spec"].(map[string]any)["numVFs"]) == "0" }},
}

// unknown are the attributes of a resource that an import cannot tell as the configuration does: what the cluster does not
// know, and labels that are there before Terraform.
var unknown = map[string][]string{
	"harvester_image.upload":              {"decompress", "file_changes", "file_path", "file_sha512", "stall_timeout", "verify"},
	"harvester_encrypted_image.test":      {"stall_timeout"},
	"harvester_decrypted_image.test":      {"stall_timeout"},
	"harvester_image_download.test":       {"directory_permission", "stall_timeout"},
	"harvester_cloudinit_secret.hidden":   {"network_data", "network_data_base64", "network_data_wo_version", "user_data", "user_data_base64", "user_data_wo_version"},
	"harvester_schedule_backup.volume":    {"vm_name", "volume_name"},
	"harvester_setting.shown":             {"on_destroy"},
	"harvester_setting.hidden":            {"effective_value", "value", "value_wo_version"},
	"harvester_sriov_network_device.test": {"labels.%", "labels.nodename"},
	"harvester_loadbalancer.test":         {"wait_for_backends"},
	"harvester_virtualmachine.running":    {"cloudinit.0.user_data", "cpu", "network_interface.0.interface_name", "restart_after_update"},
	"harvester_virtualmachine.pinned":     {"run_strategy", "start", "tpm.0.name"},
	"harvester_virtualmachine.switched":   {"create_initial_snapshot", "run_strategy", "start"},
}

// Each configuration of testdata/coverage is applied, changed in place, imported and destroyed, and after each apply the plan
// is empty. TestCoverage makes sure that they have every argument.
func TestAccCoverage(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	folders, err := filepath.Glob("testdata/coverage/*")
	if err != nil || len(folders) != len(coverage) {
		t.Fatalf("%d folders for %d kinds (%v)", len(folders), len(coverage), err)
	}
	passed := &progress{kinds: map[string][]string{}}
	t.Cleanup(passed.print)
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			covers(t, cluster, folder, passed)
		})
	}
}

func covers(t *testing.T, cluster *acctest.Cluster, folder string, passed *progress) {
	t.Helper()
	kind := filepath.Base(folder)
	if kind == "sriov_network_device" {
		cluster.Alone(t, "harvester-node-1-enp3s0f0")
	}
	passed.add(kind)
	variables := inputs(t, cluster)
	step := func(file string) resource.TestStep {
		return resource.TestStep{ConfigFile: config.StaticFile(filepath.Join(folder, file)), ConfigVariables: variables, ProtoV6ProviderFactories: acctest.Factories}
	}
	done := func(stage string) resource.TestCheckFunc {
		return func(*terraform.State) error { passed.add(kind, stage); return nil }
	}
	all := ours(t, kind, filepath.Join(folder, "before.tf"))
	before, after := step("before.tf"), step("after.tf")
	before.Check, after.Check = done("apply"), done("update")
	after.PreConfig = func() { passed.add(kind, "empty plan") }
	for _, address := range all {
		after.ConfigPlanChecks.PreApply = append(after.ConfigPlanChecks.PreApply, plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate))
	}
	settled := step("after.tf")
	settled.PreConfig = func() { settle(t, cluster, kind, variables) }
	settled.ConfigPlanChecks.PreApply = []plancheck.PlanCheck{plancheck.ExpectEmptyPlan()}
	steps := []resource.TestStep{before, after, settled}
	for _, address := range all {
		if kind == "bootstrap" { // it is the first contact, and cannot be imported
			break
		}
		imported := step("after.tf")
		imported.ResourceName, imported.ImportState, imported.ImportStateVerify = address, true, true
		imported.ImportStateVerifyIgnore = unknown[address]
		if kind == "image_download" {
			imported.ImportStateIdFunc = func(state *terraform.State) (string, error) {
				made := state.RootModule().Resources[address].Primary.Attributes
				return made["image"] + ":" + made["filename"], nil
			}
		}
		steps = append(steps, imported)
	}
	last := step("after.tf")
	last.PreConfig, last.PlanOnly = func() {
		if kind != "bootstrap" {
			passed.add(kind, "import")
		}
	}, true
	steps = append(steps, last)
	resource.Test(t, resource.TestCase{
		TerraformVersionChecks: []tfversion.TerraformVersionCheck{tfversion.SkipBelow(tfversion.Version1_11_0)}, // write-only arguments
		Steps:                  steps,
		CheckDestroy: func(state *terraform.State) error {
			if err := destroyed(cluster, kind, state); err != nil {
				return err
			}
			return done("destroy")(state)
		},
	})
}

// routed says whether it is known if the gateway answers, in a network whose addresses are looked for at all.
func routed(network *unstructured.Unstructured) bool {
	text := network.GetAnnotations()[api.AnnotationRoute]
	return text == "" || strings.Contains(text, `"connectivity":"true"`)
}

// settle waits until the server has found out all about what the test made of a kind.
func settle(t *testing.T, cluster *acctest.Cluster, kind string, variables config.Variables) {
	t.Helper()
	if coverage[kind].settled == nil {
		return
	}
	name, err := variables["name"].MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	prefix := strings.Trim(string(name), `"`)
	acctest.Eventually(t, "the server to find out all about "+prefix, func(ctx context.Context) bool {
		found, err := cluster.Client.Dynamic().Resource(coverage[kind].objects).Namespace("default").List(ctx, metav1.ListOptions{})
		return err == nil && !slices.ContainsFunc(found.Items, func(object unstructured.Unstructured) bool {
			return strings.HasPrefix(object.GetName(), prefix) && !coverage[kind].settled(&object)
		})
	})
}

// ours are the addresses of the resources of that kind in a file.
func ours(t *testing.T, kind, file string) (addresses []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`(?m)^resource "(harvester_`+kind+`)" "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
		addresses = append(addresses, found[1]+"."+found[2])
	}
	if len(addresses) == 0 {
		t.Fatalf("%s has no %s", file, kind)
	}
	return addresses
}

// inputs are the variables that configurations may have.
func inputs(t *testing.T, cluster *acctest.Cluster) config.Variables {
	t.Helper()
	file, content := acctest.RawImage(t, 1<<20)
	sum := sha512.Sum512(content)
	other := filepath.Join(t.TempDir(), "other.img")
	if err := os.WriteFile(other, content, 0o600); err != nil {
		t.Fatal(err)
	}
	images := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(file))))
	t.Cleanup(images.Close)
	given := config.Variables{}
	for name, value := range map[string]string{
		"name": acctest.Name(t), "short": acctest.ShortName(t), "file": file, "other": other, "sum": hex.EncodeToString(sum[:]),
		"net": fmt.Sprintf("10.%d", rand.IntN(256)), "mac": fmt.Sprintf("02:%02x:%02x:%02x:%02x", rand.IntN(256), rand.IntN(256), rand.IntN(256), rand.IntN(256)),
		"ca": authority(t, cluster), "url": images.URL + "/" + filepath.Base(file), "dir": t.TempDir(), "host": cluster.Client.Host(), "class": cluster.EncryptedClass(t),
	} {
		given[name] = config.StringVariable(value)
	}
	return given
}

// authority is the certificate that vouches for the sandbox's address.
func authority(t *testing.T, cluster *acctest.Cluster) string {
	t.Helper()
	kubeconfig, err := clientcmd.LoadFromFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, known := range kubeconfig.Clusters {
		return string(known.CertificateAuthorityData)
	}
	t.Fatal("the kubeconfig names no cluster")
	return ""
}

// destroyed wants what was made to be gone, and what was only changed to be as before.
func destroyed(cluster *acctest.Cluster, kind string, state *terraform.State) error {
	for address, made := range state.RootModule().Resources {
		switch {
		case made.Type != "harvester_"+kind || kind == "bootstrap":
		case kind == "image_download":
			if _, err := os.Stat(made.Primary.ID); !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("the file %s is still there (or: %w)", made.Primary.ID, err)
			}
		default:
			if err := undone(cluster, kind, made.Primary.ID); err != nil {
				return fmt.Errorf("%s: %w", address, err)
			}
		}
	}
	return nil
}

func undone(cluster *acctest.Cluster, kind, id string) error {
	namespace, name, namespaced := strings.Cut(id, "/")
	if !namespaced {
		namespace, name = "", id
	}
	name = name[strings.LastIndex(name, "/")+1:] // the id of a backup schedule names its machine too
	var object *unstructured.Unstructured
	object, err := cluster.Client.Dynamic().Resource(coverage[kind].objects).Namespace(namespace).Get(context.Background(), name, metav1.GetOptions{})
	ends := coverage[kind].left
	switch {
	case ends == nil && apierrors.IsNotFound(err):
		return nil
	case ends == nil:
		return fmt.Errorf("%s is still there (or: %w)", id, err)
	case err != nil:
		return err
	case !ends(object.Object):
		return fmt.Errorf("%s was left as %v", id, object.Object)
	}
	return nil
}

// progress is how far each kind has come.
type progress struct {
	mu    sync.Mutex
	kinds map[string][]string
}

func (p *progress) add(kind string, stages ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kinds[kind] = append(p.kinds[kind], stages...)
}

func (p *progress) print() {
	for _, kind := range slices.Sorted(maps.Keys(p.kinds)) {
		_, _ = fmt.Fprintf(os.Stdout, "coverage: harvester_%-21s", kind)
		for _, stage := range []string{"apply", "empty plan", "update", "import", "destroy"} {
			mark := "NO"
			if slices.Contains(p.kinds[kind], stage) {
				mark = "ok"
			} else if kind == "bootstrap" && stage == "import" {
				mark = "–" // it is the first contact
			}
			_, _ = fmt.Fprintf(os.Stdout, "  %s %s", stage, mark)
		}
		_, _ = fmt.Fprintln(os.Stdout)
	}
}
