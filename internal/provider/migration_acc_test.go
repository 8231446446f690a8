// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// What the guide "Coming from the official provider" says of state replace-provider and of a part that stays
// with the official provider is Terraform's doing. Under both addresses is this provider: it is not its behaviour that is tried.
func TestAccMigration_keepsAPart(t *testing.T) {
	t.Parallel()
	w := migrating(t, acctest.Shared(t).Kubeconfig)
	const ours, theirs = "harvester-community/harvester", "harvester/harvester"
	name := acctest.Name(t)
	w.configure(name, "harvester = { source = \""+theirs+"\" }", "")
	w.terraform("apply", "-auto-approve")
	w.wants(theirs, theirs)
	w.save("before")

	w.configure(name, "harvester = { source = \""+ours+"\" }\n    official = { source = \""+theirs+"\" }", "provider = official")
	w.settled()
	w.wants(theirs, theirs) // a plan notes nothing
	w.terraform("apply", "-auto-approve")
	w.wants(ours, theirs)

	w.restore("before")
	w.terraform("state", "replace-provider", "-auto-approve", theirs, ours)
	w.wants(ours, ours)
	w.settled()
	w.terraform("apply", "-auto-approve")
	w.wants(ours, theirs)

	w.terraform("state", "mv", "-state-out=other.tfstate", "harvester_ssh_key.b", "harvester_ssh_key.b")
	if got := w.providers("other.tfstate"); len(got) != 1 || got["b"] != theirs {
		t.Errorf("the other state has %v", got)
	}
	w.restore("before")
	w.terraform("destroy", "-auto-approve")
}

// migration is a folder with a configuration of two keys, and a state in it.
type migration struct {
	*testing.T
	dir string
	env []string
}

func migrating(t *testing.T, kubeconfig string) *migration {
	t.Helper()
	w := &migration{T: t, dir: t.TempDir()}
	plugins := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(plugins, "terraform-provider-harvester"), "../..").CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, out)
	}
	w.write("terraformrc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    %q = %q\n    %q = %[2]q\n  }\n  direct {}\n}\n",
		provider.Address, plugins, "registry.terraform.io/harvester/harvester"))
	w.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir, "TF_CLI_CONFIG_FILE=" + filepath.Join(w.dir, "terraformrc"),
		"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "HARVESTER_KUBECONFIG=" + kubeconfig,
	}
	return w
}

func (w *migration) write(name, text string) {
	w.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
}

// configure writes the configuration; the second key has one more argument.
func (w *migration) configure(name, providers, more string) {
	w.Helper()
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHnG2Z2f9WjDhCoCWXgi8CIa8Lz8QSQ8SJcVBrR1Jd2 a@b"
	w.write("main.tf", fmt.Sprintf(`terraform {
  required_providers {
    %[2]s
  }
}
resource "harvester_ssh_key" "a" {
  name       = "%[1]s-a"
  public_key = %[4]q
}
resource "harvester_ssh_key" "b" {
  name       = "%[1]s-b"
  public_key = %[4]q
  %[3]s
}
`, name, providers, more, key))
}

func (w *migration) terraform(arguments ...string) {
	w.Helper()
	command := exec.CommandContext(w.Context(), acctest.Program(), arguments...)
	command.Dir, command.Env = w.dir, w.env
	if output, err := command.CombinedOutput(); err != nil {
		w.Fatalf("terraform %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}

// settled wants a plan without changes.
func (w *migration) settled() {
	w.Helper()
	w.terraform("plan", "-detailed-exitcode")
}

func (w *migration) save(name string)    { w.rename("terraform.tfstate", name) }
func (w *migration) restore(name string) { w.rename(name, "terraform.tfstate") }

func (w *migration) rename(from, to string) {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, from))
	if err != nil {
		w.Fatal(err)
	}
	w.write(to, string(text))
}

// wants compares the providers that the state names beside the two keys.
func (w *migration) wants(a, b string) {
	w.Helper()
	if got := w.providers("terraform.tfstate"); got["a"] != a || got["b"] != b {
		w.Errorf("the state has %v, want %s and %s", got, a, b)
	}
}

func (w *migration) providers(state string) map[string]string {
	w.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, state))
	if err != nil {
		w.Fatal(err)
	}
	var content struct {
		Resources []struct{ Name, Provider string }
	}
	if err := json.Unmarshal(text, &content); err != nil {
		w.Fatal(err)
	}
	found := map[string]string{}
	for _, r := range content.Resources {
		found[r.Name] = strings.TrimSuffix(strings.TrimPrefix(r.Provider, `provider["registry.terraform.io/`), `"]`)
	}
	return found
}
