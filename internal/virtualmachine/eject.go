// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

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
