// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

const nothingDeleted = "Nothing was deleted."

// remove deletes the machine and waits until it, its instance and the volumes
// that go with it are gone. It works in any state the machine is in.
func (r *Resource) remove(ctx context.Context, state *model, identity objects.Identity) diag.Diagnostics {
	known, diags := state.machine(ctx)
	if diags.HasError() {
		return diags
	}
	r.Session.Machines.Plan(session.MachineID(tfbase.KeyID(state)), known.volumes())
	var volumes []string
	removal := objects.Removing(r.Session.Hub, r.machines, identity)
	removal.Request = func(ctx context.Context, vm *kubevirtv1.VirtualMachine) (diags diag.Diagnostics) {
		if volumes, diags = r.toGo(ctx, known, withTemplate(vm)); diags.HasError() {
			return diags
		}
		return append(diags, r.request(ctx, vm, identity.Title)...)
	}
	removal.AwaitGone = func(ctx context.Context, vm *kubevirtv1.VirtualMachine) error { return r.awaitGone(ctx, vm, volumes) }
	removed := removal.Run(ctx)
	if removed.HasError() {
		removed.Append(r.stuck(ctx, identity)...)
	}
	return append(diags, removed...)
}

// stuck looks whether a machine cannot end because of its snapshots.
func (r *Resource) stuck(ctx context.Context, identity objects.Identity) (diags diag.Diagnostics) {
	ctx, cancel := wait.Afterwards(ctx)
	defer cancel()
	vm, err := r.machines.Get(ctx, identity.Namespace, identity.Name)
	if err != nil || vm.DeletionTimestamp == nil {
		return nil
	}
	listed, _ := r.listed(ctx, identity.Namespace, identity.Name) // if it cannot be read, there is nothing to tell
	for volume, snapshot := range listed {
		if _, err := r.volumes.Get(ctx, identity.Namespace, volume); apierrors.IsNotFound(err) {
			diags.AddWarning("Snapshot of a volume that is gone", fmt.Sprintf("The snapshot %q of the machine has the volume %q, which does not exist any more. Harvester cannot finish the deletion "+
				"of the machine as long as there is that snapshot.\n\nDelete the snapshot in Harvester; the deletion goes on then.", tfbase.ID(identity.Namespace, snapshot), volume))
		}
	}
	return diags
}

// request asks for the machine's deletion. What was noted stays while the deletion may still take effect, so that it
// finds the volumes to delete.
func (r *Resource) request(ctx context.Context, vm *kubevirtv1.VirtualMachine, title string) diag.Diagnostics {
	err := r.machines.Delete(ctx, vm.Namespace, vm.Name, vm.UID)
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	if kube.Rejected(err) {
		r.spare(ctx, vm)
	}
	return objects.NotDeleted(title, err)
}

// toGo tells Harvester which volumes to delete with the machine, these and no others whatever was noted before,
// and returns them. Of one that is being deleted already they are settled.
func (r *Resource) toGo(ctx context.Context, known machine, vm *kubevirtv1.VirtualMachine) ([]string, diag.Diagnostics) {
	noted := vm.Annotations[api.AnnotationRemovedPVCs]
	if vm.DeletionTimestamp != nil {
		return strings.FieldsFunc(noted, func(r rune) bool { return r == ',' || r == ' ' }), nil
	}
	volumes, diags := r.own(ctx, vm, disk.Doomed(known.disks, vm))
	wanted := strings.Join(volumes, ",")
	if diags.HasError() || noted == wanted {
		return volumes, diags
	}
	if err := r.note(ctx, vm, wanted); err != nil && !apierrors.IsNotFound(err) {
		diags.Append(diagnose.API("mark the volumes to be deleted with", known.title(), nothingDeleted, err))
	}
	return volumes, diags
}

// note writes to the machine which volumes go with it; "" stands for none.
func (r *Resource) note(ctx context.Context, vm *kubevirtv1.VirtualMachine, volumes string) error {
	var value any
	if volumes != "" {
		value = volumes
	}
	_, err := r.machines.Patch(ctx, vm.Namespace, vm.Name, map[string]any{
		"metadata": map[string]any{"uid": string(vm.UID), "annotations": map[string]any{api.AnnotationRemovedPVCs: value}},
	})
	return err
}

// spare takes back what was noted, because the machine stays: whoever deletes it one day decides
// anew about its volumes.
func (r *Resource) spare(ctx context.Context, vm *kubevirtv1.VirtualMachine) {
	ctx, cancel := wait.Afterwards(ctx)
	defer cancel()
	if err := r.note(ctx, vm, ""); err != nil {
		tflog.Warn(ctx, "The machine stays marked for its volumes to be deleted with it", map[string]any{"error": err.Error()})
	}
}

// own leaves out the volumes that are not the machine's own, with a warning about each.
func (r *Resource) own(ctx context.Context, vm *kubevirtv1.VirtualMachine, names []string) ([]string, diag.Diagnostics) {
	var volumes []string
	var diags diag.Diagnostics
	for _, name := range names {
		reason, err := r.foreign(ctx, vm, name)
		switch {
		case err != nil:
			return nil, append(diags, diagnose.API("read", fmt.Sprintf("volume %q", tfbase.ID(vm.Namespace, name)), nothingDeleted, err))
		case reason != "":
			diags.AddWarning("Volume is kept", fmt.Sprintf("The volume %q is not deleted, although auto_delete is set for its disk: %s. It stays in the cluster, with its data.\n\n"+
				"Delete it in Harvester if it is not needed any more.", tfbase.ID(vm.Namespace, name), reason))
		default:
			volumes = append(volumes, name)
		}
	}
	return volumes, diags
}

// foreign says why a volume is not the machine's own; "" if it is, or if there is none.
func (r *Resource) foreign(ctx context.Context, vm *kubevirtv1.VirtualMachine, name string) (string, error) {
	volume, err := r.volumes.Get(ctx, vm.Namespace, name)
	switch {
	case apierrors.IsNotFound(err):
		return "", nil
	case apierrors.IsForbidden(err):
		return "it cannot be read, so whose it is is not known", nil
	case err != nil:
		return "", err
	}
	machines, err := kube.For[api.MachineVolumes](r.Session.Client, api.VirtualMachines, "VirtualMachine").RecentAll(ctx, vm.Namespace)
	if err != nil && !apierrors.IsForbidden(err) {
		return "", err
	}
	return disk.Foreign(volume, vm, machines), nil
}

func (r *Resource) awaitGone(ctx context.Context, vm *kubevirtv1.VirtualMachine, volumes []string) error {
	end := []ending{
		{"the machine", wait.Target{Resource: api.VirtualMachines, Name: vm.Name, UID: vm.UID}},
		{"its instance", wait.Target{Resource: api.VirtualMachineInstances, Name: vm.Name}},
	}
	for _, volume := range volumes {
		end = append(end, ending{"the volume " + volume, wait.Target{Resource: api.PersistentVolumeClaims, Name: volume}})
	}
	for _, e := range end {
		e.target.Namespace = vm.Namespace
		if r.isGone(ctx, e.target) {
			continue
		}
		err := r.Session.Hub.UntilGone(ctx, e.target, func(object *unstructured.Unstructured) string {
			return e.what + " still exists" + objects.HeldBy(object.GetFinalizers())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ending is something that ends with the machine.
type ending struct {
	what   string
	target wait.Target
}

// isGone looks once: a watch says nothing about what went before it began.
func (r *Resource) isGone(ctx context.Context, target wait.Target) bool {
	_, err := r.Session.Client.Dynamic().Resource(target.Resource).Namespace(target.Namespace).Get(ctx, target.Name, metav1.GetOptions{})
	return apierrors.IsNotFound(err)
}
