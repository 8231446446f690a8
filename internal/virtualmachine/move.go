// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// inUse is in the words in which Harvester refuses a volume that another machine has.
const inUse = "already used by other VM"

const (
	// untilPlanned is how long a machine that takes a volume waits for the plan of the one that has it. Terraform
	// begins with all machines of an apply at about the same time.
	untilPlanned = 10 * time.Second
	// untilFree is how long it waits in all, for the change of that one too.
	untilFree = 2 * time.Minute
)

// whenFree sends a request for a machine that takes over volumes. Terraform knows no order between the machine
// that gets a volume and the one that loses it in the same apply, so the one waits for the other.
func (r *Resource) whenFree(ctx context.Context, namespace string, volumes []string, send func() error) error {
	for try := 1; ; try++ {
		err := send()
		if err == nil || len(volumes) == 0 || !strings.Contains(err.Error(), inUse) || try == tries || !r.freed(ctx, namespace, volumes) {
			return err
		}
		wait.Pause(ctx, time.Duration(try)*200*time.Millisecond) // Harvester itself sees it a little later
	}
}

// freed waits until no machine has the volumes. It says no as soon as one has them that does not let go in this run.
func (r *Resource) freed(ctx context.Context, namespace string, volumes []string) bool {
	ctx, cancel := context.WithTimeout(ctx, untilFree)
	defer cancel()
	machines := kube.For[api.MachineVolumes](r.Session.Client, api.VirtualMachines, "VirtualMachine")
	for {
		all, err := machines.List(ctx, namespace, "")
		if err != nil {
			return false
		}
		held := false
		for _, volume := range volumes {
			for _, machine := range holders(all, volume) {
				if held = true; !r.releases(ctx, machine, volume) {
					return false
				}
			}
		}
		if !held {
			return true
		}
		wait.Pause(ctx, time.Second)
	}
}

func holders(machines []api.MachineVolumes, volume string) []api.MachineVolumes {
	return slices.DeleteFunc(slices.Clone(machines), func(machine api.MachineVolumes) bool { return !machine.Has(volume) })
}

// releases says that a machine lets go of a volume in this run, or by ending.
func (r *Resource) releases(ctx context.Context, machine api.MachineVolumes, volume string) bool {
	if machine.DeletionTimestamp != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, untilPlanned)
	defer cancel()
	return r.Session.Machines.Releases(ctx, session.MachineID(tfbase.ID(machine.Namespace, machine.Name)), volume)
}

// attached lists the volumes of others that the machine gets, and did not have before.
func (m machine) attached(before *machine) []string {
	var had, attached []string
	for _, d := range before.known() {
		had = append(had, d.VolumeName.ValueString(), d.ExistingVolumeName.ValueString())
	}
	for _, d := range m.disks {
		if name := d.ExistingVolumeName.ValueString(); name != "" && !slices.Contains(had, name) {
			attached = append(attached, name)
		}
	}
	return attached
}
