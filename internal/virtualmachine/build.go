// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/device"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/placement"
)

// blank is a machine before anything is asked of it. Machines spread over the
// nodes and move away from a node that is drained, if they can.
func blank(namespace, name string) *kubevirtv1.VirtualMachine {
	eviction := kubevirtv1.EvictionStrategyLiveMigrateIfPossible
	return &kubevirtv1.VirtualMachine{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name,
			Labels: map[string]string{labelCreator: creator},
		},
		Spec: kubevirtv1.VirtualMachineSpec{
			Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{labelCreator: creator, labelVMName: name}},
				Spec:       kubevirtv1.VirtualMachineInstanceSpec{EvictionStrategy: &eviction, Affinity: &corev1.Affinity{PodAntiAffinity: placement.Spread()}},
			},
		},
	}
}

// onto writes the machine onto an object: a blank one, or a copy of the live
// one, in which all that the machine says nothing about stays. Before is the
// machine as the state knew it, nil on creation: what it had and the machine has
// not is removed. A nil seed leaves the cloud-init data as they are.
func (m machine) onto(ctx context.Context, vm *kubevirtv1.VirtualMachine, before *machine, seed *cloudinit.Seed) diag.Diagnostics {
	if vm.Spec.Template == nil {
		vm.Spec.Template = &kubevirtv1.VirtualMachineInstanceTemplateSpec{}
	}
	devices := &vm.Spec.Template.Spec.Domain.Devices
	diags := m.ontoMetadata(ctx, vm, before)
	m.ontoRunStrategy(vm, before != nil && m.RunStrategy.Equal(before.RunStrategy))
	m.ontoCompute(vm, before == nil)
	m.ontoFirmware(&vm.Spec.Template.Spec.Domain)
	m.ontoEnd(&vm.Spec.Template.Spec)
	m.ontoNode(ctx, &vm.Spec.Template.Spec, &diags)
	m.placement.Onto(&vm.Spec.Template.Spec, before.placed())
	nic.Onto(&vm.Spec.Template.Spec, m.interfaces)
	device.InputsOnto(devices, m.inputs)
	device.TPMOnto(devices, m.tpm)
	device.HostsOnto(devices, m.hosts)
	if err := disk.Onto(vm, m.disks, before.known()); err != nil {
		diags.AddError("Virtual machine not usable", "The volumes of the machine cannot be written down: "+err.Error()+".")
	}
	if seed != nil {
		seed.Onto(&vm.Spec.Template.Spec)
	}
	return diags
}

func (m machine) ontoMetadata(ctx context.Context, vm *kubevirtv1.VirtualMachine, before *machine) diag.Diagnostics {
	labels, diags := m.metadata().Labelled(ctx)
	annotations := m.metadata().Annotated()
	if arg.Set(m.ReservedMemory) {
		annotations[annotationReservedMemory] = m.ReservedMemory.ValueString()
	}
	// A mark of volumes to be deleted with it is from a deletion that did not come about.
	oldLabels, oldAnnotations := map[string]string{}, []string{api.AnnotationDescription, annotationReservedMemory, api.AnnotationRemovedPVCs}
	if before != nil {
		var more diag.Diagnostics
		oldLabels, more = before.metadata().Labelled(ctx)
		diags.Append(more...)
	}
	for key, value := range oldLabels {
		if current, kept := labels[key]; kept && current == value {
			delete(labels, key) // a machine made elsewhere may have it in one place only
			delete(oldLabels, key)
		}
	}
	template := &vm.Spec.Template.ObjectMeta
	vm.Labels = merged(vm.Labels, maps.Keys(oldLabels), labels)
	template.Labels = merged(template.Labels, maps.Keys(oldLabels), labels)
	vm.Annotations = merged(vm.Annotations, slices.Values(oldAnnotations), annotations)
	if before == nil || !slices.Equal(qualifiedAll(sshNames(vm), vm.Namespace), m.keyIDs()) {
		template.Annotations = merged(template.Annotations, none, map[string]string{annotationSSHNames: names(m.keyIDs())})
	}
	if before == nil || !slices.Equal(nic.Leases(vm), m.leases()) {
		template.Annotations = merged(template.Annotations, none, map[string]string{nic.AnnotationLeases: names(m.leases())})
	}
	return diags
}

// merged is a map without the old keys and with the new ones. Nil stays nil if there is nothing.
func merged(values map[string]string, old iter.Seq[string], wanted map[string]string) map[string]string {
	result := maps.Clone(values)
	if result == nil {
		result = map[string]string{}
	}
	for key := range old {
		delete(result, key)
	}
	maps.Copy(result, wanted)
	if len(result) == 0 {
		return nil
	}
	return result
}

// none removes nothing.
func none(func(string) bool) {}

// names is a list as annotations hold it.
func names(values []string) string {
	text, _ := json.Marshal(values) // strings always encode
	return string(text)
}

// ontoRunStrategy also sets the strategy that Harvester goes back to: it
// would put an earlier one in the place of ours when the machine is started.
// Kept says that the machine had the strategy before.
func (m machine) ontoRunStrategy(vm *kubevirtv1.VirtualMachine, kept bool) {
	wanted := kubevirtv1.VirtualMachineRunStrategy(m.RunStrategy.ValueString())
	if current, err := vm.RunStrategy(); err == nil && (current == wanted || kept && stopped(current, m.RunStrategy)) && (vm.Spec.Running != nil || vm.Spec.RunStrategy != nil) {
		return // said in the older way perhaps
	}
	vm.Spec.Running, vm.Spec.RunStrategy = nil, &wanted
	if wanted != kubevirtv1.RunStrategyHalted {
		vm.Annotations = merged(vm.Annotations, none, map[string]string{annotationRunStrategy: string(wanted)})
	}
}

// stopped says that a machine which is started and stopped elsewhere has been stopped there: Harvester writes Halted
// for that, and the strategy before it when it starts the machine again.
func stopped(live kubevirtv1.VirtualMachineRunStrategy, known types.String) bool {
	return live == kubevirtv1.RunStrategyHalted && known.ValueString() == string(kubevirtv1.RunStrategyManual)
}

func (m machine) ontoNode(ctx context.Context, spec *kubevirtv1.VirtualMachineInstanceSpec, diags *diag.Diagnostics) {
	if arg.Known(m.Hostname) {
		spec.Hostname = m.Hostname.ValueString()
	}
	spec.NodeSelector = nil
	if len(m.NodeSelector.Elements()) > 0 {
		diags.Append(m.NodeSelector.ElementsAs(ctx, &spec.NodeSelector, false)...)
	}
}

// placed is where the machine was to run; nowhere in particular if there was none.
func (m *machine) placed() placement.Placement {
	if m == nil {
		return placement.Placement{}
	}
	return m.placement
}
