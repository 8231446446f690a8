// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// discard deletes the volumes of ejected media, as far as they are the machine's own. An instance that still
// runs with one keeps it until it ends; nobody has to wait for that.
func (r *Resource) discard(ctx context.Context, m machine, volumes []string) diag.Diagnostics {
	if len(volumes) == 0 {
		return nil
	}
	var diags diag.Diagnostics
	vm, err := r.machines.Get(ctx, m.Namespace.ValueString(), m.Name.ValueString())
	if err == nil {
		volumes, diags = r.own(ctx, vm, volumes)
		volumes, err = r.unlisted(ctx, vm, volumes, &diags)
		diags = session.Warnings(diags...) // as errors they would keep the change, which is done, out of the state
	}
	for _, name := range volumes {
		if err == nil {
			err = r.deleteVolume(ctx, vm.Namespace, name)
		}
		if err != nil {
			problem := diagnose.API("delete", fmt.Sprintf("volume %q", tfbase.ID(m.Namespace.ValueString(), name)),
				"Its medium was ejected, and it stays in the cluster. Delete it in Harvester.", err)
			diags.AddWarning(problem.Summary(), problem.Detail())
		}
	}
	return diags
}

// unlisted leaves out the volumes that a snapshot of the machine lists, with a warning about each.
func (r *Resource) unlisted(ctx context.Context, vm *kubevirtv1.VirtualMachine, volumes []string, diags *diag.Diagnostics) ([]string, error) {
	listed, err := r.listed(ctx, vm.Namespace, vm.Name)
	return slices.DeleteFunc(volumes, func(name string) bool {
		snapshot, kept := listed[name]
		if kept {
			diags.AddWarning("Volume is kept", fmt.Sprintf("The volume %q of the ejected medium is not deleted, although auto_delete is set for its disk: the snapshot %q of the machine "+
				"has it, and Harvester could not delete the machine one day if the volume were gone.\n\nDelete the snapshot in Harvester, then the volume, if they are not needed any more.",
				tfbase.ID(vm.Namespace, name), tfbase.ID(vm.Namespace, snapshot)))
		}
		return kept
	}), err
}

// listed are the volumes that snapshots of the machine have, each with one of the snapshots. Harvester deletes a machine's
// snapshots with it, and stops at one whose volume is gone (pkg/controller/master/virtualmachine/vm_controller.go,
// removeVMBackupSnapshot). Those that may not be read are none.
func (r *Resource) listed(ctx context.Context, namespace, vm string) (map[string]string, error) {
	snapshots, err := r.snapshots().List(ctx, namespace, "")
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	listed := map[string]string{}
	for _, snapshot := range snapshots {
		if snapshot.Spec.Type != api.TypeSnapshot || snapshot.Spec.Source.Name != vm {
			continue
		}
		for _, volume := range snapshot.Status.VolumeBackups {
			listed[volume.PersistentVolumeClaim.Name] = snapshot.Name
		}
	}
	return listed, nil
}

// deleteVolume deletes a volume that was detached a moment ago: Harvester's webhook notices that with a delay.
func (r *Resource) deleteVolume(ctx context.Context, namespace, name string) error {
	for begun := time.Now(); ; wait.Pause(ctx, 200*time.Millisecond) {
		volume, err := r.volumes.Get(ctx, namespace, name)
		if err == nil {
			err = r.volumes.Delete(ctx, namespace, name, volume.UID)
		}
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case !apierrors.IsConflict(err) || time.Since(begun) > lag || ctx.Err() != nil:
			return err
		}
	}
}
