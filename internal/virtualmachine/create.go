// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
)

// made is what a creation wrote.
type made struct {
	object *kubevirtv1.VirtualMachine
	secret *corev1.Secret
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
	name := ownSecretPrefix(plan.Name.ValueString()) + rand.String(5)
	data := wanted.offload(name)
	vm := blank(plan.Namespace.ValueString(), plan.Name.ValueString())
	if diags.Append(m.onto(ctx, vm, nil, wanted)...); diags.HasError() {
		return nil, diags
	}
	created, err := r.machines.Create(ctx, vm.Namespace, vm)
	if err != nil {
		return nil, append(diags, createFailed(plan, err))
	}
	result := &made{object: created}
	if data != nil {
		result.secret, err = r.secrets.Create(ctx, vm.Namespace, ownedSecret(created, name, data))
		if err != nil {
			diags.Append(diagnose.API("create the Secret with the cloud-init data for", plan.title(),
				"The machine exists but cannot start. It is marked for replacement: the next apply starts over.", err))
		}
	}
	return result, diags
}

func createFailed(plan *model, err error) diag.Diagnostic {
	if apierrors.IsAlreadyExists(err) {
		id := plan.Namespace.ValueString() + "/" + plan.Name.ValueString()
		return diag.NewErrorDiagnostic("Virtual machine exists already", fmt.Sprintf("There is a virtual machine %q already. Nothing was created or changed.\n\n"+
			"Choose another name, or take it over: terraform import %s.<name> %s", id, Type, id))
	}
	return diagnose.API("create", plan.title(), "Nothing was created.", err)
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

// ownSecretName is the Secret this provider made for the machine, "" if there is none.
func ownSecretName(vm *kubevirtv1.VirtualMachine) string {
	volume := seedVolume(&withTemplate(vm).Spec.Template.Spec)
	if volume == nil {
		return ""
	}
	live := readSeed(volume)
	for _, name := range []string{live.userDataSecret, live.networkDataSecret} {
		if ownSecret(vm.Name, name) {
			return name
		}
	}
	return ""
}
