// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"sigs.k8s.io/yaml"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// The guide "Encrypted images", word for word: the secret as kubectl would make it, then the configuration.
func TestAccGuides_encryptedImages(t *testing.T) {
	cluster := acctest.Shared(t)
	t.Setenv("TF_ACC_PROVIDER_NAMESPACE", path.Base(path.Dir(provider.Address)))
	staged := stage(t, "guides/encrypted-images")
	text, err := os.ReadFile(filepath.Join(staged, "secret.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var secret map[string]any
	if err := yaml.Unmarshal(text, &secret); err != nil {
		t.Fatal(err)
	}
	cluster.Apply(t, api.Secrets, "default", secret)
	t.Chdir(staged)
	guide := config.StaticDirectory(staged)
	resource.Test(t, resource.TestCase{Steps: []resource.TestStep{
		{ProtoV6ProviderFactories: acctest.Factories, ConfigDirectory: guide, Check: encrypted(t, cluster)},
		{ProtoV6ProviderFactories: acctest.Factories, ConfigDirectory: guide, PlanOnly: true},
	}})
}

// guide is a folder of a guide, with terraform itself at work in it.
func guide(t *testing.T, cluster *acctest.Cluster, folder string) (dir string, run func(arguments ...string) string) {
	t.Helper()
	dir = stage(t, "guides/"+folder)
	terraform := cluster.Terraform(t, dir)
	return dir, func(arguments ...string) string {
		t.Helper()
		out, err := terraform(append(arguments, "-no-color")...)
		if err != nil {
			t.Fatalf("terraform %s: %v\n%s", arguments, err, out)
		}
		return out
	}
}

// The guide "Testing your modules": the module's tests, on the sandbox and with a mock.
func TestAccGuides_testingModules(t *testing.T) {
	t.Parallel()
	dir, run := guide(t, acctest.Shared(t), "testing-modules")
	writeImage(t, filepath.Join(dir, "test.qcow2"))
	if out := run("test"); !strings.Contains(out, "Success! 4 passed, 0 failed.") {
		t.Error(out)
	}
}

// The guide "Image pipelines": one job uploads, another makes machines, and what is in use stays.
func TestAccGuides_imagePipelines(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	dir, images := guide(t, cluster, "image-pipelines/images")
	writeImage(t, filepath.Join(dir, "build.qcow2"))
	_, machines := guide(t, cluster, "image-pipelines/machines")
	apply := func(build string) []string {
		return []string{"apply", "-auto-approve", "-var", "build=" + build}
	}
	images("workspace", "new", "build-1")
	images(append(apply("1"), "-var", "file=build.qcow2")...)
	machines(apply("1")...)

	images("workspace", "new", "build-2")
	images(append(apply("2"), "-var", "file=build.qcow2")...)
	images("workspace", "select", "build-1")
	prune := []string{"destroy", "-auto-approve", "-no-color", "-var", "build=1", "-var", "file=build.qcow2"}
	if out, err := cluster.Terraform(t, dir)(prune...); err == nil || !strings.Contains(out, "Image in use") || !strings.Contains(out, "worker") {
		t.Errorf("the image of a machine can be deleted: %v\n%s", err, out)
	}
	machines(apply("2")...)
	images("destroy", "-auto-approve", "-var", "build=1", "-var", "file=build.qcow2")
	machines("destroy", "-auto-approve", "-var", "build=2")
}

// The same guide, with all of it in one configuration.
func TestAccGuides_rotatingImages(t *testing.T) {
	t.Parallel()
	dir, run := guide(t, acctest.Shared(t), "image-pipelines/rotating")
	writeImage(t, filepath.Join(dir, "build.qcow2"))
	for _, build := range []string{"1", "2"} {
		if out := run("apply", "-auto-approve", "-var", "build="+build, "-var", "file=build.qcow2"); !strings.Contains(out, "Apply complete! Resources: 2 added") {
			t.Error(out)
		}
	}
	run("destroy", "-auto-approve", "-var", "build=2", "-var", "file=build.qcow2")
}

// The guide "Adopting an existing cluster": what is there becomes configuration, and nothing changes.
func TestAccGuides_adopting(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	made := t.TempDir()
	writeImage(t, filepath.Join(made, "debian.qcow2"))
	if err := os.WriteFile(filepath.Join(made, "main.tf"), []byte(foundThere), 0o600); err != nil {
		t.Fatal(err)
	}
	others := cluster.Terraform(t, made)
	if out, err := others("apply", "-auto-approve"); err != nil {
		t.Fatal(out)
	}
	_, run := guide(t, cluster, "adopting-a-cluster")
	run("plan", "-generate-config-out=generated.tf")
	if out := run("apply", "-auto-approve"); !strings.Contains(out, "Apply complete! Resources: 3 imported, 0 added, 0 changed, 0 destroyed.") {
		t.Error(out)
	}
	run("plan", "-detailed-exitcode")
	if out, err := others("destroy", "-auto-approve"); err != nil {
		t.Error(out)
	}
}

// foundThere is what the cluster of that guide has already.
const foundThere = `terraform {
  required_providers {
    harvester = { source = "harvester-community/harvester" }
  }
}
resource "harvester_image" "debian" {
  name         = "debian"
  display_name = "debian-12.qcow2"
  source_type  = "upload"
  file_path    = "debian.qcow2"
  description  = "from the dashboard"
}
resource "harvester_ssh_key" "team" {
  name       = "team"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHnG2Z2f9WjDhCoCWXgi8CIa8Lz8QSQ8SJcVBrR1Jd2 a@b"
}
resource "harvester_volume" "data" {
  name = "data"
  size = "1Gi"
}
`

// encrypted checks that the machine has a volume of an encrypted image.
func encrypted(t *testing.T, cluster *acctest.Cluster) func(*terraform.State) error {
	t.Helper()
	return func(*terraform.State) error {
		image, err := cluster.Images.Get(t.Context(), "default", "trixie-encrypted")
		if err != nil {
			return err
		}
		machine, err := kube.For[api.MachineVolumes](cluster.Client, api.VirtualMachines, "VirtualMachine").Get(t.Context(), "default", "vault")
		if err != nil {
			return err
		}
		if state := imagestate.Of(image); !state.Ready() || !state.Encrypted || len(machine.Spec.Template.Spec.Volumes) != 1 {
			return fmt.Errorf("the image is %s, encrypted: %t; the machine has %d volumes", state.Status(), state.Encrypted, len(machine.Spec.Template.Spec.Volumes))
		}
		return nil
	}
}
