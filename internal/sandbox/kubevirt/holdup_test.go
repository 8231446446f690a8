// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"
	"strings"
	"testing"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// launcher is the launcher pod of the machine.
func (r *rig) launcher() *corev1.Pod {
	r.t.Helper()
	instance, err := r.instance(context.Background(), at)
	r.must(err)
	pods, err := r.pods(context.Background(), instance)
	r.must(err)
	if len(pods) != 1 {
		r.t.Fatalf("%d launcher pods", len(pods))
	}
	return &pods[0]
}

func TestMachineHangsUntilItsImageIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	image := r.addImageClaim("disk", lhv1beta2.BackingImageStateInProgress)
	for end := time.Now().Add(4 * r.pace.Schedule()); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		r.reconcileBoth()
	}
	if got := r.get().Status.PrintableStatus; got != kubevirtv1.VirtualMachineStatusStarting {
		t.Errorf("machine is %s", got)
	}
	pod := r.launcher()
	if pod.Status.Phase != corev1.PodPending || pod.Spec.NodeName != "node-0" || pod.Status.ContainerStatuses[0].State.Waiting.Reason != "ContainerCreating" {
		t.Errorf("pod on %s: %+v", pod.Spec.NodeName, pod.Status)
	}
	image.Status.DiskFileStatusMap["disk"].State = lhv1beta2.BackingImageStateReady
	r.must(r.api.Update(context.Background(), image))
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	if again := r.launcher(); again.UID != pod.UID || again.Status.Phase != corev1.PodRunning {
		t.Errorf("pod %+v", again.Status)
	}
}

func TestNoNodeForAMachine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*kubevirtv1.VirtualMachineInstanceSpec)
		says   string
	}{
		"node selector": {
			func(s *kubevirtv1.VirtualMachineInstanceSpec) { s.NodeSelector = map[string]string{"zone": "none"} },
			"0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.",
		},
		"memory": {
			func(s *kubevirtv1.VirtualMachineInstanceSpec) {
				s.Domain.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}
			},
			"0/1 nodes are available: 1 Insufficient memory.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kubevirtv1.RunStrategyAlways)
			r.change(test.change)
			r.addClaim()
			node := &corev1.Node{}
			r.must(r.api.Get(context.Background(), types.NamespacedName{Name: "node-0"}, node))
			node.Status.Allocatable = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")}
			r.must(r.api.Status().Update(context.Background(), node))
			r.await(kubevirtv1.VirtualMachineStatusUnschedulable)
			if pod := r.launcher(); pod.Status.Phase != corev1.PodPending || pod.Spec.NodeName != "" {
				t.Errorf("pod %+v", pod.Status)
			}
			c := r.condition("PodScheduled")
			if c == nil || c.Reason != "Unschedulable" || !strings.HasPrefix(c.Message, test.says) {
				t.Errorf("condition %+v", c)
			}
			node.Status.Allocatable = nil
			r.must(r.api.Status().Update(context.Background(), node))
			node.Labels = map[string]string{"zone": "none"}
			r.must(r.api.Update(context.Background(), node))
			r.await(kubevirtv1.VirtualMachineStatusRunning)
			if c := r.condition("PodScheduled"); c != nil {
				t.Errorf("condition %+v", c)
			}
		})
	}
}

func TestImageOfAContainerDiskCannotBePulled(t *testing.T) {
	t.Parallel()
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) {
		s.Volumes = append(s.Volumes, kubevirtv1.Volume{Name: "tools", VolumeSource: kubevirtv1.VolumeSource{
			ContainerDisk: &kubevirtv1.ContainerDiskSource{Image: "registry.example.com/does-not-exist:1"},
		}})
	})
	r.addClaim()
	r.await(kubevirtv1.VirtualMachineStatusErrImagePull)
	if c := r.condition("Synchronized"); c == nil || c.Reason != "ErrImagePull" || !strings.Contains(c.Message, "registry.example.com/does-not-exist:1: not found") {
		t.Errorf("condition %+v", c)
	}
	r.await(kubevirtv1.VirtualMachineStatusImagePullBackOff)
	waiting := r.launcher().Status.ContainerStatuses[0]
	if waiting.Name != "volumetools" || !strings.HasPrefix(waiting.State.Waiting.Message, `Back-off pulling image "registry.example.com/does-not-exist:1"`) {
		t.Errorf("container %+v", waiting)
	}
}

func TestMachineWhosePodFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) { s.NodeSelector = map[string]string{"zone": "none"} })
	r.addClaim()
	r.await(kubevirtv1.VirtualMachineStatusUnschedulable)
	pod := r.launcher()
	pod.Status.Phase = corev1.PodFailed
	r.must(r.api.Status().Update(context.Background(), pod))
	machine := r.await(kubevirtv1.VirtualMachineStatusCrashLoopBackOff)
	failure := machine.Status.StartFailure
	if failure == nil || failure.ConsecutiveFailCount != 1 || time.Until(failure.RetryAfterTimestamp.Time) < 5*time.Second {
		t.Errorf("start failure %+v", failure)
	}
}

func TestStartFailure(t *testing.T) {
	t.Parallel()
	const always, manual = kubevirtv1.RunStrategyAlways, kubevirtv1.RunStrategyManual
	now := time.Now()
	ran := instanceIn(kubevirtv1.Failed)
	setPhase(ran, kubevirtv1.Running, metav1.Now())
	setPhase(ran, kubevirtv1.Failed, metav1.Now())
	early := instanceIn(kubevirtv1.Failed)
	for name, test := range map[string]struct {
		strategy kubevirtv1.VirtualMachineRunStrategy
		before   *kubevirtv1.VirtualMachineStartFailure
		instance *kubevirtv1.VirtualMachineInstance
		count    int
		after    time.Duration
	}{
		"first":        {always, nil, early, 1, 10 * time.Second},
		"third":        {always, &kubevirtv1.VirtualMachineStartFailure{ConsecutiveFailCount: 2, LastFailedVMIUID: "before"}, early, 3, 90 * time.Second},
		"tenth":        {always, &kubevirtv1.VirtualMachineStartFailure{ConsecutiveFailCount: 9, LastFailedVMIUID: "before"}, early, 10, 300 * time.Second},
		"ran":          {always, &kubevirtv1.VirtualMachineStartFailure{ConsecutiveFailCount: 2}, ran, 0, 0},
		"by hand":      {manual, nil, early, 0, 0},
		"still starts": {always, nil, instanceIn(kubevirtv1.Scheduling), 0, 0},
	} {
		machine := machineWith(test.strategy, test.strategy)
		machine.Status.StartFailure = test.before
		got := startFailure(machine, test.instance, now)
		if test.count == 0 {
			if got != nil {
				t.Errorf("%s: %+v", name, got)
			}
			continue
		}
		if got == nil || got.ConsecutiveFailCount != test.count || got.RetryAfterTimestamp.Sub(now) != test.after {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := startFailure(&kubevirtv1.VirtualMachine{
		Spec:   kubevirtv1.VirtualMachineSpec{RunStrategy: new(always)},
		Status: kubevirtv1.VirtualMachineStatus{StartFailure: &kubevirtv1.VirtualMachineStartFailure{ConsecutiveFailCount: 1, LastFailedVMIUID: "here"}},
	}, early, now); got.ConsecutiveFailCount != 1 {
		t.Errorf("counted twice: %+v", got)
	}
}
