// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/api/resource"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

// sized is a machine with these sizes; 0 and "" are null.
func sized(cpu, sockets, threads, most int64, memory, maximum string) machine {
	m := settledDown()
	number := func(n int64) types.Int64 {
		if n == 0 {
			return types.Int64Null()
		}
		return types.Int64Value(n)
	}
	m.CPU, m.CPUSockets, m.CPUThreads, m.MaxCPU, m.Memory, m.MaxMemory = number(cpu), number(sockets), number(threads), number(most), text(memory), types.StringNull()
	if maximum != "" {
		m.MaxMemory = text(maximum)
	}
	return m
}

// hardware is what a machine has: cores, sockets, threads, the most sockets, and limit; guest memory, its maximum, and limit.
func hardware(vm *kubevirtv1.VirtualMachine) string {
	domain := vm.Spec.Template.Spec.Domain
	cpu, guest, most := domain.CPU, "-", "-"
	if domain.Memory != nil && domain.Memory.Guest != nil {
		guest = domain.Memory.Guest.String()
	}
	if domain.Memory != nil && domain.Memory.MaxGuest != nil {
		most = domain.Memory.MaxGuest.String()
	}
	return fmt.Sprintf("%d/%d/%d of %d, %s; %s of %s, %s", cpu.Cores, cpu.Sockets, cpu.Threads, cpu.MaxSockets, domain.Resources.Limits.Cpu(), guest, most, domain.Resources.Limits.Memory())
}

// webhook is what Harvester does to a machine whose CPUs cannot grow.
func webhook(vm *kubevirtv1.VirtualMachine) {
	if hotpluggable(vm) {
		return
	}
	guest := vm.Spec.Template.Spec.Domain.Resources.Limits.Memory().DeepCopy()
	guest.Sub(resource.MustParse("100Mi"))
	vm.Spec.Template.Spec.Domain.Memory = &kubevirtv1.Memory{Guest: &guest}
	vm.Spec.Template.Spec.Domain.CPU.MaxSockets = 1
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		steps []machine
		want  []string
	}{
		"cores":               {[]machine{sized(2, 0, 0, 0, "2Gi", ""), sized(4, 0, 0, 0, "4Gi", "")}, []string{"2/1/1 of 1, 2; 1948Mi of -, 2Gi", "4/1/1 of 1, 4; 3996Mi of -, 4Gi"}},
		"threads":             {[]machine{sized(2, 0, 2, 0, "2Gi", ""), sized(3, 1, 2, 0, "2Gi", "")}, []string{"2/1/2 of 1, 4; 1948Mi of -, 2Gi", "3/1/2 of 1, 6; 1948Mi of -, 2Gi"}},
		"threads away":        {[]machine{sized(2, 0, 2, 0, "2Gi", ""), sized(2, 0, 0, 0, "2Gi", "")}, []string{"2/1/2 of 1, 4; 1948Mi of -, 2Gi", "2/1/1 of 1, 2; 1948Mi of -, 2Gi"}},
		"growing":             {[]machine{sized(2, 0, 0, 8, "2Gi", "8Gi"), sized(3, 0, 0, 8, "3Gi", "8Gi")}, []string{"1/2/1 of 8, 8; 2Gi of 8Gi, 8Gi", "1/3/1 of 8, 8; 3Gi of 8Gi, 8Gi"}},
		"growing in sockets":  {[]machine{sized(2, 1, 2, 16, "2Gi", "8Gi"), sized(2, 4, 2, 16, "2Gi", "8Gi")}, []string{"2/1/2 of 4, 16; 2Gi of 8Gi, 8Gi", "2/4/2 of 4, 16; 2Gi of 8Gi, 8Gi"}},
		"another maximum":     {[]machine{sized(2, 0, 0, 8, "2Gi", "8Gi"), sized(2, 0, 0, 4, "2Gi", "4Gi")}, []string{"1/2/1 of 8, 8; 2Gi of 8Gi, 8Gi", "1/2/1 of 4, 4; 2Gi of 4Gi, 4Gi"}},
		"from now on":         {[]machine{sized(4, 0, 0, 0, "2Gi", ""), sized(4, 0, 0, 8, "2Gi", "8Gi")}, []string{"4/1/1 of 1, 4; 1948Mi of -, 2Gi", "1/4/1 of 8, 8; 2Gi of 8Gi, 8Gi"}},
		"no more":             {[]machine{sized(4, 0, 0, 8, "2Gi", "8Gi"), off(sized(4, 0, 0, 0, "2Gi", ""))}, []string{"1/4/1 of 8, 8; 2Gi of 8Gi, 8Gi", "4/1/1 of 1, 4; 1948Mi of -, 2Gi"}},
		"not said any more":   {[]machine{sized(2, 0, 0, 8, "2Gi", "8Gi"), sized(4, 0, 0, 0, "2Gi", "")}, []string{"1/2/1 of 8, 8; 2Gi of 8Gi, 8Gi", "1/4/1 of 8, 8; 2Gi of 8Gi, 8Gi"}},
		"the same in MiB":     {[]machine{sized(2, 0, 0, 8, "2Gi", "8Gi"), sized(2, 0, 0, 8, "2048Mi", "8192Mi")}, []string{"1/2/1 of 8, 8; 2Gi of 8Gi, 8Gi", "1/2/1 of 8, 8; 2Gi of 8Gi, 8Gi"}},
		"topology, not count": {[]machine{sized(4, 0, 0, 0, "2Gi", ""), sized(2, 0, 2, 0, "2Gi", "")}, []string{"4/1/1 of 1, 4; 1948Mi of -, 2Gi", "2/1/2 of 1, 4; 1948Mi of -, 2Gi"}},
	} {
		t.Run(name, func(t *testing.T) {
			vm := blank("default", "vm")
			for i, m := range test.steps {
				m.ontoCompute(vm, i == 0)
				webhook(vm)
				if got := hardware(vm); got != test.want[i] {
					t.Fatalf("step %d: %s, want %s", i, got, test.want[i])
				}
				before := hardware(vm)
				if m.ontoCompute(vm, false); hardware(vm) != before {
					t.Errorf("step %d: a second time it becomes %s", i, hardware(vm))
				}
				asked := *m.model
				m.readCPUs(vm)
				said := fmt.Sprint(m.CPU, m.CPUSockets, m.CPUThreads)
				if want := fmt.Sprint(asked.CPU, asked.CPUSockets, asked.CPUThreads); said != want {
					t.Errorf("step %d: reads as %s, want %s", i, said, want)
				}
				if !asked.MaxCPU.IsNull() && (!m.MaxCPU.Equal(asked.MaxCPU) || !m.MaxMemory.Equal(asked.MaxMemory)) {
					t.Errorf("step %d: can grow to %s, %s, want %s, %s", i, m.MaxCPU, m.MaxMemory, asked.MaxCPU, asked.MaxMemory)
				}
			}
		})
	}
}

// off switches the growth off.
func off(m machine) machine {
	m.MaxCPU = types.Int64Value(0)
	return m
}

// The topology shows where the configuration has it, and what others changed in it.
func TestReadTopology(t *testing.T) {
	t.Parallel()
	vm := withDomain(kubevirtv1.DomainSpec{CPU: &kubevirtv1.CPU{Cores: 2, Sockets: 3, Threads: 2}})
	for name, test := range map[string]struct {
		prior machine
		want  string
	}{
		"import":        {imported(), "12 <null> <null>"},
		"number":        {sized(4, 0, 0, 0, "1Gi", ""), "12 <null> <null>"},
		"sockets alone": {sized(2, 1, 0, 0, "1Gi", ""), "2 3 2"},
		"threads alone": {sized(2, 0, 1, 0, "1Gi", ""), "2 3 2"},
	} {
		t.Run(name, func(t *testing.T) {
			test.prior.readCPUs(&vm)
			if got := fmt.Sprint(test.prior.CPU, " ", test.prior.CPUSockets, " ", test.prior.CPUThreads); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestValidateGrowth(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		m    machine
		want string
	}{
		"not at all":      {sized(2, 0, 0, 0, "512Mi", ""), ""},
		"fits":            {sized(2, 0, 0, 8, "2Gi", "8Gi"), ""},
		"no memory":       {sized(2, 0, 0, 8, "2Gi", ""), "max_cpu"},
		"no CPUs":         {sized(2, 0, 0, 0, "2Gi", "8Gi"), "max_memory"},
		"too few CPUs":    {sized(2, 2, 2, 7, "2Gi", "8Gi"), "max_cpu"},
		"half a socket":   {sized(2, 1, 2, 10, "2Gi", "8Gi"), "max_cpu"},
		"too little":      {sized(2, 0, 0, 8, "2Gi", "1Gi"), "max_memory"},
		"too small":       {sized(2, 0, 0, 8, "1000Mi", "8Gi"), "memory"},
		"odd memory":      {sized(2, 0, 0, 8, "2049Mi", "8Gi"), "memory"},
		"odd maximum":     {sized(2, 0, 0, 8, "2Gi", "8193Mi"), "max_memory"},
		"nothing but max": {sized(0, 0, 0, 8, "", "8Gi"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, problem := range test.m.validateGrowth() {
				if at, ok := problem.(diag.DiagnosticWithPath); ok {
					got = at.Path().String()
				}
			}
			if got != test.want {
				t.Errorf("blames %q, want %q", got, test.want)
			}
		})
	}
}

// A state from before these arguments, and a configuration without them, plan nothing.
func TestPlanWithoutNewArguments(t *testing.T) {
	t.Parallel()
	state, plan := stored(volumeDisk("a", "v-a")), basic()
	state.EvictionStrategy, state.TerminationGracePeriodSeconds, state.MaxCPU, state.MaxMemory = text("LiveMigrate"), types.Int64Value(120), types.Int64Value(8), text("8Gi")
	plan.disks = []disk.Disk{volumeDisk("a", "v-a")}
	plan.ID, plan.Hostname, plan.MachineType, plan.Requests = state.ID, state.Hostname, state.MachineType, state.Requests
	plan.EvictionStrategy, plan.TerminationGracePeriodSeconds = state.EvictionStrategy, state.TerminationGracePeriodSeconds
	plan.MaxCPU, plan.MaxMemory = types.Int64Unknown(), types.StringUnknown()
	got, resp := plannedWith(t, plan, state, func(m *model) { m.MaxCPU, m.MaxMemory = types.Int64Null(), types.StringNull() })
	noError(t, resp.Diagnostics)
	if got.MaxCPU.ValueInt64() != 8 || got.MaxMemory.ValueString() != "8Gi" || !got.State.Equal(state.State) {
		t.Errorf("plans %s, %s, %s", got.MaxCPU, got.MaxMemory, got.State)
	}
}
