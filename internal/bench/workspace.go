// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// workspace is a folder with a configuration, and what the real terraform needs to run it with the real provider.
type workspace struct {
	dir string
	env []string
}

// newWorkspace makes one whose provider speaks to that server.
func newWorkspace(b *bench, config string, server *httptest.Server) (*workspace, error) {
	dir, err := os.MkdirTemp(b.dir, "workspace-*")
	if err != nil {
		return nil, err
	}
	if b.provider == "" {
		return nil, errors.New("-provider does not name the program to measure; make bench builds it")
	}
	plugin, err := filepath.Abs(b.provider)
	if err != nil {
		return nil, err
	}
	if err := os.Symlink(plugin, filepath.Join(dir, "terraform-provider-harvester")); err != nil {
		return nil, err
	}
	w := &workspace{dir: dir}
	w.env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+w.path("cli.tfrc"), kube.EnvKubeconfig+"="+w.path("kubeconfig"),
		"XDG_CACHE_HOME="+w.path("cache"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	return w, errors.Join(
		w.write("cli.tfrc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    %q = %q\n  }\n  direct {}\n}\n", provider.Address, dir)),
		w.write("kubeconfig", kubeconfig(server)),
		w.write("terraform.tf", fmt.Sprintf("terraform {\n  required_providers {\n    harvester = {\n      source = %q\n    }\n  }\n}\n", provider.Address)),
		w.configure(config),
	)
}

func (w *workspace) path(name string) string { return filepath.Join(w.dir, name) }

func (w *workspace) write(name, content string) error {
	return os.WriteFile(w.path(name), []byte(content), 0o600)
}

// configure replaces the configuration.
func (w *workspace) configure(config string) error { return w.write("main.tf", config) }

func kubeconfig(server *httptest.Server) string {
	ca := base64.StdEncoding.EncodeToString([]byte(certificate(server)))
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: bench
clusters: [{name: bench, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: bench, user: {token: bench}}]
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
`, server.URL, ca)
}

func (w *workspace) terraform(ctx context.Context, command string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "terraform", append([]string{command, "-no-color", "-input=false"}, arguments...)...) //nolint:gosec // arguments of our own
	cmd.Dir, cmd.Env = w.dir, w.env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil { // hundreds of instances may say the same
		return "", fmt.Errorf("terraform %s: %w: %.2000s", command, err, stderr.String())
	}
	return string(out), nil
}

// run is what a run of terraform took.
type run struct {
	wall time.Duration
	usage
}

// timed runs terraform and looks at its provider meanwhile.
func (w *workspace) timed(ctx context.Context, command string, arguments ...string) (string, run, error) {
	used := observe(w.dir)
	begun := time.Now()
	out, err := w.terraform(ctx, command, arguments...)
	wall := time.Since(begun)
	return out, run{wall, used()}, err
}

// plan times a plan, which must find nothing to change.
func (w *workspace) plan(ctx context.Context) (run, error) {
	out, took, err := w.timed(ctx, "plan")
	if err == nil && !strings.Contains(out, "No changes.") {
		err = fmt.Errorf("the plan is not empty: %s", out[max(0, len(out)-2000):])
	}
	return took, err
}

// state is what Terraform saves, as far as it matters here.
type state map[string]any

// resource is the one of that type in the state.
func (s state) resource(kind string) (map[string]any, error) {
	resources, _ := s["resources"].([]any)
	for _, one := range resources {
		if resource, _ := one.(map[string]any); resource["type"] == kind {
			return resource, nil
		}
	}
	return nil, fmt.Errorf("the state has no %s", kind)
}

func (w *workspace) state() (state, error) {
	text, err := os.ReadFile(w.path("terraform.tfstate"))
	if err != nil {
		return nil, err
	}
	var s state
	return s, json.Unmarshal(text, &s)
}

// multiply makes more instances of a resource in the state out of the first ones. Those are named after it and their index.
func (w *workspace) multiply(kind string, from, to int) error {
	s, err := w.state()
	if err != nil {
		return err
	}
	resource, err := s.resource(kind)
	if err != nil {
		return err
	}
	instances, _ := resource["instances"].([]any)
	if len(instances) != from {
		return fmt.Errorf("the state has %d of %s, want %d", len(instances), kind, from)
	}
	for i := from; i < to; i++ {
		instance, err := renamed(instances[i%from].(map[string]any), i%from, i) //nolint:forcetypeassert // so Terraform writes it
		if err != nil {
			return err
		}
		instance["index_key"] = i
		instances = append(instances, instance)
	}
	resource["instances"] = instances
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return w.write("terraform.tfstate", string(text))
}

// values counts the values that an instance of the resource has in the state; each null and each empty list is one too.
func (w *workspace) values(kind string) (int, error) {
	s, err := w.state()
	if err != nil {
		return 0, err
	}
	resource, err := s.resource(kind)
	if err != nil {
		return 0, err
	}
	instances, _ := resource["instances"].([]any)
	first, _ := instances[0].(map[string]any)
	return leaves(first["attributes"]), nil
}

func leaves(value any) (count int) {
	switch value := value.(type) {
	case map[string]any:
		for _, member := range value {
			count += leaves(member)
		}
	case []any:
		for _, element := range value {
			count += leaves(element)
		}
	}
	return max(count, 1)
}
