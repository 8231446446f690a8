// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
)

// made is what a creation wrote.
type made struct {
	object  *kubevirtv1.VirtualMachine
	secrets []*corev1.Secret // with its cloud-init data
}

// create writes the machine, and then the Secret it needs, if any: the Secret belongs to the machine and
// goes with it. What was made is returned with an error too; finish ends its creation.
func (r *Resource) create(ctx context.Context, plan *model) (result *made, finish func(), diags diag.Diagnostics) {
	finish = func() {}
	m, diags := plan.machine(ctx)
	if diags.HasError() {
		return nil, finish, diags
	}
	m, wanted, more := r.prepare(ctx, m, nil)
	if diags.Append(more...); diags.HasError() {
		return nil, finish, diags
	}
	name := cloudinit.SecretPrefix(plan.Name.ValueString()) + rand.String(5)
	data := wanted.Offload(name)
	vm := blank(plan.Namespace.ValueString(), plan.Name.ValueString())
	if diags.Append(m.onto(ctx, vm, nil, wanted)...); diags.HasError() {
		return nil, finish, diags
	}
	m.hold(vm)
	creation, begun := r.creation(plan, vm), false
	send := creation.Send
	creation.Send = func(ctx context.Context) (created *kubevirtv1.VirtualMachine, err error) {
		err = r.whenFree(ctx, vm.Namespace, m.attached(nil), func() (err error) {
			created, err = send(ctx)
			return err
		})
		return created, err
	}
	creation.TakeOver = func(_ context.Context, live *kubevirtv1.VirtualMachine) (*kubevirtv1.VirtualMachine, error) {
		begun = true
		return live, nil
	}
	created, finish, more := creation.Run(ctx)
	if diags.Append(more...); diags.HasError() {
		return nil, finish, diags
	}
	if begun {
		result, more = r.takeOver(ctx, plan, created)
	} else {
		result, more = r.complete(ctx, m, created, name, data)
	}
	return result, finish, append(diags, more...)
}

// creation makes the machine, or finds the one that an earlier apply of the same plan began.
func (r *Resource) creation(plan *model, vm *kubevirtv1.VirtualMachine) objects.Creation[*kubevirtv1.VirtualMachine] {
	creation := objects.Creating(r.Session.Hub, r.machines, plan.title(), vm)
	creation.Left = nothingDone
	creation.Intent = plan.intent()
	creation.Foreign = objects.Foreign{Type: Type, ID: tfbase.KeyID(plan), One: "a virtual machine", Short: "machine"}
	return creation
}

// complete gives a new machine what needs its UID, or is not taken from a new one.
func (r *Resource) complete(ctx context.Context, m machine, created *kubevirtv1.VirtualMachine, name string, data map[string][]byte) (*made, diag.Diagnostics) {
	result := &made{object: created}
	if data != nil {
		secret, err := r.secrets.Create(ctx, created.Namespace, ownedSecret(created, name, data))
		if apierrors.IsAlreadyExists(err) { // an earlier try made it, and its answer was lost: the name is ours alone
			secret, err = r.secrets.Get(ctx, created.Namespace, name)
		}
		if err != nil {
			return result, diag.Diagnostics{diagnose.API("create the Secret with the cloud-init data for", m.title(),
				"The machine exists but cannot start. It is marked for replacement: the next apply starts over.", err)}
		}
		result.secrets = []*corev1.Secret{secret}
	}
	var diags diag.Diagnostics
	result.object, diags = r.insist(ctx, m, withTemplate(created))
	return result, diags
}

// hold makes the machine halted if it is to ask for something: Harvester's webhook puts
// its own numbers into a new machine, and it must not start with those.
func (m machine) hold(vm *kubevirtv1.VirtualMachine) {
	if halted := kubevirtv1.RunStrategyHalted; m.runs() && len(m.requests.list()) > 0 {
		vm.Spec.RunStrategy = &halted
	}
}

// intent is the fingerprint of what is planned, by which the next apply of the same plan can tell
// what a killed one left behind.
func (m *model) intent() string {
	planned := *m
	planned.Timeouts = nil
	return objects.Fingerprint(fmt.Sprint(planned))
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
		return &made{object: live}, diags
	}
	_, more = r.change(ctx, &after, &state, objects.Identity{
		Title: plan.title(), Namespace: live.Namespace, Name: live.Name, UID: live.UID,
	})
	diags.Append(more...)
	seen, err := r.look(ctx, plan)
	if err != nil {
		return &made{object: live}, append(diags, diagnose.API("read", plan.title(), "The next apply goes on with it.", err))
	}
	return &made{object: seen.vm, secrets: seen.secrets}, diags
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
