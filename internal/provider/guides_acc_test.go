// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
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
