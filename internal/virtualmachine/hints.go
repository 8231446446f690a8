// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

// hints says what keeps a machine from starting, as far as the cluster shows
// it: volumes that are not there yet, with the last warning about each, and the last
// warning about the machine. It is for messages; what cannot be read is left out.
func (r *Resource) hints(ctx context.Context, vm *kubevirtv1.VirtualMachine) []string {
	if vm == nil {
		return nil
	}
	var hints []string
	for _, volume := range withTemplate(vm).Spec.Template.Spec.Volumes {
		if name := disk.Claim(&volume); name != "" {
			hints = append(hints, r.volumeHints(ctx, vm.Namespace, name, volume.Name)...)
		}
	}
	if warning := objects.LastWarning(ctx, r.Session.Client, vm.Namespace, vm.Name); warning != "" {
		hints = append(hints, "Last warning about the machine: "+warning)
	}
	return hints
}

func (r *Resource) volumeHints(ctx context.Context, namespace, name, disk string) []string {
	volume, err := r.volumes.Get(ctx, namespace, name)
	var hint string
	switch {
	case apierrors.IsNotFound(err):
		hint = fmt.Sprintf("The volume %q of the disk %q does not exist.", name, disk)
	case err != nil || volume.Status.Phase == corev1.ClaimBound:
		return nil
	default:
		hint = fmt.Sprintf("The volume %q of the disk %q is %s.", name, disk, volume.Status.Phase)
	}
	if warning := objects.LastWarning(ctx, r.Session.Client, namespace, name); warning != "" {
		hint += " Last warning about it: " + warning
	}
	return []string{hint}
}
