// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// private is the data that Terraform keeps for the provider beside the state.
type private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// keyOwed marks a machine whose initial snapshot was asked for and not made. Read then says
// that there is none, so that the next plan makes it.
const keyOwed = "initial_snapshot_owed"

func owesSnapshot(ctx context.Context, data private) bool {
	value, _ := data.GetKey(ctx, keyOwed)
	return string(value) == "true"
}

// initialSnapshot is the snapshot of a machine in its first state.
func initialSnapshot(vm *kubevirtv1.VirtualMachine) *api.VirtualMachineBackup {
	return snapshotOf(vm, snapshotName(vm.Name))
}

func snapshotOf(vm *kubevirtv1.VirtualMachine, name string) *api.VirtualMachineBackup {
	group := kubevirtv1.SchemeGroupVersion.Group
	return &api.VirtualMachineBackup{
		ObjectMeta: metav1.ObjectMeta{Namespace: vm.Namespace, Name: name, Labels: map[string]string{labelCreator: creator}},
		Spec: api.VirtualMachineBackupSpec{
			Source: corev1.TypedLocalObjectReference{APIGroup: &group, Kind: "VirtualMachine", Name: vm.Name},
			Type:   api.TypeSnapshot,
		},
	}
}

func snapshotName(vmName string) string { return vmName + "-initial" }

func (r *Resource) snapshots() kube.Resource[api.VirtualMachineBackup] {
	return kube.For[api.VirtualMachineBackup](r.Session.Client, api.VirtualMachineBackups, "VirtualMachineBackup")
}

// checkSnapshot: a snapshot of another machine would be taken for that of this one.
func (c *checking) checkSnapshot(ctx context.Context, m machine) diag.Diagnostics {
	if !m.CreateInitialSnapshot.ValueBool() {
		return nil
	}
	namespace, name := m.Namespace.ValueString(), m.Name.ValueString()
	snapshot, err := read(c, c.snapshots())(ctx, namespace, snapshotName(name))
	if err != nil {
		return c.unchecked(err) // there is none; a right that is missing, or the like, is no proof
	}
	if vm, err := read(c, c.machines)(ctx, namespace, name); err == nil && taken(snapshot, vm) {
		return nil // by an apply that was killed, or of the machine that is replaced
	}
	return c.inTheWay(path.Root("create_initial_snapshot"), "Snapshot exists already",
		fmt.Sprintf("There is a snapshot %q in the namespace %q already, of another machine.", snapshot.Name, namespace),
		"Delete that snapshot if it is not needed any more, or remove create_initial_snapshot.")
}

// taken says that a snapshot is one of this very machine. Harvester notes that a moment after it
// was asked for it.
func taken(snapshot *api.VirtualMachineBackup, vm *kubevirtv1.VirtualMachine) bool {
	uid := snapshot.Status.SourceUID
	return uid != nil && *uid == vm.UID || uid == nil && !snapshot.CreationTimestamp.Before(&vm.CreationTimestamp)
}

// snapshot takes the initial snapshot, and notes that it is owed until it is usable.
func (r *Resource) snapshot(ctx context.Context, m *model, data private) diag.Diagnostics {
	diags := data.SetKey(ctx, keyOwed, []byte("true"))
	err := r.takeSnapshot(ctx, m)
	if err == nil {
		return append(diags, data.SetKey(ctx, keyOwed, []byte("false"))...)
	}
	return append(diags, diagnose.API("take the initial snapshot of", m.title(), "The machine itself is as planned. The next apply tries again.", err))
}

// attempts is how often a snapshot is asked for: Harvester refuses it while a new volume
// is not there yet.
const attempts = 10

func (r *Resource) takeSnapshot(ctx context.Context, m *model) error {
	vm, err := r.machines.Get(ctx, m.Namespace.ValueString(), m.Name.ValueString())
	if err != nil {
		return err
	}
	if err = r.askSnapshot(ctx, initialSnapshot(vm)); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return r.awaitSnapshot(ctx, vm, snapshotName(vm.Name), nil)
}

// askSnapshot asks for a snapshot, patiently.
func (r *Resource) askSnapshot(ctx context.Context, wanted *api.VirtualMachineBackup) error {
	for try := 1; ; try++ {
		_, err := r.snapshots().Create(ctx, wanted.Namespace, wanted)
		if err == nil || apierrors.IsAlreadyExists(err) || try == attempts || apierrors.IsForbidden(err) || kube.Transient(err) { // that was tried long enough
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// awaitSnapshot waits until a snapshot can be used. Hear is told of each step; it can be nil.
func (r *Resource) awaitSnapshot(ctx context.Context, vm *kubevirtv1.VirtualMachine, name string, hear func(string)) error {
	target := wait.Target{Resource: api.VirtualMachineBackups, Namespace: vm.Namespace, Name: name}
	_, err := r.Session.Hub.Until(ctx, target, func(object *unstructured.Unstructured) (wait.Progress, error) {
		snapshot, err := decoded[api.VirtualMachineBackup](object)
		if err != nil || snapshot == nil {
			return wait.Progress{Message: "the snapshot does not exist yet"}, err
		}
		return snapshotProgress(snapshot, vm)
	}, wait.Options{OnChange: hear})
	return err
}

func snapshotProgress(snapshot *api.VirtualMachineBackup, vm *kubevirtv1.VirtualMachine) (wait.Progress, error) {
	status := snapshot.Status
	switch {
	case !taken(snapshot, vm):
		return wait.Progress{}, fmt.Errorf("there is a snapshot %q of another machine", snapshot.Name)
	case status.ReadyToUse != nil && *status.ReadyToUse:
		return wait.Progress{Done: true}, nil
	case status.Error != nil && status.Error.Message != nil:
		return wait.Progress{Message: *status.Error.Message}, nil
	}
	return wait.Progress{Message: fmt.Sprintf("the snapshot is taken, %d %%", status.Progress)}, nil
}
