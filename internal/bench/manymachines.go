// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// manyMachines are in the state when it is planned again, and tenfold for how the cost grows.
	manyMachines = 500
	// manyImages are what their disks are made from.
	manyImages = 50
)

// planMany plans virtual machines and images again, with the real terraform and the real provider, by turns with as
// many instances of Terraform's own terraform_data, whose states hold as many values. Both look everything up.
func planMany(ctx context.Context, b *bench, r *report) error {
	ours, err := manyOf(ctx, b, manyMachines)
	if err != nil {
		return err
	}
	defer ours.stop()
	null, err := ours.null(ctx, b)
	if err != nil {
		return err
	}
	var ratios []float64
	var asked int64
	for range b.rounds {
		alone, err := null.plan(ctx)
		if err != nil {
			return err
		}
		ours.requests.Store(0)
		whole, err := ours.plan(ctx)
		if err != nil {
			return err
		}
		asked = max(asked, ours.requests.Load())
		ratios = append(ratios, whole.wall.Seconds()/alone.wall.Seconds())
	}
	if asked == 0 {
		return errors.New("a plan asked the server nothing")
	}
	r.figure("plan_500vm_requests", float64(asked), 0, fmt.Sprintf("%d virtual machines and %d images", manyMachines, manyImages))
	wall := median(ratios)
	r.figure("plan_500vm_wall_vs_null", wall, 2, spread(ratios))
	return nil
}

// planGrowth plans ten times as many virtual machines, by turns with as many as planMany does.
func planGrowth(ctx context.Context, b *bench, r *report) error {
	few, err := manyOf(ctx, b, manyMachines)
	if err != nil {
		return err
	}
	defer few.stop()
	many, err := manyOf(ctx, b, 10*manyMachines)
	if err != nil {
		return err
	}
	defer many.stop()
	alone, err := few.nullGrowth(ctx, b)
	if err != nil {
		return err
	}
	var ratios, memory []float64
	for range b.rounds {
		small, err := few.plan(ctx)
		if err != nil {
			return err
		}
		large, err := many.plan(ctx)
		if err != nil {
			return err
		}
		ratios = append(ratios, large.wall.Seconds()/small.wall.Seconds())
		memory = append(memory, float64(large.peak)/1024)
	}
	wall := median(ratios)
	r.figure("plan_5000vm_wall_vs_500vm", wall, 2, fmt.Sprintf("%s; as many terraform_data: %.2f", spread(ratios), alone))
	if slices.Max(memory) > 0 { // only Linux tells it
		r.figure("plan_5000vm_rss_mib", slices.Max(memory), 0, fmt.Sprintf("the provider's most of %d plans", len(memory)))
	}
	return nil
}

// many is a workspace with virtual machines and images in its state, and their server.
type many struct {
	*workspace
	*estate
}

func (m *many) stop() { m.estate.stop() }

// manyOf applies one virtual machine for each image, and gives state and server the others: the
// same under other names. That an apply would have left them like this, the empty plans show.
func manyOf(ctx context.Context, b *bench, machines int) (*many, error) {
	server := startEstate()
	work, err := newWorkspace(b, estateConfig(manyImages), server.Server)
	if err == nil {
		_, err = work.terraform(ctx, "apply", "-auto-approve")
	}
	if err == nil {
		err = work.multiply("harvester_virtualmachine", manyImages, machines)
	}
	if err == nil {
		err = server.multiply(manyImages, machines)
	}
	if err == nil {
		err = work.configure(estateConfig(machines))
	}
	if err != nil {
		server.stop()
		return nil, err
	}
	return &many{work, server}, nil
}

func estateConfig(machines int) string {
	return fmt.Sprintf(`
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
`, manyImages, machines, manyImages)
}

// null is a workspace with as many instances of terraform_data as this one has in its state, each with as many values:
// half of them in its input, which its output repeats.
func (m *many) null(ctx context.Context, b *bench) (*workspace, error) {
	images, err := m.values("harvester_image")
	if err != nil {
		return nil, err
	}
	machines, err := m.values("harvester_virtualmachine")
	if err != nil {
		return nil, err
	}
	null, err := newWorkspace(b, nullConfig(images/2, machines/2), m.estate.Server)
	if err != nil {
		return nil, err
	}
	_, err = null.terraform(ctx, "apply", "-auto-approve")
	return null, err
}

// nullGrowth is how many times as long Terraform takes to plan ten times as many instances of terraform_data, each with as many
// values as a machine has.
func (m *many) nullGrowth(ctx context.Context, b *bench) (float64, error) {
	values, err := m.values("harvester_virtualmachine")
	if err != nil {
		return 0, err
	}
	var took [2]run
	for i, machines := range []int{manyMachines, 10 * manyMachines} {
		null, err := newWorkspace(b, nullMachines(manyImages, values/2), m.estate.Server)
		if err == nil {
			_, err = null.terraform(ctx, "apply", "-auto-approve")
		}
		if err == nil {
			err = null.multiply("terraform_data", manyImages, machines)
		}
		if err == nil {
			err = null.configure(nullMachines(machines, values/2))
		}
		if err == nil {
			took[i], err = null.plan(ctx)
		}
		if err != nil {
			return 0, err
		}
	}
	return took[1].wall.Seconds() / took[0].wall.Seconds(), nil
}

func nullMachines(machines, values int) string {
	return fmt.Sprintf(`
resource "terraform_data" "machine" {
  count = %d
  input = {
%s  }
}
`, machines, nullValues(values))
}

func nullConfig(images, machines int) string {
	return fmt.Sprintf(`
resource "terraform_data" "image" {
  count = %d
  input = {
%s  }
}

resource "terraform_data" "machine" {
  count = %d
  input = {
    image = terraform_data.image[count.index %% %d].id
%s  }
}
`, manyImages, nullValues(images), manyMachines, manyImages, nullValues(machines-1))
}

// nullValues are values that workspace.multiply can give to other instances.
func nullValues(count int) string {
	var lines strings.Builder
	for i := range count {
		fmt.Fprintf(&lines, "    value%d = \"%d-vm-${count.index}\"\n", i, i)
	}
	return lines.String()
}
