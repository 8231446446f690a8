// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

var networks = schema.GroupVersionResource{Group: "k8s.cni.cncf.io", Version: "v1", Resource: "network-attachment-definitions"}

// surroundings makes what the machines of the fixtures refer to, and returns the image's class.
func (c cluster) surroundings(t *testing.T, name string) string {
	t.Helper()
	c.Uploaded(t, name, 1<<20)
	image, err := c.Images.Get(context.Background(), "default", name)
	if err != nil {
		t.Fatal(err)
	}
	c.Apply(t, api.KeyPairs, "default", map[string]any{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": "KeyPair", "metadata": map[string]any{"name": name}, "spec": map[string]any{"publicKey": publicKey},
	})
	c.Apply(t, api.Secrets, "default", map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name},
		"stringData": map[string]any{"userdata": "#cloud-config", "networkdata": "version: 2", "unattend.xml": "<x/>"},
	})
	c.Apply(t, networks, "default", map[string]any{
		"apiVersion": "k8s.cni.cncf.io/v1", "kind": "NetworkAttachmentDefinition", "metadata": map[string]any{"name": name},
		"spec": map[string]any{"config": `{"cniVersion":"0.3.1","name":"` + name + `","type":"bridge","bridge":"mgmt-br","promiscMode":true,"vlan":7,"ipam":{}}`},
	})
	c.claim(t, name+"-claim")
	t.Cleanup(func() { // volumes of imported machines stay
		for _, suffix := range []string{"-claim", "-disk-0-wj4zp", "-cdrom-disk-8fh2k", "-rootdisk-jd8s2"} {
			_ = c.volumes.Delete(context.Background(), "default", name+suffix, "")
		}
	})
	return image.Status.StorageClassName
}

// fixture reads a file with the name filled in.
func fixture(t *testing.T, file, name, class string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "import", file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("NAME", name, "CLASS", class).Replace(string(text))
}

// object is what others and we can have written to the machine, as JSON.
func (c cluster) object(t *testing.T, name string) string {
	t.Helper()
	object, err := c.Client.Dynamic().Resource(api.VirtualMachines).Namespace("default").Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	annotations := map[string]string{"~": "the last line"}
	maps.Copy(annotations, object.GetAnnotations())
	text, err := json.MarshalIndent(map[string]any{"labels": object.GetLabels(), "annotations": annotations, "spec": object.Object["spec"]}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Machines made in the dashboard or with kubectl: after an import, a configuration that says the
// same plans nothing, and an update changes nothing but what it is about.
func TestAccVirtualMachine_importForeign(t *testing.T) {
	t.Parallel()
	c := shared(t)
	for kind, covers := range map[string]string{
		"ui-linux": "V8 V10 V11: names of keys and images, data in Secrets", "ui-windows": "V9: threads; V10: sysprep",
		"kubectl": "V7 V8 V10: next to nothing said", "hotplug": "V9: sockets that can grow",
	} {
		t.Run(kind+" "+covers, func(t *testing.T) {
			t.Parallel()
			name := "import-" + kind + "-" + acctest.Name(t)[strings.LastIndex(acctest.Name(t), "-")+1:]
			class := c.surroundings(t, name)
			var object map[string]any
			if err := yaml.Unmarshal([]byte(fixture(t, kind+".yaml", name, class)), &object); err != nil {
				t.Fatal(err)
			}
			c.Apply(t, api.VirtualMachines, "default", object)
			if kind == "ui-linux" {
				acctest.Eventually(t, "the machine runs", func(ctx context.Context) bool {
					vmi, err := c.instances.Get(ctx, "default", name)
					return err == nil && vmi.IsRunning()
				})
			}
			config := fixture(t, kind+".tf", name, class)
			described := regexp.MustCompile(`(?m)^  description .*\n`).ReplaceAllString(config, "")
			described = strings.Replace(described, "  cpu ", "  description = \"ours\"\n  cpu ", 1)
			before := ""
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             c.gone(name),
				Steps: []resource.TestStep{
					{Config: config, ResourceName: address, ImportState: true, ImportStateId: "default/" + name, ImportStatePersist: true},
					{Config: config, PlanOnly: true},
					{
						PreConfig:        func() { before = c.object(t, name) },
						Config:           described,
						ConfigPlanChecks: planned(plancheck.ResourceActionUpdate),
						Check: func(*terraform.State) error {
							return same("the object", changes(before, c.object(t, name)), `[+  "field.cattle.io/description": "ours"]`)
						},
					},
				},
			})
		})
	}
}

// changes are the lines that two texts do not share, save the description that was there before.
func changes(before, after string) string {
	was, is := strings.Split(before, "\n"), strings.Split(after, "\n")
	var lines []string
	for sign, pair := range map[string][2][]string{"-": {was, is}, "+": {is, was}} {
		for _, line := range pair[0] {
			line = strings.TrimSuffix(line, ",")
			other := slices.ContainsFunc(pair[1], func(l string) bool { return strings.TrimSuffix(l, ",") == line })
			if !other && !strings.Contains(line, "from the dashboard") {
				lines = append(lines, sign+line)
			}
		}
	}
	return fmt.Sprint(lines)
}
