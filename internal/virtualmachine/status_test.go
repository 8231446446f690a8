// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

func machineIn(strategy kubevirtv1.VirtualMachineRunStrategy, status kubevirtv1.VirtualMachinePrintableStatus, leases ...string) *kubevirtv1.VirtualMachine {
	vm := blank("default", "vm")
	vm.UID = "vm-uid"
	vm.Spec.RunStrategy, vm.Status.PrintableStatus = &strategy, status
	vm.Spec.Template.ObjectMeta.Annotations = map[string]string{nic.AnnotationLeases: names(leases)}
	return vm
}

func instanceIn(phase kubevirtv1.VirtualMachineInstancePhase, ips ...string) *kubevirtv1.VirtualMachineInstance {
	yes := true
	return &kubevirtv1.VirtualMachineInstance{
		ObjectMeta: metav1.ObjectMeta{UID: "vmi-uid", OwnerReferences: []metav1.OwnerReference{{UID: "vm-uid", Controller: &yes}}},
		Status: kubevirtv1.VirtualMachineInstanceStatus{
			Phase: phase, NodeName: "node-1",
			Interfaces: []kubevirtv1.VirtualMachineInstanceNetworkInterface{{Name: "nic-1", IPs: ips}},
		},
	}
}

func TestState(t *testing.T) {
	leaving := instanceIn(kubevirtv1.Running)
	leaving.DeletionTimestamp = &metav1.Time{}
	for name, test := range map[string]struct {
		vm   *kubevirtv1.VirtualMachine
		vmi  *kubevirtv1.VirtualMachineInstance
		want string
	}{
		"ready":             {machineIn("Always", "Running"), instanceIn(kubevirtv1.Running), stateReady},
		"lease missing":     {machineIn("Always", "Running", "nic-1"), instanceIn(kubevirtv1.Running, "fe80::1"), stateRunning},
		"lease there":       {machineIn("Always", "Running", "nic-1"), instanceIn(kubevirtv1.Running, "10.0.0.1"), stateReady},
		"unknown interface": {machineIn("Always", "Running", "nic-9"), instanceIn(kubevirtv1.Running, "10.0.0.1"), stateRunning},
		"scheduling":        {machineIn("Always", "Starting"), instanceIn(kubevirtv1.Scheduling), stateStarting},
		"fresh instance":    {machineIn("Always", "Starting"), instanceIn(""), stateStarting},
		"unschedulable":     {machineIn("Always", "ErrorUnschedulable"), instanceIn(kubevirtv1.Scheduling), stateFailed},
		"stopping":          {machineIn("Halted", "Stopping"), leaving, stateStopping},
		"shut down":         {machineIn("RerunOnFailure", "Stopped"), instanceIn(kubevirtv1.Succeeded), stateOff},
		"shutting down":     {machineIn("RerunOnFailure", "Stopping"), instanceIn(kubevirtv1.Succeeded), stateStopping},
		"failed":            {machineIn("RerunOnFailure", "Stopped"), instanceIn(kubevirtv1.Failed), stateFailed},
		"unknown":           {machineIn("Always", "Unknown"), instanceIn(kubevirtv1.Unknown), stateUnknown},
		"off":               {machineIn("Halted", "Stopped"), nil, stateOff},
		"just stopped":      {machineIn("Halted", "Stopping"), nil, stateOff},
		"no status":         {machineIn("Always", ""), nil, stateOff},
		"binding":           {machineIn("Always", "WaitingForVolumeBinding"), nil, stateStarting},
		"crash loop":        {machineIn("Always", "CrashLoopBackOff"), nil, stateFailed},
	} {
		if got := stateOf(test.vm, test.vmi); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}

func TestJudge(t *testing.T) {
	deleted := machineIn("Always", "Terminating")
	deleted.DeletionTimestamp = &metav1.Time{}
	quota := machineIn("Halted", "Stopped")
	quota.Annotations = map[string]string{annotationQuota: "limit.memory exceeded"}
	leaving := instanceIn(kubevirtv1.Running)
	leaving.DeletionTimestamp = &metav1.Time{}
	homeless := instanceIn(kubevirtv1.Running)
	homeless.Status.NodeName = ""
	leftover := instanceIn(kubevirtv1.Running)
	leftover.OwnerReferences[0].UID = "earlier"
	failure := machineIn("Always", "ErrorUnschedulable")
	failure.Status.Conditions = []kubevirtv1.VirtualMachineCondition{{Type: kubevirtv1.VirtualMachineFailure, Status: corev1.ConditionTrue, Message: "no memory"}}
	run, stop := goal{running: true}, goal{}
	ending := instanceIn(kubevirtv1.Succeeded)
	ending.DeletionTimestamp = &metav1.Time{}
	rerun := func(requests ...kubevirtv1.StateChangeRequestAction) *kubevirtv1.VirtualMachine {
		vm := machineIn("RerunOnFailure", "Stopped")
		vm.Status.RunStrategy = kubevirtv1.RunStrategyRerunOnFailure
		for _, action := range requests {
			vm.Status.StateChangeRequests = append(vm.Status.StateChangeRequests, kubevirtv1.VirtualMachineStateChangeRequest{Action: action})
		}
		return vm
	}
	for name, test := range map[string]struct {
		goal goal
		vm   *kubevirtv1.VirtualMachine
		vmi  *kubevirtv1.VirtualMachineInstance
		want string // done, waits, trouble: …, failed: …
	}{
		"runs":                    {run, machineIn("Always", "Running"), instanceIn(kubevirtv1.Running), "done"},
		"no node yet":             {run, machineIn("Always", "Running"), homeless, "waits"},
		"not started yet":         {run, machineIn("Always", "Stopped"), nil, "waits"},
		"lease missing":           {run, machineIn("Always", "Running", "nic-1"), instanceIn(kubevirtv1.Running), "waits"},
		"lease there":             {run, machineIn("Always", "Running", "nic-1"), instanceIn(kubevirtv1.Running, "10.0.0.1"), "done"},
		"leaving":                 {run, machineIn("Always", "Running"), leaving, "waits"},
		"of an earlier machine":   {run, machineIn("Always", "Starting"), leftover, "waits"},
		"before the restart":      {goal{true, "vmi-uid"}, machineIn("Always", "Running"), instanceIn(kubevirtv1.Running), "waits"},
		"after the restart":       {goal{true, "other"}, machineIn("Always", "Running"), instanceIn(kubevirtv1.Running), "done"},
		"shut itself down":        {run, machineIn("RerunOnFailure", "Stopped"), instanceIn(kubevirtv1.Succeeded), "done"},
		"and is cleared away":     {run, rerun(), ending, "done"},
		"is to start anew":        {run, rerun(kubevirtv1.StartRequest), ending, "waits"},
		"ends from before":        {run, machineIn("RerunOnFailure", "Stopping"), ending, "waits"},
		"shut down too soon":      {run, machineIn("RerunOnFailure", "Stopped", "nic-1"), instanceIn(kubevirtv1.Succeeded), "failed: it shut itself down before nic-1"},
		"started again by Always": {run, machineIn("Always", "Stopped"), instanceIn(kubevirtv1.Succeeded), "waits"},
		"no node takes it":        {run, failure, instanceIn(kubevirtv1.Scheduling), "trouble: ErrorUnschedulable (no node can run it): no memory"},
		"crash loop":              {run, machineIn("Always", "CrashLoopBackOff"), nil, "trouble: CrashLoopBackOff"},
		"trouble is over":         {run, failure, instanceIn(kubevirtv1.Running), "done"},
		"quota":                   {run, quota, nil, "failed: Harvester halted it, as the namespace's quota does not allow for it: limit.memory exceeded"},
		"halted by hand":          {run, machineIn("Halted", "Stopped"), nil, "failed: it was halted"},
		"gone":                    {run, nil, nil, "failed: it was deleted"},
		"being deleted":           {run, deleted, nil, "failed: it is being deleted"},
		"stopped":                 {stop, machineIn("Halted", "Stopped"), nil, "done"},
		"still runs":              {stop, machineIn("Halted", "Running"), instanceIn(kubevirtv1.Running), "waits"},
		"ended":                   {stop, machineIn("Manual", "Stopped"), instanceIn(kubevirtv1.Succeeded), "done"},
		"ended, and about to go":  {stop, machineIn("Halted", "Stopped"), instanceIn(kubevirtv1.Succeeded), "waits"},
		"ended, and goes":         {stop, machineIn("Manual", "Stopping"), ending, "waits"},
	} {
		v := test.goal.judge(test.vm, test.vmi)
		got := "waits"
		switch {
		case v.failed != nil:
			got = "failed: " + v.failed.Error()
		case v.done:
			got = "done"
		case v.trouble != "":
			got = "trouble: " + v.trouble
		}
		if !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
		if v.trouble != "" && v.patience == 0 {
			t.Errorf("%s: no patience", name)
		}
	}
}

func TestProgressMessage(t *testing.T) {
	if got := progress(machineIn("Always", "Running", "nic-1"), instanceIn(kubevirtv1.Running)); got != "Running, no address yet on nic-1" {
		t.Errorf("got %q", got)
	}
	if got := progress(machineIn("Always", "Starting"), instanceIn(kubevirtv1.Scheduling)); got != "Starting, instance Scheduling" {
		t.Errorf("got %q", got)
	}
}

func TestTroubleHasToLast(t *testing.T) {
	var spell trouble
	start := time.Now()
	bad := verdict{trouble: "ErrorUnschedulable", patience: time.Minute}
	for _, step := range []struct {
		v       verdict
		after   time.Duration
		failing bool
	}{
		{bad, 0, false}, {bad, 59 * time.Second, false}, {verdict{}, 61 * time.Second, false}, // it passed
		{bad, 62 * time.Second, false}, {bad, 121 * time.Second, false}, {bad, 122 * time.Second, true},
	} {
		if err := spell.check(step.v, start.Add(step.after)); (err != nil) != step.failing {
			t.Errorf("after %s: %v", step.after, err)
		}
	}
}

func TestGoalOf(t *testing.T) {
	for strategy, want := range map[string]string{"Always": "runs", "RerunOnFailure": "runs", "Halted": "stops", "Manual": "nothing"} {
		m := basic()
		m.RunStrategy = text(strategy)
		got := "nothing"
		if g := goalOf(m.model, ""); g != nil {
			got = map[bool]string{true: "runs", false: "stops"}[g.running]
		}
		if got != want {
			t.Errorf("%s: got %s", strategy, got)
		}
	}
}

func TestDoomed(t *testing.T) {
	m := rich()
	vm := live(t, m)
	if got := disk.Doomed(m.disks, vm); len(got) != 1 || got[0] != "vm-rootdisk-abcde" {
		t.Errorf("got %q", got)
	}
	// The disk has another volume now, and the templates know it not as ours.
	swapped := vm.DeepCopy()
	disk.VolumeNamed(swapped.Spec.Template.Spec.Volumes, "rootdisk").PersistentVolumeClaim.ClaimName = "someone-elses"
	if got := disk.Doomed(m.disks, swapped); len(got) != 0 {
		t.Errorf("another volume: %q", got)
	}
	// Even with a template it is not the volume the state said would go.
	swapped.Annotations[api.AnnotationVolumeClaimTemplates] = `[{"metadata":{"name":"someone-elses"}}]`
	if got := disk.Doomed(m.disks, swapped); len(got) != 0 {
		t.Errorf("another volume with a template: %q", got)
	}
	detached := vm.DeepCopy()
	detached.Spec.Template.Spec.Volumes = nil
	if got := disk.Doomed(m.disks, detached); len(got) != 0 {
		t.Errorf("detached: %q", got)
	}
	untold := vm.DeepCopy()
	untold.Annotations = nil
	if got := disk.Doomed(m.disks, untold); len(got) != 0 {
		t.Errorf("without templates: %q", got)
	}
	if got := disk.Doomed(nil, vm); len(got) != 0 {
		t.Errorf("attached since the last look: %q", got)
	}
}
