// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

const (
	machineFinalizer = "kubevirt.io/virtualMachineControllerFinalize"
	// templateAnnotation keeps the template that an instance was made from. KubeVirt has a revision of its own for that.
	templateAnnotation = "sandbox.kubevirt.io/template"

	defaultGracePeriod = int64(30)
)

// action is what to do about the instance of a machine.
type action int

const (
	keep action = iota
	startInstance
	stopInstance
)

// nextAction decides what a run strategy makes of a machine and its instance, which may be nil.
func nextAction(machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance) action {
	strategy, err := machine.RunStrategy()
	if err != nil {
		return keep
	}
	if instance == nil {
		return actionWithout(machine, strategy)
	}
	if instance.DeletionTimestamp != nil {
		return keep
	}
	stop := stopRequested(machine, instance)
	switch strategy {
	case kubevirtv1.RunStrategyHalted:
		stop = true
	case kubevirtv1.RunStrategyAlways, kubevirtv1.RunStrategyRerunOnFailure:
		stop = stop || instance.IsFinal()
	}
	if stop {
		return stopInstance
	}
	return keep
}

func actionWithout(machine *kubevirtv1.VirtualMachine, strategy kubevirtv1.VirtualMachineRunStrategy) action {
	start := false
	switch strategy {
	case kubevirtv1.RunStrategyAlways, kubevirtv1.RunStrategyOnce:
		start = true
	case kubevirtv1.RunStrategyManual:
		start = startRequested(machine)
	case kubevirtv1.RunStrategyRerunOnFailure:
		// A machine that has run before was stopped on purpose.
		start = startRequested(machine) || machine.Status.RunStrategy != strategy
	}
	if start {
		return startInstance
	}
	return keep
}

func stopRequested(machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance) bool {
	requests := machine.Status.StateChangeRequests
	return len(requests) > 0 && requests[0].Action == kubevirtv1.StopRequest && requests[0].UID != nil && *requests[0].UID == instance.UID
}

func startRequested(machine *kubevirtv1.VirtualMachine) bool {
	requests := machine.Status.StateChangeRequests
	return len(requests) > 0 && requests[0].Action == kubevirtv1.StartRequest
}

// reconcileMachine brings a machine one step closer to what its run strategy asks for.
func (k *KubeVirt) reconcileMachine(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	machine := &kubevirtv1.VirtualMachine{}
	if err := k.api.Get(ctx, request.NamespacedName, machine); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if machine.Spec.Template == nil {
		return reconcile.Result{}, nil
	}
	instance, err := k.instance(ctx, request.NamespacedName)
	if err != nil {
		return reconcile.Result{}, err
	}
	if instance != nil && !owned(instance, machine) {
		// An instance of an earlier machine of the same name has to go first.
		return reconcile.Result{}, nil
	}
	if machine.DeletionTimestamp != nil {
		return reconcile.Result{}, k.finalize(ctx, machine, instance)
	}
	if controllerutil.AddFinalizer(machine, machineFinalizer) {
		if err := k.api.Update(ctx, machine); err != nil {
			return reconcile.Result{}, err
		}
	}
	failure, again := error(nil), reconcile.Result{}
	switch nextAction(machine, instance) {
	case startInstance:
		if left := backoff(machine); left > 0 {
			again.RequeueAfter = left
			break
		}
		instance, failure = k.start(ctx, machine)
	case stopInstance:
		failure = k.stop(ctx, machine, instance)
	case keep:
		if failure = k.hotplug(ctx, machine, instance); failure == nil {
			failure = k.resize(ctx, machine, instance)
		}
	}
	if apierrors.IsConflict(failure) {
		return reconcile.Result{}, failure
	}
	if err := k.recordMachine(ctx, machine, instance, failure); err != nil {
		return reconcile.Result{}, err
	}
	return again, failure
}

// startFailure is what a machine notes of instances that failed before they ever ran, one after the other
// (syncStartFailureStatus in pkg/virt-controller/watch/vm/vm.go). It waits longer and longer before it starts another.
func startFailure(machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance, now time.Time) *kubevirtv1.VirtualMachineStartFailure {
	before := machine.Status.StartFailure
	strategy, err := machine.RunStrategy()
	ran := instance != nil && slices.ContainsFunc(instance.Status.PhaseTransitionTimestamps,
		func(t kubevirtv1.VirtualMachineInstancePhaseTransitionTimestamp) bool {
			return t.Phase == kubevirtv1.Running
		})
	switch {
	case ran || (err == nil && !repeats(strategy)):
		return nil
	case instance == nil || !instance.IsFinal() || instance.DeletionTimestamp != nil || (before != nil && before.LastFailedVMIUID == instance.UID):
		return before
	}
	count := 1
	if before != nil {
		count = before.ConsecutiveFailCount + 1
	}
	const first, longest = 10 * time.Second, 300 * time.Second
	retry := metav1.NewTime(now.Add(min(first*time.Duration(count*count), longest)))
	return &kubevirtv1.VirtualMachineStartFailure{LastFailedVMIUID: instance.UID, RetryAfterTimestamp: &retry, ConsecutiveFailCount: count}
}

// repeats says whether a machine with a run strategy is started again when it fails.
func repeats(strategy kubevirtv1.VirtualMachineRunStrategy) bool {
	return strategy == kubevirtv1.RunStrategyAlways || strategy == kubevirtv1.RunStrategyRerunOnFailure || strategy == kubevirtv1.RunStrategyOnce
}

// backoff is how long a machine waits before it starts another instance after those that failed.
func backoff(machine *kubevirtv1.VirtualMachine) time.Duration {
	strategy, err := machine.RunStrategy()
	failure := machine.Status.StartFailure
	if err != nil || failure == nil || failure.RetryAfterTimestamp == nil || strategy == kubevirtv1.RunStrategyOnce || strategy == kubevirtv1.RunStrategyManual {
		return 0
	}
	return max(0, time.Until(failure.RetryAfterTimestamp.Time))
}

// migrating says whether an instance moves from one node to another (pkg/util/migrations). Nothing here moves it.
func migrating(instance *kubevirtv1.VirtualMachineInstance) bool {
	if instance == nil || instance.Status.MigrationState == nil {
		return false
	}
	begun := func(t *metav1.Time) bool { return t != nil && !t.After(time.Now()) }
	return begun(instance.Status.MigrationState.StartTimestamp) && !begun(instance.Status.MigrationState.EndTimestamp)
}

// finalize lets a deleted machine go once its instance has gone.
func (k *KubeVirt) finalize(ctx context.Context, machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance) error {
	if instance == nil {
		if controllerutil.RemoveFinalizer(machine, machineFinalizer) {
			return k.api.Update(ctx, machine)
		}
		return nil
	}
	if instance.DeletionTimestamp == nil {
		if err := client.IgnoreNotFound(k.api.Delete(ctx, instance)); err != nil {
			return err
		}
	}
	return k.recordMachine(ctx, machine, instance, nil)
}

// start gives a machine an instance.
func (k *KubeVirt) start(ctx context.Context, machine *kubevirtv1.VirtualMachine) (*kubevirtv1.VirtualMachineInstance, error) {
	forgetRestart(machine)
	instance := newInstance(machine)
	if err := k.api.Create(ctx, instance); err != nil {
		return nil, fmt.Errorf("failure while starting VMI: %w", err)
	}
	k.event(machine, corev1.EventTypeNormal, "SuccessfulCreate", "Started the virtual machine by creating the new virtual machine instance "+instance.Name)
	return instance, nil
}

func (k *KubeVirt) stop(ctx context.Context, machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance) error {
	if instance.Status.Phase == kubevirtv1.Failed && machine.Spec.RunStrategy != nil && *machine.Spec.RunStrategy == kubevirtv1.RunStrategyRerunOnFailure {
		machine.Status.StateChangeRequests = append(machine.Status.StateChangeRequests, kubevirtv1.VirtualMachineStateChangeRequest{Action: kubevirtv1.StartRequest})
	}
	if err := client.IgnoreNotFound(k.api.Delete(ctx, instance)); err != nil {
		return fmt.Errorf("failure attempting to delete VMI: %w", err)
	}
	forgetRestart(machine)
	k.event(machine, corev1.EventTypeNormal, "SuccessfulDelete", "Stopped the virtual machine by deleting the virtual machine instance "+string(instance.UID))
	return nil
}

// forgetRestart takes back that a machine has to be restarted, which it is.
func forgetRestart(machine *kubevirtv1.VirtualMachine) {
	machine.Status.Conditions = slices.DeleteFunc(machine.Status.Conditions, func(c kubevirtv1.VirtualMachineCondition) bool {
		return c.Type == kubevirtv1.VirtualMachineRestartRequired
	})
}

func (k *KubeVirt) event(object client.Object, kind, reason, message string) {
	if k.events != nil {
		k.events.Event(object, kind, reason, message)
	}
}

// newInstance is the instance that a machine asks for.
func newInstance(machine *kubevirtv1.VirtualMachine) *kubevirtv1.VirtualMachineInstance {
	template := machine.Spec.Template.DeepCopy()
	instance := &kubevirtv1.VirtualMachineInstance{
		ObjectMeta: metav1.ObjectMeta{
			Name: machine.Name, Namespace: machine.Namespace,
			Labels: template.ObjectMeta.Labels, Annotations: template.ObjectMeta.Annotations,
			Finalizers:      []string{kubevirtv1.VirtualMachineInstanceFinalizer},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(machine, kubevirtv1.VirtualMachineGroupVersionKind)},
		},
		Spec: template.Spec,
	}
	if instance.Annotations == nil {
		instance.Annotations = map[string]string{}
	}
	instance.Annotations[kubevirtv1.VirtualMachineGenerationAnnotation] = strconv.FormatInt(machine.Generation, 10)
	instance.Annotations[templateAnnotation] = templateOf(machine)
	if instance.Spec.TerminationGracePeriodSeconds == nil {
		grace := defaultGracePeriod
		instance.Spec.TerminationGracePeriodSeconds = &grace
	}
	if requests := machine.Status.StateChangeRequests; startRequested(machine) && requests[0].Data[kubevirtv1.StartRequestDataPausedKey] == kubevirtv1.StartRequestDataPausedTrue {
		paused := kubevirtv1.StartStrategyPaused
		instance.Spec.StartStrategy = &paused
	}
	return instance
}

// templateOf is the template of a machine as an instance keeps it.
func templateOf(machine *kubevirtv1.VirtualMachine) string {
	// The types of an API can always be marshalled.
	raw, _ := json.Marshal(machine.Spec.Template.Spec)
	return string(raw)
}

// outdated says whether the template of a machine has changed in what its running instance cannot take over
// (addRestartRequiredIfNeeded in pkg/virt-controller/watch/vm/vm.go).
func outdated(machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance) bool {
	started, current := &kubevirtv1.VirtualMachineInstanceSpec{}, machine.Spec.Template.Spec.DeepCopy()
	if json.Unmarshal([]byte(instance.Annotations[templateAnnotation]), started) != nil {
		return false
	}
	volumes, disks := liveVolumes(started.Volumes, current.Volumes), liveDisks(started, current)
	if volumes {
		started.Volumes = current.Volumes
	}
	if disks {
		started.Domain.Devices.Disks = current.Domain.Devices.Disks
	}
	for _, spec := range []*kubevirtv1.VirtualMachineInstanceSpec{started, current} {
		forgetLive(spec)
	}
	return !equality.Semantic.DeepEqual(started, current)
}

// forgetLive removes from a template what a running instance takes over, volumes and disks excepted.
func forgetLive(spec *kubevirtv1.VirtualMachineInstanceSpec) {
	spec.NodeSelector, spec.Affinity, spec.Tolerations = nil, nil, nil
	if spec.Domain.CPU != nil {
		spec.Domain.CPU.Sockets = 0
	}
	if spec.Domain.Memory != nil {
		spec.Domain.Memory.Guest = nil
	}
	for i := range spec.Domain.Devices.Interfaces {
		// Harvester writes the observed address here once the instance runs.
		spec.Domain.Devices.Interfaces[i].MacAddress = ""
	}
}

// recordMachine lets a machine show its state.
func (k *KubeVirt) recordMachine(ctx context.Context, machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance, failure error) error {
	found, err := k.look(ctx, machine.Namespace, machine.Spec.Template.Spec.Volumes)
	if err != nil {
		return err
	}
	if instance != nil && !outdated(machine, instance) {
		if err := k.bumpGeneration(ctx, machine, instance); err != nil {
			return err
		}
	}
	current := &kubevirtv1.VirtualMachine{}
	if err := k.api.Get(ctx, client.ObjectKeyFromObject(machine), current); err != nil {
		return client.IgnoreNotFound(err)
	}
	status := machineStatus(machine, instance, found, failure)
	if equality.Semantic.DeepEqual(current.Status, status) {
		return nil
	}
	machine.Status = status
	return k.api.Status().Update(ctx, machine)
}

// bumpGeneration notes that an instance is up to date with a change that did not concern it.
func (k *KubeVirt) bumpGeneration(ctx context.Context, machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance) error {
	generation := strconv.FormatInt(machine.Generation, 10)
	if instance.Annotations[kubevirtv1.VirtualMachineGenerationAnnotation] == generation || instance.DeletionTimestamp != nil {
		return nil
	}
	instance.Annotations[kubevirtv1.VirtualMachineGenerationAnnotation] = generation
	return k.api.Update(ctx, instance)
}

// machineStatus is what a machine shows of itself.
func machineStatus(machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance, found disks, failure error) kubevirtv1.VirtualMachineStatus {
	status := *machine.Status.DeepCopy()
	status.Created = instance != nil
	status.Ready = instance != nil && hasCondition(instance, kubevirtv1.VirtualMachineInstanceReady)
	strategy, err := machine.RunStrategy()
	if err == nil && (status.RunStrategy != "" || status.Created) {
		status.RunStrategy = strategy
	}
	status.DesiredGeneration = machine.Generation
	if instance != nil {
		status.ObservedGeneration, _ = strconv.ParseInt(instance.Annotations[kubevirtv1.VirtualMachineGenerationAnnotation], 10, 64)
	} else {
		status.ObservedGeneration = machine.Generation
	}
	if requestDone(status.StateChangeRequests, instance) {
		status.StateChangeRequests = status.StateChangeRequests[1:]
	}
	status.StartFailure = startFailure(machine, instance, time.Now())
	machine = machine.DeepCopy()
	machine.Status.StartFailure = status.StartFailure
	status.PrintableStatus = printableStatus(machine, instance, found)
	status.Conditions = machineConditions(machine, instance, failure, status.Conditions)
	return status
}

// requestDone says whether the first request to change a machine's state has been fulfilled.
func requestDone(requests []kubevirtv1.VirtualMachineStateChangeRequest, instance *kubevirtv1.VirtualMachineInstance) bool {
	if len(requests) == 0 {
		return false
	}
	if requests[0].Action == kubevirtv1.StopRequest {
		return instance == nil || requests[0].UID == nil || *requests[0].UID != instance.UID
	}
	return instance != nil && instance.DeletionTimestamp == nil && !instance.IsFinal()
}

// printableStatus is the one word that a machine is described with. The first that fits wins, as in KubeVirt.
func printableStatus(machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance, found disks) kubevirtv1.VirtualMachinePrintableStatus {
	starts := (nextAction(machine, instance) == startInstance && backoff(machine) == 0) || (instance != nil && instance.DeletionTimestamp == nil && !instance.IsFinal())
	switch {
	case machine.DeletionTimestamp != nil:
		return kubevirtv1.VirtualMachineStatusTerminating
	case instance != nil && !instance.IsFinal() && (instance.DeletionTimestamp != nil || nextAction(machine, instance) == stopInstance):
		return kubevirtv1.VirtualMachineStatusStopping
	case migrating(instance):
		return kubevirtv1.VirtualMachineStatusMigrating
	case instance != nil && instance.IsRunning() && hasCondition(instance, kubevirtv1.VirtualMachineInstancePaused):
		return kubevirtv1.VirtualMachineStatusPaused
	case instance != nil && instance.IsRunning():
		return kubevirtv1.VirtualMachineStatusRunning
	case instance != nil && synchronizedReason(instance) == pvcNotFound:
		return kubevirtv1.VirtualMachineStatusPvcNotFound
	case found.failed || (starts && found.missingData != ""):
		return kubevirtv1.VirtualMachineStatusDataVolumeError
	case instance != nil && unplaced(instance):
		return kubevirtv1.VirtualMachineStatusUnschedulable
	case starts && found.importing:
		return kubevirtv1.VirtualMachineStatusProvisioning
	case starts && found.unbound:
		return kubevirtv1.VirtualMachineStatusWaitingForVolumeBinding
	case instance != nil && synchronizedReason(instance) == errImagePull:
		return kubevirtv1.VirtualMachineStatusErrImagePull
	case instance != nil && synchronizedReason(instance) == imagePullBackOff:
		return kubevirtv1.VirtualMachineStatusImagePullBackOff
	case starts:
		return kubevirtv1.VirtualMachineStatusStarting
	case machine.Status.StartFailure != nil && machine.Status.StartFailure.ConsecutiveFailCount > 0:
		return kubevirtv1.VirtualMachineStatusCrashLoopBackOff
	}
	return kubevirtv1.VirtualMachineStatusStopped
}

// machineConditions are those of the instance, and the machine's own.
func machineConditions(machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance, failure error, before []kubevirtv1.VirtualMachineCondition) []kubevirtv1.VirtualMachineCondition {
	now := metav1.Now()
	var conditions []kubevirtv1.VirtualMachineCondition
	add := func(kind kubevirtv1.VirtualMachineConditionType, status corev1.ConditionStatus, reason, message string, since metav1.Time) {
		if i := slices.IndexFunc(before, func(c kubevirtv1.VirtualMachineCondition) bool { return c.Type == kind && c.Status == status }); i >= 0 {
			since = before[i].LastTransitionTime
		}
		conditions = append(conditions, kubevirtv1.VirtualMachineCondition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: since})
	}
	if instance == nil {
		add(kubevirtv1.VirtualMachineReady, corev1.ConditionFalse, "VMINotExists", "VMI does not exist", now)
	} else {
		for _, c := range instance.Status.Conditions {
			add(kubevirtv1.VirtualMachineConditionType(c.Type), c.Status, c.Reason, c.Message, c.LastTransitionTime)
		}
		// Once it is there, it stays until the instance is stopped, even if the change is taken back.
		told := slices.IndexFunc(before, func(c kubevirtv1.VirtualMachineCondition) bool {
			return c.Type == kubevirtv1.VirtualMachineRestartRequired
		})
		why := "a non-live-updatable field was changed in the template spec"
		if told >= 0 {
			why = before[told].Message
		}
		if (told >= 0 || outdated(machine, instance)) && instance.DeletionTimestamp == nil {
			add(kubevirtv1.VirtualMachineRestartRequired, corev1.ConditionTrue, "", why, now)
		}
	}
	if failure != nil {
		reason := "FailedCreate"
		if known := (*syncError)(nil); errors.As(failure, &known) {
			reason = known.reason
		}
		add(kubevirtv1.VirtualMachineFailure, corev1.ConditionTrue, reason, failure.Error(), now)
	}
	return conditions
}

// key is where a machine and its instance are.
func key(namespace, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: name}
}
