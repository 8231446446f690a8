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
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
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
				Spec:       kubevirtv1.VirtualMachineInstanceSpec{EvictionStrategy: &eviction, Affinity: spread()},
			},
		},
	}
}

func spread() *corev1.Affinity {
	return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{
			Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				TopologyKey: corev1.LabelHostname,
				LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: labelCreator, Operator: metav1.LabelSelectorOpExists},
				}},
			},
		}},
	}}
}

// onto writes the machine onto an object: a blank one, or a copy of the live
// one, in which all that the machine says nothing about stays. Before is the
// machine as the state knew it, nil on creation: what it had and the machine has
// not is removed. A nil seed leaves the cloud-init data as they are.
func (m machine) onto(ctx context.Context, vm *kubevirtv1.VirtualMachine, before *machine, seed *seed) diag.Diagnostics {
	if vm.Spec.Template == nil {
		vm.Spec.Template = &kubevirtv1.VirtualMachineInstanceTemplateSpec{}
	}
	diags := m.ontoMetadata(ctx, vm, before)
	m.ontoRunStrategy(vm)
	m.ontoCompute(vm)
	m.ontoFirmware(&vm.Spec.Template.Spec.Domain)
	m.ontoPlacement(ctx, &vm.Spec.Template.Spec, &diags)
	m.ontoNetwork(&vm.Spec.Template.Spec)
	m.ontoInputs(&vm.Spec.Template.Spec.Domain.Devices)
	if err := m.ontoDisks(vm, before, seed); err != nil {
		diags.AddError("Virtual machine not usable", err.Error()+".")
	}
	return diags
}

func (m machine) ontoMetadata(ctx context.Context, vm *kubevirtv1.VirtualMachine, before *machine) diag.Diagnostics {
	labels, diags := m.metadata().Labelled(ctx)
	annotations := m.metadata().Annotated()
	if set(m.ReservedMemory) {
		annotations[annotationReservedMemory] = m.ReservedMemory.ValueString()
	}
	oldLabels, oldAnnotations := map[string]string{}, []string{api.AnnotationDescription, annotationReservedMemory}
	if before != nil {
		var more diag.Diagnostics
		oldLabels, more = before.metadata().Labelled(ctx)
		diags.Append(more...)
	}
	template := &vm.Spec.Template.ObjectMeta
	vm.Labels = merged(vm.Labels, maps.Keys(oldLabels), labels)
	template.Labels = merged(template.Labels, maps.Keys(oldLabels), labels)
	vm.Annotations = merged(vm.Annotations, slices.Values(oldAnnotations), annotations)
	template.Annotations = merged(template.Annotations, none, map[string]string{
		annotationSSHNames: names(m.keyIDs()), annotationLeases: names(m.leases()),
	})
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
func (m machine) ontoRunStrategy(vm *kubevirtv1.VirtualMachine) {
	wanted := kubevirtv1.VirtualMachineRunStrategy(m.RunStrategy.ValueString())
	if current, err := vm.RunStrategy(); err == nil && current == wanted && vm.Spec.Running != nil {
		return // said in the older way
	}
	vm.Spec.Running, vm.Spec.RunStrategy = nil, &wanted
	if wanted != kubevirtv1.RunStrategyHalted {
		vm.Annotations = merged(vm.Annotations, none, map[string]string{annotationRunStrategy: string(wanted)})
	}
}

func (m machine) ontoCompute(vm *kubevirtv1.VirtualMachine) {
	domain := &vm.Spec.Template.Spec.Domain
	if domain.CPU == nil {
		domain.CPU = &kubevirtv1.CPU{}
	}
	if domain.Resources.Limits == nil {
		domain.Resources.Limits = corev1.ResourceList{}
	}
	domain.CPU.Model = m.CPUModel.ValueString()
	domain.CPU.DedicatedCPUPlacement = m.CPUPinning.ValueBool()
	domain.CPU.IsolateEmulatorThread = m.IsolateEmulatorThread.ValueBool()
	m.ontoCPUs(vm, domain)
	m.ontoMemory(vm, domain)
}

// ontoCPUs keeps the topology as long as the number is right. Sockets can be
// added to a running machine that allows it; all others get cores.
func (m machine) ontoCPUs(vm *kubevirtv1.VirtualMachine, domain *kubevirtv1.DomainSpec) {
	cpu, wanted := domain.CPU, m.CPU.ValueInt64()
	perSocket := atLeastOne(cpu.Cores) * atLeastOne(cpu.Threads)
	_, limited := domain.Resources.Limits[corev1.ResourceCPU]
	switch {
	case hotpluggable(vm) && wanted%perSocket == 0:
		if cpus(vm) != wanted {
			cpu.Sockets = uint32(wanted / perSocket) //nolint:gosec // a number of CPUs
		}
		return
	case cpus(vm) == wanted && limited:
		return
	case cpus(vm) != wanted || cpu.Cores == 0:
		cpu.Cores, cpu.Sockets, cpu.Threads = uint32(wanted), 1, 1 //nolint:gosec // a number of CPUs
	}
	domain.Resources.Limits[corev1.ResourceCPU] = *resource.NewQuantity(wanted, resource.DecimalSI)
}

func (m machine) ontoMemory(vm *kubevirtv1.VirtualMachine, domain *kubevirtv1.DomainSpec) {
	wanted, err := resource.ParseQuantity(m.Memory.ValueString())
	if current := memory(vm); err != nil || current != nil && current.Cmp(wanted) == 0 {
		return
	}
	if hotpluggable(vm) && domain.Memory != nil {
		domain.Memory.Guest = &wanted
		return
	}
	domain.Resources.Limits[corev1.ResourceMemory] = wanted
}

// hotpluggable says that CPUs and memory can grow while the machine runs. Then the
// limits are the maximum.
func hotpluggable(vm *kubevirtv1.VirtualMachine) bool {
	return vm.Annotations[annotationHotplug] == "true"
}

// cpus is the number of CPUs the machine has.
func cpus(vm *kubevirtv1.VirtualMachine) int64 {
	cpu := vm.Spec.Template.Spec.Domain.CPU
	if cpu == nil {
		return 1
	}
	return atLeastOne(cpu.Cores) * atLeastOne(cpu.Sockets) * atLeastOne(cpu.Threads)
}

// memory is what the machine has, nil if it does not say. Without hotplug that is
// the limit: Harvester takes what the emulator needs from it.
func memory(vm *kubevirtv1.VirtualMachine) *resource.Quantity {
	domain := vm.Spec.Template.Spec.Domain
	limit, limited := domain.Resources.Limits[corev1.ResourceMemory]
	if domain.Memory != nil && domain.Memory.Guest != nil && (hotpluggable(vm) || !limited) {
		return domain.Memory.Guest
	}
	if !limited {
		return nil
	}
	return &limit
}

func atLeastOne(n uint32) int64 { return max(1, int64(n)) }

func (m machine) ontoFirmware(domain *kubevirtv1.DomainSpec) {
	if machineType := m.MachineType.ValueString(); machineType != "" {
		domain.Machine = &kubevirtv1.Machine{Type: machineType}
	}
	secured := secureBoot(domain)
	switch {
	case m.EFI.ValueBool():
		if wanted := m.SecureBoot.ValueBool(); !efi(domain) || secured != wanted {
			bootloader(domain).SecureBoot = &wanted
		}
	case domain.Firmware != nil && domain.Firmware.Bootloader != nil:
		domain.Firmware.Bootloader.EFI = nil
		if domain.Firmware.Bootloader.BIOS == nil {
			domain.Firmware.Bootloader = nil
		}
	}
	if secured != secureBoot(domain) {
		securedBy(domain, m.SecureBoot.ValueBool())
	}
}

// bootloader returns the EFI settings, made if need be. UUID and serial of the
// firmware stay: guests are known by them.
func bootloader(domain *kubevirtv1.DomainSpec) *kubevirtv1.EFI {
	if domain.Firmware == nil {
		domain.Firmware = &kubevirtv1.Firmware{}
	}
	if domain.Firmware.Bootloader == nil {
		domain.Firmware.Bootloader = &kubevirtv1.Bootloader{}
	}
	domain.Firmware.Bootloader.BIOS = nil
	if domain.Firmware.Bootloader.EFI == nil {
		domain.Firmware.Bootloader.EFI = &kubevirtv1.EFI{}
	}
	return domain.Firmware.Bootloader.EFI
}

// securedBy turns on the processor mode that secure boot needs, or off with it.
func securedBy(domain *kubevirtv1.DomainSpec, secure bool) {
	if !secure {
		if domain.Features != nil {
			domain.Features.SMM = nil
		}
		return
	}
	if domain.Features == nil {
		domain.Features = &kubevirtv1.Features{}
	}
	domain.Features.SMM = &kubevirtv1.FeatureState{Enabled: &secure}
}

func efi(domain *kubevirtv1.DomainSpec) bool {
	return domain.Firmware != nil && domain.Firmware.Bootloader != nil && domain.Firmware.Bootloader.EFI != nil
}

// secureBoot is on with EFI unless turned off: so KubeVirt has it.
func secureBoot(domain *kubevirtv1.DomainSpec) bool {
	return efi(domain) && (domain.Firmware.Bootloader.EFI.SecureBoot == nil || *domain.Firmware.Bootloader.EFI.SecureBoot)
}

func (m machine) ontoPlacement(ctx context.Context, spec *kubevirtv1.VirtualMachineInstanceSpec, diags *diag.Diagnostics) {
	if known(m.Hostname) {
		spec.Hostname = m.Hostname.ValueString()
	}
	spec.NodeSelector = nil
	if len(m.NodeSelector.Elements()) > 0 {
		diags.Append(m.NodeSelector.ElementsAs(ctx, &spec.NodeSelector, false)...)
	}
}

func (m machine) ontoInputs(devices *kubevirtv1.Devices) {
	devices.Inputs = nil
	for _, input := range m.inputs {
		devices.Inputs = append(devices.Inputs, kubevirtv1.Input{
			Name: input.Name.ValueString(),
			Type: kubevirtv1.InputType(input.Type.ValueString()),
			Bus:  kubevirtv1.InputBus(input.Bus.ValueString()),
		})
	}
	switch {
	case m.tpm == nil:
		devices.TPM = nil
	case devices.TPM == nil:
		devices.TPM = &kubevirtv1.TPMDevice{}
	}
}
