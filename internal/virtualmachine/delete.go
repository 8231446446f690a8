// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// remove deletes the machine and waits until it, its instance and the volumes
// that go with it are gone. It works in any state the machine is in.
func (r *Resource) remove(ctx context.Context, state *model) diag.Diagnostics {
	known, diags := state.machine(ctx)
	if diags.HasError() {
		return diags
	}
	vm, err := r.machines.Get(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	if apierrors.IsNotFound(err) {
		return diags
	}
	if err != nil {
		return append(diags, diagnose.API("read", state.title(), "Nothing was deleted.", err))
	}
	volumes := disk.Doomed(known.disks, withTemplate(vm))
	if err := r.doom(ctx, vm, volumes); err != nil {
		return append(diags, diagnose.API("mark the volumes to be deleted with", state.title(), "Nothing was deleted.", err))
	}
	err = r.machines.Delete(ctx, vm.Namespace, vm.Name, vm.UID)
	if err != nil && !apierrors.IsNotFound(err) {
		return append(diags, diagnose.API("delete", state.title(), "It still exists.", err))
	}
	return append(diags, r.awaitGone(ctx, state, vm, volumes)...)
}

// doom tells Harvester which volumes to delete with the machine: these and no
// others, whatever was noted before.
func (r *Resource) doom(ctx context.Context, vm *kubevirtv1.VirtualMachine, volumes []string) error {
	wanted := strings.Join(volumes, ",")
	if vm.DeletionTimestamp != nil || vm.Annotations[api.AnnotationRemovedPVCs] == wanted {
		return nil
	}
	var value any = wanted
	if wanted == "" {
		value = nil
	}
	_, err := r.machines.Patch(ctx, vm.Namespace, vm.Name, map[string]any{
		"metadata": map[string]any{"uid": string(vm.UID), "annotations": map[string]any{api.AnnotationRemovedPVCs: value}},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (r *Resource) awaitGone(ctx context.Context, state *model, vm *kubevirtv1.VirtualMachine, volumes []string) diag.Diagnostics {
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
		if err := r.Session.Hub.UntilGone(ctx, e.target, stillThere(e.what)); err != nil {
			return diag.Diagnostics{diagnose.API("see the end of", state.title(),
				"Its deletion was accepted and goes on in the cluster. Apply again to see it through.", err)}
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

// stillThere describes what is not gone yet, and what holds it.
func stillThere(what string) func(*unstructured.Unstructured) string {
	return func(object *unstructured.Unstructured) string {
		text := what + " still exists"
		if finalizers := object.GetFinalizers(); len(finalizers) > 0 {
			text += ", held by " + strings.Join(finalizers, ", ")
		}
		return text
	}
}
