// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret_test

import (
	"archive/zip"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// What is write-only is in no state, plan, output or log, though terraform and the
// provider, as programs of their own, log all they can. The text beside it, which is
// not write-only, shows that the search finds what is there.
func TestAccCloudInitSecret_writeOnlyIsNowhere(t *testing.T) {
	t.Parallel()
	c, name := shared(t), acctest.Name(t)
	const hidden, shown = "#!/bin/sh\n# quenched-halibut\n", "# visible-mackerel\n"
	run := cli(t, c, "TF_VAR_hidden="+hidden, fmt.Sprintf(`
variable "hidden" {
  type      = string
  ephemeral = true
}
variable "generation" {
  type = number
}
resource "harvester_cloudinit_secret" "test" {
  name                 = %q
  user_data_wo         = var.hidden
  user_data_wo_version = var.generation
  network_data         = %q
}
`, name, shown))

	for _, generation := range []int{1, 2} {
		plan := fmt.Sprintf("plan-%d", generation)
		run.terraform("plan", "-out="+plan, fmt.Sprintf("-var=generation=%d", generation))
		run.write(plan+".json", run.terraform("show", "-json", plan))
		run.terraform("apply", plan)
	}
	if err := c.holds(name, map[string]string{"userdata": hidden, "networkdata": shown})(nil); err != nil {
		t.Error(err)
	}
	run.write("state.json", run.terraform("show", "-json"))
	run.terraform("plan", "-var=generation=2")
	found := run.search("visible-mackerel")
	for _, file := range []string{"terraform.tfstate", "plan-1/tfplan", "state.json", "plan-1.json"} {
		if !strings.Contains(found, file) {
			t.Errorf("the search does not find in %s what must be there, only in: %s", file, found)
		}
	}
	if trace, err := os.Stat(filepath.Join(run.dir, "trace.log")); err != nil || trace.Size() < 10_000 {
		t.Errorf("there is no log to search: %v", err)
	}
	if found := run.search("quenched-halibut"); found != "" {
		t.Errorf("the write-only data are in %s", found)
	}
	run.terraform("destroy", "-auto-approve", "-var=generation=2")
	if err := c.gone(name)(nil); err != nil {
		t.Error(err)
	}
	if found := run.search("quenched-halibut"); found != "" {
		t.Errorf("after the destruction the write-only data are in %s", found)
	}
}

// runner runs terraform in a folder, with the provider as a program.
type runner struct {
	*testing.T
	dir  string
	env  []string
	runs int
}

func cli(t *testing.T, c cluster, secret, config string) *runner {
	t.Helper()
	bin, dir := t.TempDir(), t.TempDir()
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "terraform-provider-harvester"), "../..").CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, output)
	}
	r := &runner{T: t, dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + bin, "TF_CLI_CONFIG_FILE=" + filepath.Join(bin, "terraformrc"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
		"TF_LOG=trace", "TF_LOG_PATH=" + filepath.Join(dir, "trace.log"), kube.EnvKubeconfig + "=" + c.Kubeconfig, secret,
	}}
	override := fmt.Sprintf("provider_installation {\n  dev_overrides { %q = %q }\n  direct {}\n}\n", provider.Address, bin)
	if err := os.WriteFile(filepath.Join(bin, "terraformrc"), []byte(override), 0o600); err != nil {
		t.Fatal(err)
	}
	r.write("main.tf", fmt.Sprintf("terraform {\n  required_providers {\n    harvester = { source = %q }\n  }\n}\n",
		strings.TrimPrefix(provider.Address, "registry.terraform.io/"))+config)
	return r
}

// terraform returns what it prints, which is also kept to be searched.
func (r *runner) terraform(args ...string) string {
	r.Helper()
	command := exec.CommandContext(r.Context(), acctest.Program(), args...)
	command.Dir, command.Env = r.dir, r.env
	output, err := command.CombinedOutput()
	r.runs++
	r.write(fmt.Sprintf("output-%d.txt", r.runs), string(output))
	if err != nil {
		r.Fatalf("terraform %v: %v\n%s", args, err, output)
	}
	return string(output)
}

func (r *runner) write(name, content string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
		r.Fatal(err)
	}
}

// search names the files that hold the word, as it is or in base64; a plan is an archive of files.
func (r *runner) search(word string) (found string) {
	r.Helper()
	look := func(name string, content io.ReadCloser, err error) {
		if err != nil {
			r.Fatal(err)
		}
		defer func() { _ = content.Close() }()
		text, err := io.ReadAll(content)
		if err != nil {
			r.Fatal(err)
		}
		if holds(string(text), word) {
			found += name + " "
		}
	}
	files, err := os.ReadDir(r.dir)
	if err != nil {
		r.Fatal(err)
	}
	for _, file := range files {
		if file.IsDir() || file.Name() == "main.tf" {
			continue
		}
		path := filepath.Join(r.dir, file.Name())
		content, err := os.Open(path)
		look(file.Name(), content, err)
		if archive, err := zip.OpenReader(path); err == nil {
			for _, entry := range archive.File {
				if strings.HasPrefix(entry.Name, "tfconfig/") {
					continue
				}
				content, err := entry.Open()
				look(file.Name()+"/"+entry.Name, content, err)
			}
			_ = archive.Close()
		}
	}
	return found
}

// holds looks for the word in plain text and in the three ways base64 can show it,
// depending on what stands before it.
func holds(text, word string) bool {
	for offset := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + word))
		// The first and the last digits depend on the neighbours.
		if strings.Contains(text, encoded[4:len(encoded)-4]) {
			return true
		}
	}
	return strings.Contains(text, word)
}
