// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

// kubeVirt is a cluster with one machine, as it is after a change, and its instance, if there is one. It counts restarts.
type kubeVirt struct {
	vm       *kubevirtv1.VirtualMachine
	vmi      *kubevirtv1.VirtualMachineInstance
	refuses  bool
	restarts atomic.Int32
}

func (k *kubeVirt) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	answer := func(code int, object any) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(object)
	}
	status := func(code int32, reason metav1.StatusReason) metav1.Status {
		return metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: code, Reason: reason}
	}
	switch {
	case r.URL.Query().Get("watch") != "":
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case strings.HasSuffix(r.URL.Path, "/restart") && k.refuses:
		answer(http.StatusForbidden, status(http.StatusForbidden, metav1.StatusReasonForbidden))
	case strings.HasSuffix(r.URL.Path, "/restart"):
		k.restarts.Add(1)
		answer(http.StatusAccepted, map[string]any{})
	case strings.HasSuffix(r.URL.Path, "/virtualmachineinstances/vm") && k.vmi != nil:
		answer(http.StatusOK, k.vmi)
	case strings.HasSuffix(r.URL.Path, "/virtualmachines"):
		answer(http.StatusOK, map[string]any{
			"kind": "VirtualMachineList", "apiVersion": "kubevirt.io/v1", "metadata": map[string]any{"resourceVersion": "1"}, "items": []any{k.vm},
		})
	case strings.HasSuffix(r.URL.Path, "/virtualmachines/vm"):
		answer(http.StatusOK, k.vm)
	default:
		answer(http.StatusNotFound, status(http.StatusNotFound, metav1.StatusReasonNotFound))
	}
}

// A restart follows KubeVirt's word on the change, and is nobody's business while the machine is off.
func TestEffect(t *testing.T) {
	t.Parallel()
	required := func(vm *kubevirtv1.VirtualMachine) {
		vm.Status.Conditions = []kubevirtv1.VirtualMachineCondition{{Type: kubevirtv1.VirtualMachineRestartRequired, Status: corev1.ConditionTrue, Message: "a field"}}
	}
	reshaped := func(vm *kubevirtv1.VirtualMachine) { vm.Spec.Template.Spec.Hostname = "new" }
	ran := func(vm *kubevirtv1.VirtualMachine) { vm.Status.RunStrategy = kubevirtv1.RunStrategyRerunOnFailure }
	phase := func(phase kubevirtv1.VirtualMachineInstancePhase) *kubevirtv1.VirtualMachineInstance {
		vmi := &kubevirtv1.VirtualMachineInstance{Status: kubevirtv1.VirtualMachineInstanceStatus{Phase: phase}}
		vmi.Kind, vmi.APIVersion, vmi.Namespace, vmi.Name, vmi.UID = "VirtualMachineInstance", "kubevirt.io/v1", "default", "vm", "uid-vmi"
		return vmi
	}
	ending := func() *kubevirtv1.VirtualMachineInstance {
		vmi := phase(kubevirtv1.Succeeded)
		vmi.DeletionTimestamp = new(metav1.Now())
		return vmi
	}
	type on = func(*kubevirtv1.VirtualMachine)
	for name, test := range map[string]struct {
		was, is  []on // the machine before and after the change
		vmi      *kubevirtv1.VirtualMachineInstance
		before   bool // restart_after_update
		after    bool
		refuses  bool
		restarts int32
		settles  bool
	}{
		"a note":                             {vmi: phase(kubevirtv1.Running), before: true, after: true},
		"taken live":                         {is: []on{reshaped}, vmi: phase(kubevirtv1.Running), before: true, after: true, settles: true},
		"not taken live":                     {is: []on{reshaped, required}, vmi: phase(kubevirtv1.Running), before: true, after: true, restarts: 1, settles: true},
		"not taken live, and not to restart": {is: []on{reshaped, required}, vmi: phase(kubevirtv1.Running), settles: true},
		"a note, with a restart pending":     {was: []on{required}, is: []on{required}, vmi: phase(kubevirtv1.Running), before: true, after: true},
		"a pending restart is switched on":   {was: []on{required}, is: []on{required}, vmi: phase(kubevirtv1.Running), after: true, restarts: 1, settles: true},
		"nothing is pending when it is":      {vmi: phase(kubevirtv1.Running), after: true},
		"powered off by its guest":           {was: []on{required}, is: []on{reshaped, required}, vmi: phase(kubevirtv1.Succeeded), after: true},
		"its instance is cleared away":       {was: []on{required, ran}, is: []on{reshaped, required, ran}, vmi: ending(), after: true},
		"stopped, and its instance gone":     {was: []on{ran}, is: []on{reshaped, ran}, before: true, after: true},
		"about to start":                     {is: []on{reshaped}, before: true, after: true, settles: true},
		"the restart is refused":             {is: []on{reshaped, required}, vmi: phase(kubevirtv1.Running), before: true, after: true, refuses: true, settles: true},
		"a change more, with one pending":    {was: []on{required}, is: []on{reshaped, required}, vmi: phase(kubevirtv1.Running), before: true, after: true, restarts: 1, settles: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, before := basic(), basic()
			m.disks = []disk.Disk{volumeDisk("a", "v-a")}
			m.RestartAfterUpdate, before.RestartAfterUpdate = types.BoolValue(test.after), types.BoolValue(test.before)
			was := live(t, m)
			was.Kind, was.APIVersion, was.Generation, was.UID = "VirtualMachine", "kubevirt.io/v1", 1, "uid-vm"
			is := was.DeepCopy()
			is.Generation, is.Status.DesiredGeneration = 2, 2
			for _, change := range test.was {
				change(was)
			}
			for _, change := range test.is {
				change(is)
			}
			cluster := &kubeVirt{vm: is, vmi: test.vmi, refuses: test.refuses}
			got, diags := connected(t, cluster).effectOf(t.Context(), m, before, was, is, false)
			if diags.HasError() != test.refuses || got.unrestarted != test.refuses {
				t.Errorf("refused: %v, %+v", diags, got)
			}
			if n := cluster.restarts.Load(); n != test.restarts || (got.restarted != "") != (n > 0) || got.settle != test.settles {
				t.Errorf("%d restarts, %+v; want %d, and to settle: %t", n, got, test.restarts, test.settles)
			}
		})
	}
}
