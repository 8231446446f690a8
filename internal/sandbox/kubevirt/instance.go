// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// pvcNotFound is the reason of an instance that waits for a claim nobody has created.
const pvcNotFound = "FailedPvcNotFound"

// pvcNotReady is the reason of a volume whose claim is there, but not attached.
const pvcNotReady = "PVCNotReady"

// lookAgain is how often an instance that waits for something else is looked at.
const lookAgain = time.Second

// obstacle is what keeps an instance from being scheduled.
type obstacle struct {
	reason, message string
	// early keeps it from being taken up at all.
	early bool
	// pod is what its launcher pod waits for. Without it, there is no such pod yet.
	pod *holdUp
}

// inTheWay decides what keeps an instance with these disks from being scheduled. It returns nil if nothing does.
func inTheWay(namespace string, found disks) *obstacle {
	switch {
	case found.missing != "":
		return &obstacle{pvcNotFound, fmt.Sprintf("PVC %s/%s does not exist, waiting for it to appear", namespace, found.missing), true, nil}
	case found.missingData != "":
		return &obstacle{pvcNotFound, fmt.Sprintf("PVC %s/%s does not exist, waiting for it to appear", namespace, found.missingData), true, nil}
	case found.importing:
		return &obstacle{early: true}
	case found.missingSecret != "":
		return &obstacle{reason: "FailedMount", message: fmt.Sprintf("MountVolume.SetUp failed: secret %q not found", found.missingSecret)}
	case found.unbound:
		return &obstacle{}
	}
	return nil
}

// nextPhase decides the phase that follows, and how long that takes from the start of the current one.
func nextPhase(phase kubevirtv1.VirtualMachineInstancePhase, blocked *obstacle, p pace.Pace) (next kubevirtv1.VirtualMachineInstancePhase, after time.Duration) {
	switch phase {
	case kubevirtv1.VmPhaseUnset:
		return kubevirtv1.Pending, 0
	case kubevirtv1.Pending:
		if blocked == nil || !blocked.early {
			return kubevirtv1.Scheduling, 0
		}
	case kubevirtv1.Scheduling:
		if blocked == nil {
			return kubevirtv1.Scheduled, p.Schedule()
		}
	case kubevirtv1.Scheduled:
		return kubevirtv1.Running, p.Boot()
	}
	return phase, 0
}

// reconcileInstance brings an instance one step further in its life.
func (k *KubeVirt) reconcileInstance(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	instance, err := k.instance(ctx, request.NamespacedName)
	if err != nil || instance == nil {
		return reconcile.Result{}, err
	}
	if instance.DeletionTimestamp != nil {
		return k.shutDown(ctx, instance)
	}
	if instance.IsFinal() {
		return reconcile.Result{}, nil
	}
	found, err := k.look(ctx, instance.Namespace, instance.Spec.Volumes)
	if err != nil {
		return reconcile.Result{}, err
	}
	blocked := inTheWay(instance.Namespace, found)
	if instance.IsRunning() {
		// It has what it needs. What is wrong with a volume that comes later, that volume's status tells.
		blocked = nil
	}
	failed, err := k.lost(ctx, instance)
	if err != nil {
		return reconcile.Result{}, err
	}
	if failed {
		setPhase(instance, kubevirtv1.Failed, metav1.Now())
		return reconcile.Result{}, k.api.Update(ctx, instance)
	}
	if blocked == nil && instance.Status.Phase == kubevirtv1.Scheduling {
		if blocked, err = k.heldUp(ctx, instance, found); err != nil {
			return reconcile.Result{}, err
		}
		if blocked != nil {
			if err := k.hang(ctx, instance, blocked.pod); err != nil {
				return reconcile.Result{}, err
			}
		}
	}
	next, after := nextPhase(instance.Status.Phase, blocked, k.pace)
	if left := after - time.Since(phaseSince(instance)); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	before := instance.DeepCopy()
	again, err := k.enter(ctx, instance, next, found)
	if err != nil {
		return reconcile.Result{}, err
	}
	setConditions(instance, blocked)
	if blocked != nil {
		again.RequeueAfter = sooner(again.RequeueAfter, lookAgain)
		if blocked.message != "" {
			k.event(instance, corev1.EventTypeWarning, blocked.reason, blocked.message)
		}
	}
	if equality.Semantic.DeepEqual(before, instance) {
		return again, nil
	}
	return again, k.api.Update(ctx, instance)
}

// enter makes an instance what it is in a phase.
func (k *KubeVirt) enter(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance, phase kubevirtv1.VirtualMachineInstancePhase, found disks) (again reconcile.Result, err error) {
	if phase == kubevirtv1.Scheduled && instance.Status.NodeName == "" {
		if err := k.schedule(ctx, instance); err != nil || instance.Status.NodeName == "" {
			return reconcile.Result{RequeueAfter: lookAgain}, err
		}
	}
	pods, err := k.launched(ctx, instance)
	if err != nil {
		return again, err
	}
	instance.Status.VolumeStatus = volumeStatus(instance, found, pods)
	if runs(pods.launcher) {
		changed, err := k.attach(ctx, instance, pods, found)
		if err != nil {
			return again, err
		}
		switch {
		case changed:
			again.RequeueAfter = k.volumeStep()
		case settling(instance):
			again.RequeueAfter = lookAgain
		}
	}
	if phase == kubevirtv1.Running && !mounted(instance) && !instance.IsRunning() {
		return again, nil
	}
	setPhase(instance, phase, metav1.Now())
	if phase != kubevirtv1.Running {
		return again, nil
	}
	left := k.pace.Lease() - time.Since(phaseSince(instance))
	instance.Status.Interfaces = interfaces(instance, left <= 0)
	if left <= 0 {
		introduceGuest(instance)
		return again, nil
	}
	again.RequeueAfter = sooner(again.RequeueAfter, left)
	return again, nil
}

// sooner is the earlier of two times to look again, of which the first may be none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// lost says whether the launcher pod of an instance has failed, or is gone although it was there
// (pkg/virt-controller/watch/vmi/lifecycle.go).
func (k *KubeVirt) lost(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance) (bool, error) {
	pods, err := k.pods(ctx, instance)
	if err != nil {
		return false, err
	}
	if len(pods) == 0 {
		return instance.IsScheduled() || instance.IsRunning(), nil
	}
	return pods[0].DeletionTimestamp != nil || pods[0].Status.Phase == corev1.PodFailed || pods[0].Status.Phase == corev1.PodSucceeded, nil
}

// schedule puts the launcher pod of an instance on a node.
func (k *KubeVirt) schedule(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance) error {
	node, _, err := k.nodeFor(ctx, instance)
	if err != nil || node == "" {
		return err
	}
	pod, err := k.launch(ctx, instance, node)
	if err != nil {
		return err
	}
	node = pod.Spec.NodeName
	instance.Status.NodeName = node
	instance.Status.ActivePods = map[types.UID]string{pod.UID: node}
	instance.Status.LauncherContainerImageVersion = launcherImage
	if instance.Labels == nil {
		instance.Labels = map[string]string{}
	}
	instance.Labels[kubevirtv1.NodeNameLabel] = node
	return nil
}

func setPhase(instance *kubevirtv1.VirtualMachineInstance, phase kubevirtv1.VirtualMachineInstancePhase, now metav1.Time) {
	if instance.Status.Phase == phase {
		return
	}
	instance.Status.Phase = phase
	instance.Status.PhaseTransitionTimestamps = append(instance.Status.PhaseTransitionTimestamps,
		kubevirtv1.VirtualMachineInstancePhaseTransitionTimestamp{Phase: phase, PhaseTransitionTimestamp: now})
}

// phaseSince is when an instance entered its phase.
func phaseSince(instance *kubevirtv1.VirtualMachineInstance) time.Time {
	for _, transition := range instance.Status.PhaseTransitionTimestamps {
		if transition.Phase == instance.Status.Phase {
			return transition.PhaseTransitionTimestamp.Time
		}
	}
	return instance.CreationTimestamp.Time
}

// setConditions says how ready an instance is.
func setConditions(instance *kubevirtv1.VirtualMachineInstance, blocked *obstacle) {
	ready := condition(kubevirtv1.VirtualMachineInstanceReady, corev1.ConditionFalse, kubevirtv1.PodNotExistsReason, "virt-launcher pod has not yet been scheduled")
	switch instance.Status.Phase {
	case kubevirtv1.Scheduled:
		ready.Reason, ready.Message = kubevirtv1.GuestNotRunningReason, "Guest VM is not reported as running"
	case kubevirtv1.Running:
		ready.Status, ready.Reason, ready.Message = corev1.ConditionTrue, "", ""
		setCondition(instance, condition(kubevirtv1.VirtualMachineInstanceIsMigratable, corev1.ConditionTrue, "", ""))
		if strategy := instance.Spec.StartStrategy; strategy != nil && *strategy == kubevirtv1.StartStrategyPaused && instance.Status.Machine == nil {
			setCondition(instance, paused())
		}
		if hasCondition(instance, kubevirtv1.VirtualMachineInstancePaused) {
			ready.Status, ready.Reason, ready.Message = corev1.ConditionFalse, "PausedByUser", "VMI was paused by user"
		}
		describeHardware(instance)
	}
	scheduled := kubevirtv1.VirtualMachineInstanceConditionType(corev1.PodScheduled)
	removeCondition(instance, scheduled)
	if blocked != nil && blocked.pod != nil {
		ready.Reason, ready.Message = kubevirtv1.GuestNotRunningReason, "Guest VM is not reported as running"
		if blocked.pod.node == "" {
			setCondition(instance, condition(scheduled, corev1.ConditionFalse, corev1.PodReasonUnschedulable, blocked.pod.message))
		}
	}
	setCondition(instance, ready)
	if blocked != nil && blocked.message != "" {
		setCondition(instance, condition(kubevirtv1.VirtualMachineInstanceSynchronized, corev1.ConditionFalse, blocked.reason, blocked.message))
		return
	}
	removeCondition(instance, kubevirtv1.VirtualMachineInstanceSynchronized)
}

// introduceGuest shows what the agent in a guest tells.
func introduceGuest(instance *kubevirtv1.VirtualMachineInstance) {
	if hasCondition(instance, kubevirtv1.VirtualMachineInstanceAgentConnected) {
		return
	}
	setCondition(instance, condition(kubevirtv1.VirtualMachineInstanceAgentConnected, corev1.ConditionTrue, "", ""))
	instance.Status.GuestOSInfo = kubevirtv1.VirtualMachineInstanceGuestOSInfo{
		ID: "sandbox", Name: "Sandbox Linux", PrettyName: "Sandbox Linux 1.0", Version: "1.0", VersionID: "1.0",
		KernelRelease: "6.0.0", KernelVersion: "#1 SMP", Machine: "x86_64",
	}
}

// describeHardware shows what an instance has been given.
func describeHardware(instance *kubevirtv1.VirtualMachineInstance) {
	if instance.Status.Machine != nil {
		return
	}
	machine := kubevirtv1.Machine{Type: "pc-q35-9.2"}
	if wanted := instance.Spec.Domain.Machine; wanted != nil && wanted.Type != "" && wanted.Type != "q35" {
		machine.Type = wanted.Type
	}
	instance.Status.Machine = &machine
	instance.Status.MigrationMethod = kubevirtv1.LiveMigration
	instance.Status.MigrationTransport = kubevirtv1.MigrationTransportUnix
	burstable := corev1.PodQOSBurstable
	instance.Status.QOSClass = &burstable
	if cpu := instance.Spec.Domain.CPU; cpu != nil {
		instance.Status.CurrentCPUTopology = &kubevirtv1.CPUTopology{Cores: max(cpu.Cores, 1), Sockets: max(cpu.Sockets, 1), Threads: max(cpu.Threads, 1)}
	}
	if memory := instance.Spec.Domain.Memory; memory != nil && memory.Guest != nil {
		instance.Status.Memory = &kubevirtv1.MemoryStatus{GuestAtBoot: memory.Guest, GuestCurrent: memory.Guest, GuestRequested: memory.Guest}
	}
}

// interfaces shows the network interfaces of a running instance. KubeVirt knows the address on the pod network from the
// start, and the others from the guest's agent.
func interfaces(instance *kubevirtv1.VirtualMachineInstance, agent bool) (all []kubevirtv1.VirtualMachineInstanceNetworkInterface) {
	for i, device := range instance.Spec.Domain.Devices.Interfaces {
		shown := kubevirtv1.VirtualMachineInstanceNetworkInterface{
			Name: device.Name, MAC: mac(instance, device), InfoSource: "domain", LinkState: "up", QueueCount: 1,
		}
		podNetwork := slices.ContainsFunc(instance.Spec.Networks, func(n kubevirtv1.Network) bool { return n.Name == device.Name && n.Pod != nil })
		switch {
		case podNetwork:
			shown.IP, shown.PodInterfaceName = address(instance, podAddress), "eth0"
		case agent:
			shown.IP = address(instance, device.Name)
		}
		if shown.IP != "" {
			shown.IPs = []string{shown.IP}
		}
		if agent {
			shown.InterfaceName, shown.InfoSource = fmt.Sprintf("enp%ds0", i+1), "domain, guest-agent"
		}
		all = append(all, shown)
	}
	return all
}

// mac is the hardware address of an interface: the one asked for, or one that stays the same for an instance.
func mac(instance *kubevirtv1.VirtualMachineInstance, device kubevirtv1.Interface) string {
	if device.MacAddress != "" {
		return strings.ToLower(device.MacAddress)
	}
	d := digest(instance, "mac "+device.Name)
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", d[0], d[1], d[2])
}

// podAddress is what the address of the launcher pod is for. A guest on the pod network has that very address.
const podAddress = "/pod"

// address is the address that an interface gets, the same each time for an instance.
func address(instance *kubevirtv1.VirtualMachineInstance, device string) string {
	d := digest(instance, "address "+device)
	return fmt.Sprintf("10.52.%d.%d", d[0], 2+int(d[1])%250)
}

func digest(instance *kubevirtv1.VirtualMachineInstance, purpose string) [sha256.Size]byte {
	return sha256.Sum256([]byte(string(instance.UID) + " " + purpose))
}

// shutDown lets a deleted instance go after a grace period.
func (k *KubeVirt) shutDown(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance) (reconcile.Result, error) {
	if left := k.shutdownTime(instance) - time.Since(instance.DeletionTimestamp.Time); left > 0 && !instance.IsFinal() {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	if err := k.removePods(ctx, instance); err != nil {
		return reconcile.Result{}, err
	}
	setPhase(instance, kubevirtv1.Succeeded, metav1.Now())
	controllerutil.RemoveFinalizer(instance, kubevirtv1.VirtualMachineInstanceFinalizer)
	return reconcile.Result{}, client.IgnoreNotFound(k.api.Update(ctx, instance))
}

// shutdownTime is how long an instance takes to shut down: nothing if it does not run, and no longer than it may.
func (k *KubeVirt) shutdownTime(instance *kubevirtv1.VirtualMachineInstance) time.Duration {
	if !instance.IsRunning() {
		return 0
	}
	if grace := instance.Spec.TerminationGracePeriodSeconds; grace != nil {
		return min(k.pace.Shutdown(), time.Duration(*grace)*time.Second)
	}
	return k.pace.Shutdown()
}
