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
	{"SIGTERM to both", func(c *course) { c.signal(syscall.SIGTERM, true, true) }},
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
	var converged, lost atomic.Int32
	t.Cleanup(func() {
		_, _ = fmt.Fprintf(os.Stdout, "kills: %d rounds, %d converged, in %d Terraform lost its state\n", rounds, converged.Load(), lost.Load())
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
			switch err := c.survives(way.kill, moment, destroying); {
			case err == nil:
				converged.Add(1)
			case errors.Is(err, errStateLost):
				lost.Add(1)
				t.Skip(err)
			default:
				t.Error(err)
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
	command, undo := "apply", "destroy"
	if destroying {
		command, undo = undo, command
		if output, err := c.again("apply"); err != nil {
			return fmt.Errorf("before: %w: %s", err, output)
		}
	}
	for !c.killedAfter(moment, kill, command) { // a run that ended first proves nothing
		if output, err := c.again(undo); err != nil {
			return fmt.Errorf("before: %w: %s", err, output)
		}
		moment = moment * 2 / 3
	}
	lost := c.stateLost()
	if err := c.noOrphans(); err != nil {
		return err
	}
	output, err := c.again("apply")
	switch {
	case err != nil && lost:
		return errStateLost
	case err != nil:
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

// killedAfter runs terraform and kills it after a while; no if it has ended before.
func (c *course) killedAfter(moment time.Duration, kill func(*course), command string) bool {
	c.killed = false
	done := make(chan struct{})
	timer := time.AfterFunc(moment, func() {
		kill(c)
		close(done)
	})
	c.said, _ = c.run(command, "-auto-approve", "-input=false", "-no-color")
	if !timer.Stop() {
		<-done
	}
	return c.killed
}

// errStateLost: Terraform is interrupted twice, says that data may be lost, and leaves an empty state, or none. What it
// had finished by then is nobody's, and only an import brings it back.
var errStateLost = errors.New("terraform lost its state")

func (c *course) stateLost() bool {
	info, err := os.Stat(filepath.Join(c.dir, "terraform.tfstate"))
	return strings.Contains(c.said, "data loss may have occurred") && (err != nil || info.Size() == 0)
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
