// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
)

// made is what a creation wrote.
type made struct {
	object  *kubevirtv1.VirtualMachine
	secrets []*corev1.Secret // with its cloud-init data
}

// create writes the machine, and then the Secret it needs, if any: the Secret
// belongs to the machine and goes with it. What was made is returned with an error too.
func (r *Resource) create(ctx context.Context, plan *model) (*made, diag.Diagnostics) {
	m, diags := plan.machine(ctx)
	if diags.HasError() {
		return nil, diags
	}
	m, wanted, more := r.prepare(ctx, m, nil)
	if diags.Append(more...); diags.HasError() {
		return nil, diags
	}
	diags.Append(r.checkSnapshot(ctx, m)...)
	name := cloudinit.SecretPrefix(plan.Name.ValueString()) + rand.String(5)
	data := wanted.Offload(name)
	vm := blank(plan.Namespace.ValueString(), plan.Name.ValueString())
	if diags.Append(m.onto(ctx, vm, nil, wanted)...); diags.HasError() {
		return nil, diags
	}
	m.hold(vm)
	vm.Annotations = merged(vm.Annotations, none, map[string]string{api.AnnotationOrigin: plan.origin()})
	created, err := r.post(ctx, vm)
	if err != nil {
		existing, more := r.existing(ctx, plan, vm, err)
		return existing, append(diags, more...)
	}
	result := &made{object: created}
	if data != nil {
		secret, err := r.secrets.Create(ctx, vm.Namespace, ownedSecret(created, name, data))
		if err != nil {
			return result, append(diags, diagnose.API("create the Secret with the cloud-init data for", plan.title(),
				"The machine exists but cannot start. It is marked for replacement: the next apply starts over.", err))
		}
		result.secrets = []*corev1.Secret{secret}
	}
	result.object, more = r.insist(ctx, m, withTemplate(created))
	return result, append(diags, more...)
}

// hold makes the machine halted if it is to ask for something: Harvester's webhook puts
// its own numbers into a new machine, and it must not start with those.
func (m machine) hold(vm *kubevirtv1.VirtualMachine) {
	if halted := kubevirtv1.RunStrategyHalted; m.runs() && len(m.requests.list()) > 0 {
		vm.Spec.RunStrategy = &halted
	}
}

// post sends the machine, and once more if the answer is lost: if it was made all the
// same, the next try says so.
func (r *Resource) post(ctx context.Context, vm *kubevirtv1.VirtualMachine) (*kubevirtv1.VirtualMachine, error) {
	for try := 1; ; try++ {
		created, err := r.machines.Create(ctx, vm.Namespace, vm)
		if err == nil || !kube.Transient(err) || try == tries {
			return created, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(time.Second << try):
		}
	}
}

// origin is the fingerprint of what is planned. A new machine carries it until its creation
// is over, so that the next apply of the same plan can tell what a killed one left behind.
func (m *model) origin() string {
	planned := *m
	planned.Timeouts = nil
	sum := sha256.Sum256([]byte(fmt.Sprint(planned)))
	return hex.EncodeToString(sum[:])
}

// existing goes on with the machine that an earlier apply of the same plan made before it
// was killed. Any other is a mistake.
func (r *Resource) existing(ctx context.Context, plan *model, wanted *kubevirtv1.VirtualMachine, err error) (*made, diag.Diagnostics) {
	if !apierrors.IsAlreadyExists(err) {
		left := "Nothing was created."
		if kube.Transient(err) {
			left = "Whether it was created is not known: if so, the next apply goes on with it."
		}
		return nil, diag.Diagnostics{diagnose.API("create", plan.title(), left, err)}
	}
	live, err := r.machines.Get(ctx, wanted.Namespace, wanted.Name)
	switch {
	case err != nil:
		return nil, diag.Diagnostics{diagnose.API("create", plan.title(), "Nothing was created or changed.", err)}
	case live.DeletionTimestamp != nil:
		return nil, diag.Diagnostics{diag.NewErrorDiagnostic("Virtual machine is being deleted", fmt.Sprintf(
			"There still is a %s, which is being deleted. Nothing was created or changed.\n\nApply again when it is gone.", plan.title()))}
	case live.Annotations[api.AnnotationOrigin] != wanted.Annotations[api.AnnotationOrigin]:
		id := plan.Namespace.ValueString() + "/" + plan.Name.ValueString()
		return nil, diag.Diagnostics{diag.NewErrorDiagnostic("Virtual machine exists already", fmt.Sprintf("There is a virtual machine %q already. Nothing was created or changed.\n\n"+
			"Choose another name, or take it over: terraform import %s.<name> %s", id, Type, id))}
	}
	tflog.Info(ctx, "Going on with what an earlier apply of the same plan began", map[string]any{"machine": plan.title()})
	return r.takeOver(ctx, plan, live)
}

// takeOver finishes a machine that was begun, as an update of it would.
func (r *Resource) takeOver(ctx context.Context, plan *model, live *kubevirtv1.VirtualMachine) (*made, diag.Diagnostics) {
	state, after := *plan, *plan
	diags := state.read(ctx, sight{vm: live})
	state.CloudInit = types.ListNull(plan.CloudInit.ElementType(ctx)) // its Secret may be missing
	before, more := state.machine(ctx)
	diags.Append(more...)
	m, more := after.machine(ctx)
	diags.Append(more...)
	for i := range m.disks {
		m.disks[i].Settle(before.disk(m.disks[i]), live.Namespace)
	}
	diags.Append(m.pack(ctx)...)
	if diags.HasError() {
		return nil, diags
	}
	_, more = r.change(ctx, &after, &state)
	diags.Append(more...)
	seen, err := r.look(ctx, plan)
	if err != nil {
		return nil, append(diags, diagnose.API("read", plan.title(), "The next apply goes on with it.", err))
	}
	return &made{object: seen.vm, secrets: seen.secrets}, diags
}

// finish takes the mark of a creation under way off the machine. One that keeps it is none
// the worse.
func (r *Resource) finish(ctx context.Context, vm *kubevirtv1.VirtualMachine) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	_, err := r.machines.Patch(ctx, vm.Namespace, vm.Name, map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{api.AnnotationOrigin: nil}},
	})
	if err != nil {
		tflog.Warn(ctx, "The mark of a creation under way stays on the machine", map[string]any{"error": diagnose.Said(err)})
	}
}

func ownedSecret(vm *kubevirtv1.VirtualMachine, name string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: vm.Namespace, Name: name, Labels: map[string]string{labelCreator: creator},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: kubevirtv1.SchemeGroupVersion.String(), Kind: "VirtualMachine", Name: vm.Name, UID: vm.UID,
			}},
		},
		Data: data,
	}
}
