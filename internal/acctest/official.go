// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package acctest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// Official is a resource as a state of the official provider has it.
type Official struct {
	Type, Name string
	Attributes map[string]any
}

// TakeOver plans the configuration, by terraform itself, on a state as the official provider writes it and
// terraform state replace-provider hands it over. The plan must be empty.
func (c *Cluster) TakeOver(t *testing.T, config string, states ...Official) {
	t.Helper()
	var resources []map[string]any
	for _, state := range states {
		resources = append(resources, map[string]any{
			"mode": "managed", "type": state.Type, "name": state.Name, "provider": fmt.Sprintf("provider[%q]", provider.Address),
			"instances": []any{map[string]any{"schema_version": 0, "attributes": state.Attributes, "sensitive_attributes": []any{}}},
		})
	}
	state, err := json.Marshal(map[string]any{
		"version": 4, "terraform_version": "1.9.0", "serial": 1, "lineage": "00000000-0000-0000-0000-000000000001", "outputs": map[string]any{}, "resources": resources,
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"terraform.tfstate": string(state),
		"main.tf":           fmt.Sprintf("terraform {\n  required_providers {\n    harvester = { source = %q }\n  }\n}\n%s", provider.Address, config),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := c.Terraform(t, dir)("plan", "-detailed-exitcode", "-input=false", "-no-color"); err != nil {
		t.Errorf("the state of the official provider is not taken over as it is: %v\n%s", err, out)
	}
}

// Program is the terraform, or tofu, that the tests run: as terraform-plugin-testing does.
func Program() string { return cmp.Or(os.Getenv("TF_ACC_TERRAFORM_PATH"), "terraform") }

// Terraform returns how to run terraform itself in that folder, with this provider and on this cluster, and what it prints.
func (c *Cluster) Terraform(t *testing.T, dir string) func(arguments ...string) (string, error) {
	t.Helper()
	built := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(built, "terraform-provider-harvester"), //nolint:gosec // a folder of the test
		"github.com/harvester-community/terraform-provider-harvester")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, out)
	}
	settings := filepath.Join(built, "terraformrc")
	text := fmt.Sprintf("provider_installation {\n  dev_overrides { %q = %q }\n  direct {}\n}\n", provider.Address, built)
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program := Program()
	return func(arguments ...string) (string, error) {
		command := exec.CommandContext(t.Context(), program, arguments...) //nolint:gosec // the test's own
		command.Dir = dir
		command.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+settings, "CHECKPOINT_DISABLE=1", "HARVESTER_KUBECONFIG="+c.Kubeconfig)
		out, err := command.CombinedOutput()
		return string(out), err
	}
}
