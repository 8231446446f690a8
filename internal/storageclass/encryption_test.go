// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package storageclass_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// encrypted are the parameters of a class for encryption with a secret of that name.
func encrypted(secret string) map[string]string {
	parameters := map[string]string{"encrypted": "true", "migratable": "true"}
	for _, use := range []string{"provisioner", "node-stage", "node-publish"} {
		parameters["csi.storage.k8s.io/"+use+"-secret-name"] = secret
		parameters["csi.storage.k8s.io/"+use+"-secret-namespace"] = "default"
	}
	return parameters
}

func parametersText(parameters map[string]string) string {
	lines := []string{"parameters = {"}
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		lines = append(lines, fmt.Sprintf("    %q = %q", key, parameters[key]))
	}
	return strings.Join(append(lines, "  }"), "\n")
}

func secret(t *testing.T, cluster *acctest.Cluster, name, without string) {
	t.Helper()
	data := map[string]any{
		"CRYPTO_KEY_VALUE": "correct horse", "CRYPTO_KEY_PROVIDER": "secret", "CRYPTO_KEY_CIPHER": "aes-xts-plain64",
		"CRYPTO_KEY_HASH": "sha256", "CRYPTO_KEY_SIZE": "256", "CRYPTO_PBKDF": "argon2i",
	}
	delete(data, without)
	cluster.Apply(t, api.Secrets, "default", map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name}, "stringData": data,
	})
}

// The secret behind a class for encryption is checked at plan, key by key.
func TestAccStorageClass_encryption(t *testing.T) {
	t.Parallel()
	cluster := acctest.Shared(t)
	disagreeing := encrypted("one")
	disagreeing["csi.storage.k8s.io/node-stage-secret-name"] = "another"
	lacking := encrypted("one")
	delete(lacking, "csi.storage.k8s.io/node-publish-secret-name")
	for label, test := range map[string]struct {
		parameters map[string]string // nil: those with the secret of the test's name
		without    string
		wants      string
	}{
		"other secrets":      {parameters: disagreeing, wants: `(?s)Storage class cannot encrypt.*different\s+secrets`},
		"no secret for one":  {parameters: lacking, wants: `(?s)Storage class cannot encrypt.*node-publish-secret-name`},
		"a key is missing":   {without: "CRYPTO_KEY_CIPHER", wants: `(?s)Encryption secret.*CRYPTO_KEY_CIPHER\s+is missing`},
		"no passphrase":      {without: "CRYPTO_KEY_VALUE", wants: `(?s)Encryption secret.*CRYPTO_KEY_VALUE`},
		"neither yes nor no": {parameters: map[string]string{"encrypted": "perhaps"}, wants: `(?s)Storage class cannot encrypt.*perhaps`},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			name := acctest.Name(t)
			if test.parameters == nil {
				secret(t, cluster, name, test.without)
				test.parameters = encrypted(name)
			}
			resource.Test(t, resource.TestCase{
				ProtoV6ProviderFactories: acctest.Factories,
				CheckDestroy:             gone(cluster, name),
				Steps: []resource.TestStep{{
					Config: config(name, parametersText(test.parameters)), PlanOnly: true, ExpectError: acctest.Said(test.wants),
				}},
			})
		})
	}
}

// A secret that is not there yet may come with the same run: the plan passes, the apply does not.
func TestAccStorageClass_secretComesLater(t *testing.T) {
	t.Parallel()
	cluster, name := acctest.Shared(t), acctest.Name(t)
	wanted := config(name, parametersText(encrypted(name)))
	resource.Test(t, resource.TestCase{
		ProtoV6ProviderFactories: acctest.Factories,
		CheckDestroy:             gone(cluster, name),
		Steps: []resource.TestStep{
			{Config: wanted, PlanOnly: true, ExpectNonEmptyPlan: true},
			{
				Config:      wanted,
				ExpectError: acctest.Said(`Encryption secret not found.*Nothing was\s+created`),
			},
			{PreConfig: func() { secret(t, cluster, name, "") }, Config: wanted},
			{ResourceName: address, ImportState: true, ImportStateVerify: true},
		},
	})
}
