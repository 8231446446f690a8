// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package faultmatrix

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// kills are the ways in which a run ends before its time.
var kills = []struct {
	name string
	kill func(*course)
}{
	{"SIGKILL to terraform", func(c *course) { c.signal(syscall.SIGKILL, false, true) }},
	{"SIGKILL to the provider", func(c *course) { c.signal(syscall.SIGKILL, true, false) }},
	{"SIGKILL to both", func(c *course) { c.signal(syscall.SIGKILL, true, true) }},
	{"SIGTERM to terraform", func(c *course) { c.signal(syscall.SIGTERM, false, true) }},
	{"SIGTERM to the provider", func(c *course) { c.signal(syscall.SIGTERM, true, false) }},
	{"SIGINT to both", func(c *course) { c.signal(syscall.SIGINT, true, true) }},
	{"SIGINT to both, twice", func(c *course) {
		c.signal(syscall.SIGINT, true, true)
		time.Sleep(50 * time.Millisecond)
		c.signal(syscall.SIGINT, true, true)
	}},
}

// A run that is killed at any moment leaves nothing that the next one does not put right. The seed is fixed, so
// the rounds are the same each time, as far as a cluster allows.
func TestAccFaultsKills(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	rounds := 6
	if os.Getenv(envFaults) == "all" {
		rounds = 60
	}
	var killed, converged atomic.Int32 // a run that ended before its kill proves nothing
	t.Cleanup(func() {
		_, _ = fmt.Fprintf(os.Stdout, "kills: %d rounds, %d killed before their end, %d of them converged\n", rounds, killed.Load(), converged.Load())
	})
	random := rand.New(rand.NewPCG(60, 2026)) // the same rounds each time
	for i := range rounds {
		way, destroying := kills[random.IntN(len(kills))], random.IntN(4) == 0
		moment := time.Duration(random.Int64N(int64(9 * time.Second)))
		if destroying {
			moment /= 3
		}
		t.Run(fmt.Sprintf("%02d %s after %s, destroying %t", i, way.name, moment.Round(10*time.Millisecond), destroying), func(t *testing.T) {
			t.Parallel()
			c := newCourse(t, row{})
			c.write("main.tf", c.estate())
			err := c.survives(way.kill, moment, destroying)
			if err != nil {
				t.Error(err)
			}
			if c.killed {
				killed.Add(1)
			}
			if c.killed && err == nil {
				converged.Add(1)
			}
		})
	}
}

// estate is something of every kind.
func (c *course) estate() string {
	return fmt.Sprintf(`terraform {
  required_providers {
    harvester = { source = %[1]q }
  }
}
resource "harvester_image" "test" {
  name         = %[2]q
  display_name = %[2]q
  source_type  = "upload"
  file_path    = %[3]q
}
resource "harvester_ssh_key" "test" {
  name       = %[2]q
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHnG2Z2f9WjDhCoCWXgi8CIa8Lz8QSQ8SJcVBrR1Jd2 a@b"
}
resource "harvester_cloudinit_secret" "test" {
  name      = %[2]q
  user_data = "#cloud-config\n"
}
resource "harvester_volume" "test" {
  name  = "%[2]s-data"
  size  = "1Gi"
  image = harvester_image.test.id
}
resource "harvester_image_download" "test" {
  image    = harvester_image.test.id
  filename = "${path.module}/copy.img"
}
resource "harvester_virtualmachine" "test" {
  name     = %[2]q
  memory   = "256Mi"
  ssh_keys = [harvester_ssh_key.test.id]
  cloudinit {
    user_data = "#cloud-config\n"
  }
  disk {
    name        = "root"
    image       = harvester_image.test.id
    auto_delete = true
  }
  disk {
    name                 = "data"
    existing_volume_name = harvester_volume.test.name
  }
  network_interface {
    name = "default"
  }
}
`, strings.TrimPrefix(provider.Address, "registry.terraform.io/"), c.name, c.file)
}

// survives kills a run and says what the next one does not put right.
func (c *course) survives(kill func(*course), moment time.Duration, destroying bool) error {
	first := []string{"apply", "-auto-approve", "-input=false", "-no-color"}
	if destroying {
		if output, err := c.apply(); err != nil {
			return fmt.Errorf("before: %w: %s", err, output)
		}
		first[0] = "destroy"
	}
	timer := time.AfterFunc(moment, func() { kill(c) })
	_, _ = c.run(first...)
	timer.Stop()
	if err := c.noOrphans(); err != nil {
		return err
	}
	if output, err := c.again("apply"); err != nil {
		return fmt.Errorf("the next apply: %w: %s", err, output)
	}
	if output, err := c.run("plan", "-detailed-exitcode", "-input=false", "-no-color"); err != nil {
		return fmt.Errorf("the plan after it: %w: %s", err, output)
	}
	if output, err := c.again("destroy"); err != nil {
		return fmt.Errorf("the destroy: %w: %s", err, output)
	}
	return errors.Join(c.nothingLeft(), c.noPartialFile())
}

// again runs terraform, and once more if the maker of what was begun is still about to end.
func (c *course) again(command string) (output string, err error) {
	for try := 1; ; try++ {
		output, err = c.run(command, "-auto-approve", "-input=false", "-no-color")
		if err == nil || try == 2 || !strings.Contains(output, "is being created") {
			return output, err
		}
		time.Sleep(2 * time.Second)
	}
}

// signal sends a signal to the run, if there still is one.
func (c *course) signal(signal syscall.Signal, toProvider, toTerraform bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terraform == nil {
		return
	}
	c.killed = true
	pid := c.terraform.Pid
	output, _ := exec.Command("pgrep", "-P", fmt.Sprint(pid)).Output()
	for field := range strings.FieldsSeq(string(output)) {
		provider := 0
		if _, err := fmt.Sscan(field, &provider); err != nil {
			continue
		}
		c.orphans = append(c.orphans, provider)
		if toProvider {
			_ = syscall.Kill(provider, signal)
		}
	}
	if toTerraform {
		_ = syscall.Kill(pid, signal)
	}
}

// nothingLeft looks for objects of the course.
func (c *course) nothingLeft() error {
	var left []string
	for _, kind := range []schema.GroupVersionResource{
		api.Images, api.PersistentVolumeClaims, api.VirtualMachines, api.VirtualMachineInstances, api.Secrets, api.KeyPairs, api.ImageDownloaders,
	} {
		deadline := time.Now().Add(soon)
		for {
			names, err := c.named(kind)
			if err != nil {
				return err
			}
			if len(names) == 0 || time.Now().After(deadline) {
				left = append(left, names...)
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("left behind: %s", strings.Join(left, ", "))
	}
	return nil
}

func (c *course) named(kind schema.GroupVersionResource) (names []string, err error) {
	list, err := c.cluster.Client.Dynamic().Resource(kind).Namespace("default").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, object := range list.Items {
		if strings.HasPrefix(object.GetName(), c.name) {
			names = append(names, kind.Resource+"/"+object.GetName())
		}
	}
	return names, nil
}

// noPartialFile looks for what a download left.
func (c *course) noPartialFile() error {
	files, err := filepath.Glob(filepath.Join(c.dir, "*copy.img*"))
	if err != nil {
		return err
	}
	hidden, err := filepath.Glob(filepath.Join(c.dir, ".*copy.img*"))
	if files = append(files, hidden...); len(files) > 0 {
		return fmt.Errorf("partial files: %v", files)
	}
	return err
}
