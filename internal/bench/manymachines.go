// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// manyMachines and manyImages are what is in the state when it is planned again.
const (
	manyMachines = 500
	manyImages   = 50
)

// planMany brings virtual machines and images into a state, with the real terraform and
// the real provider, and plans them again: with all of them looked up, and
// without (what Terraform itself needs), in turns.
func planMany(ctx context.Context, b *bench, r *report) error {
	server := startEstate()
	defer server.stop()
	work, err := newWorkspace(ctx, b, server)
	if err != nil {
		return err
	}
	if _, err := work.terraform(ctx, "apply", "-auto-approve", "-parallelism=50"); err != nil {
		return err
	}
	var ratios []float64
	var asked int64
	for range b.rounds {
		alone, err := work.plan(ctx, "-refresh=false")
		if err != nil {
			return err
		}
		server.requests.Store(0)
		whole, err := work.plan(ctx)
		if err != nil {
			return err
		}
		asked = max(asked, server.requests.Load())
		ratios = append(ratios, whole.Seconds()/alone.Seconds())
	}
	if asked == 0 {
		return errors.New("a plan asked the server nothing")
	}
	r.figure("plan_500vm_requests", float64(asked), 0, fmt.Sprintf("%d virtual machines and %d images", manyMachines, manyImages))
	wall := median(ratios)
	r.figure("plan_500vm_wall_vs_core", wall, 2, fmt.Sprintf("pairs from %.2f to %.2f", ratios[0], ratios[len(ratios)-1]))
	return nil
}

// workspace is a folder with a configuration, and what terraform needs to run it.
type workspace struct {
	dir string
	env []string
}

func newWorkspace(ctx context.Context, b *bench, server *estate) (*workspace, error) {
	w := &workspace{dir: filepath.Join(b.dir, "many")}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return nil, err
	}
	plugin := filepath.Join(w.dir, "terraform-provider-harvester")
	build := exec.CommandContext(ctx, "go", "build", "-o", plugin, ".") //nolint:gosec // into a folder of our own
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the provider: %w: %s", err, out)
	}
	files := map[string]string{
		"cli.tfrc":   fmt.Sprintf("provider_installation {\n  dev_overrides {\n    %q = %q\n  }\n  direct {}\n}\n", provider.Address, w.dir),
		"main.tf":    estateConfig,
		"kubeconfig": kubeconfig(server),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	w.env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(w.dir, "cli.tfrc"),
		kube.EnvKubeconfig+"="+filepath.Join(w.dir, "kubeconfig"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1")
	return w, nil
}

var estateConfig = fmt.Sprintf(`
terraform {
  required_providers {
    harvester = {
      source = %q
    }
  }
}

resource "harvester_image" "many" {
  count        = %d
  name         = "image-${count.index}"
  display_name = "image-${count.index}"
  source_type  = "download"
  url          = "https://images.example/image-${count.index}.qcow2"
}

resource "harvester_virtualmachine" "many" {
  count  = %d
  name   = "vm-${count.index}"
  memory = "2Gi"
  disk {
    name        = "root"
    size        = "10Gi"
    image       = harvester_image.many[count.index %% %d].id
    auto_delete = true
  }
  network_interface {
    name = "default"
  }
}
`, provider.Address, manyImages, manyMachines, manyImages)

func kubeconfig(server *estate) string {
	ca := base64.StdEncoding.EncodeToString([]byte(certificate(server.Server)))
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: bench
clusters: [{name: bench, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: bench, user: {token: bench}}]
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
`, server.URL, ca)
}

func (w *workspace) terraform(ctx context.Context, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "terraform", append(arguments, "-no-color", "-input=false")...) //nolint:gosec // arguments of our own
	cmd.Dir, cmd.Env = w.dir, w.env
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("terraform %s: %w: %s", arguments[0], err, errors.String())
	}
	return string(out), nil
}

// plan times a plan, which must find nothing to change.
func (w *workspace) plan(ctx context.Context, arguments ...string) (time.Duration, error) {
	begun := time.Now()
	out, err := w.terraform(ctx, append([]string{"plan"}, arguments...)...)
	if err == nil && !strings.Contains(out, "No changes.") {
		err = fmt.Errorf("the plan is not empty: %s", out[max(0, len(out)-2000):])
	}
	return time.Since(begun), err
}
