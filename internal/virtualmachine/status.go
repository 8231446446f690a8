// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

// States of a machine, as the official provider names them.
const (
	stateReady    = "Ready"
	stateRunning  = "Running" // but an address is still awaited
	stateStarting = "Starting"
	stateStopping = "Stopping"
	stateOff      = "Off"
	stateFailed   = "Failed"
	stateUnknown  = "Unknown"
)

// stateOf condenses machine and instance into one word.
func stateOf(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) string {
	if vmi == nil {
		return stateWithoutInstance(vm)
	}
	switch {
	case vmi.DeletionTimestamp != nil:
		return stateStopping
	case failing(vm):
		return stateFailed
	}
	switch vmi.Status.Phase {
	case kubevirtv1.VmPhaseUnset, kubevirtv1.Pending, kubevirtv1.Scheduling, kubevirtv1.Scheduled:
		return stateStarting
	case kubevirtv1.Running:
		if len(awaited(vm, vmi)) > 0 {
			return stateRunning
		}
		return stateReady
	case kubevirtv1.Succeeded:
		if vm.Status.PrintableStatus == kubevirtv1.VirtualMachineStatusStopped {
			return stateOff
		}
		return stateStopping
	case kubevirtv1.Failed:
		return stateFailed
	default:
		return stateUnknown
	}
}

func stateWithoutInstance(vm *kubevirtv1.VirtualMachine) string {
	switch vm.Status.PrintableStatus {
	case kubevirtv1.VirtualMachineStatusProvisioning, kubevirtv1.VirtualMachineStatusStarting, kubevirtv1.VirtualMachineStatusWaitingForVolumeBinding:
		return stateStarting
	case kubevirtv1.VirtualMachineStatusTerminating:
		return stateStopping
	default:
		if failing(vm) {
			return stateFailed
		}
		return stateOff
	}
}

// awaited lists the interfaces that are to get an address and have none.
func awaited(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) []string {
	var missing []string
	for _, name := range nic.Leases(withTemplate(vm)) {
		if address, _ := nic.Address(vmi, name); address == "" {
			missing = append(missing, name)
		}
	}
	return missing
}

// patience is how long a status that mostly means failure may last before it is
// taken for one: some of them pass by themselves while volumes and pods come up.
var patience = map[kubevirtv1.VirtualMachinePrintableStatus]time.Duration{
	kubevirtv1.VirtualMachineStatusCrashLoopBackOff: 30 * time.Second,
	kubevirtv1.VirtualMachineStatusDataVolumeError:  time.Minute,
	kubevirtv1.VirtualMachineStatusErrImagePull:     time.Minute,
	kubevirtv1.VirtualMachineStatusImagePullBackOff: time.Minute,
	kubevirtv1.VirtualMachineStatusPvcNotFound:      time.Minute,
	kubevirtv1.VirtualMachineStatusUnschedulable:    time.Minute,
}

// meanings says in words what these statuses mean, and what to look at.
var meanings = map[kubevirtv1.VirtualMachinePrintableStatus]string{
	kubevirtv1.VirtualMachineStatusCrashLoopBackOff: "it fails to start again and again",
	kubevirtv1.VirtualMachineStatusDataVolumeError:  "a volume could not be filled",
	kubevirtv1.VirtualMachineStatusErrImagePull:     "a container image could not be pulled",
	kubevirtv1.VirtualMachineStatusImagePullBackOff: "a container image could not be pulled",
	kubevirtv1.VirtualMachineStatusPvcNotFound:      "a volume it needs does not exist",
	kubevirtv1.VirtualMachineStatusUnschedulable:    "no node can run it",
}

func failing(vm *kubevirtv1.VirtualMachine) bool {
	_, bad := patience[vm.Status.PrintableStatus]
	return bad
}

// messageOf is what the cluster says about the state; "" when all is well.
func messageOf(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) string {
	if quota := vm.Annotations[annotationQuota]; quota != "" && vmi == nil {
		return redact.Text(quota)
	}
	if failing(vm) {
		return described(vm, vmi)
	}
	if why, needed := restartRequired(vm); needed {
		return restartNeeded + ": " + strings.TrimSuffix(why, ".") + "."
	}
	if vmi != nil && vmi.Status.Phase == kubevirtv1.Failed {
		return reason(vm, vmi)
	}
	return ""
}

// restartNeeded begins the message of a machine that waits for a restart.
const restartNeeded = "A restart is needed"

// restartRequired says whether KubeVirt has not taken all changes while the machine runs, and why.
func restartRequired(vm *kubevirtv1.VirtualMachine) (why string, needed bool) {
	for _, condition := range vm.Status.Conditions {
		if condition.Type == kubevirtv1.VirtualMachineRestartRequired && condition.Status == corev1.ConditionTrue {
			return condition.Message, true
		}
	}
	return "", false
}

// described is the status with its meaning and the cluster's own words.
func described(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) string {
	status := vm.Status.PrintableStatus
	text := string(status)
	if meaning := meanings[status]; meaning != "" {
		text += " (" + meaning + ")"
	}
	if why := reason(vm, vmi); why != "" {
		text += ": " + why
	}
	return text
}

// reason is the most telling message of the conditions of machine and
// instance: that of one which reports a failure, not of those that only say
// "not ready yet".
func reason(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) string {
	for _, condition := range vm.Status.Conditions {
		if condition.Type == kubevirtv1.VirtualMachineFailure && condition.Status == corev1.ConditionTrue && condition.Message != "" {
			return condition.Message
		}
	}
	if vmi == nil {
		return ""
	}
	for _, condition := range vmi.Status.Conditions {
		telling := condition.Type == kubevirtv1.VirtualMachineInstanceSynchronized || condition.Type == kubevirtv1.VirtualMachineInstanceConditionType(corev1.PodScheduled)
		if telling && condition.Status == corev1.ConditionFalse && condition.Message != "" {
			return condition.Message
		}
	}
	return vmi.Status.Reason
}

// goal is what a wait waits for.
type goal struct {
	// running: an instance runs on a node; otherwise there is none.
	running bool
	// not is the instance that must be gone first, after a restart.
	not string
}

// verdict is what a look at a machine on the way to a goal says.
type verdict struct {
	done    bool
	message string
	// lagging: KubeVirt has not looked at the newest version of the machine yet, so
	// it may still say that a restart is needed.
	lagging bool
	// trouble is a status that means failure if it lasts for the patience.
	trouble  string
	patience time.Duration
	// failed is why the goal cannot be reached any more.
	failed error
}

// judge compares what is seen with the goal.
func (g goal) judge(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) verdict {
	if vm != nil && vmi != nil && ofAnother(vm, vmi) {
		vmi = nil
	}
	switch {
	case vm == nil:
		return verdict{failed: fmt.Errorf("it was deleted by someone else")}
	case vm.DeletionTimestamp != nil:
		return verdict{failed: fmt.Errorf("it is being deleted by someone else")}
	case !g.running:
		return verdict{done: vmi == nil || ended(vm, vmi), message: progress(vm, vmi)}
	}
	return g.judgeRunning(vm, vmi)
}

// ofAnother says that the instance is left over from an earlier machine of the
// same name.
func ofAnother(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) bool {
	owner := metav1.GetControllerOf(vmi)
	return owner != nil && owner.UID != vm.UID
}

func (g goal) judgeRunning(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) verdict {
	strategy, _ := vm.RunStrategy()
	if strategy == kubevirtv1.RunStrategyHalted {
		if quota := vm.Annotations[annotationQuota]; quota != "" {
			return verdict{failed: fmt.Errorf("Harvester halted it, as the namespace's quota does not allow for it: %s", quota)}
		}
		return verdict{failed: fmt.Errorf("it was halted by someone else")}
	}
	result := verdict{message: progress(vm, vmi)}
	if vmi != nil && string(vmi.UID) != g.not {
		missing := awaited(vm, vmi)
		switch vmi.Status.Phase {
		case kubevirtv1.Running:
			result.done = vmi.DeletionTimestamp == nil && vmi.Status.NodeName != "" && len(missing) == 0
			result.lagging = vm.Status.DesiredGeneration != 0 && vm.Status.DesiredGeneration < vm.Generation
			return result
		case kubevirtv1.Succeeded:
			// The guest shut itself down, and is to stay so.
			if strategy == kubevirtv1.RunStrategyRerunOnFailure && shutDown(vm, vmi) {
				if len(missing) > 0 {
					result.failed = fmt.Errorf("it shut itself down before %s had an address", strings.Join(missing, ", "))
				}
				result.done = result.failed == nil
				return result
			}
		default:
		}
	}
	if failing(vm) {
		result.trouble, result.patience = described(vm, vmi), patience[vm.Status.PrintableStatus]
	}
	return result
}

// ended says that the instance does not run any more, and stays as it is. One of a halted machine is deleted.
func ended(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) bool {
	strategy, _ := vm.RunStrategy()
	return vmi.IsFinal() && vmi.DeletionTimestamp == nil && strategy != kubevirtv1.RunStrategyHalted
}

// shutDown says that the guest ended the instance, and that it stays so. KubeVirt deletes such an instance soon after.
func shutDown(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) bool {
	return vmi.Status.Phase == kubevirtv1.Succeeded && (vmi.DeletionTimestamp == nil || staysOff(vm))
}

// staysOff says that KubeVirt makes no new instance of a machine whose strategy is RerunOnFailure: it does when the
// strategy becomes that, and when it is asked to.
func staysOff(vm *kubevirtv1.VirtualMachine) bool {
	return vm.Status.RunStrategy == kubevirtv1.RunStrategyRerunOnFailure &&
		!slices.ContainsFunc(vm.Status.StateChangeRequests, func(r kubevirtv1.VirtualMachineStateChangeRequest) bool { return r.Action == kubevirtv1.StartRequest })
}

// progress says where the machine is on its way.
func progress(vm *kubevirtv1.VirtualMachine, vmi *kubevirtv1.VirtualMachineInstance) string {
	text := string(vm.Status.PrintableStatus)
	if text == "" {
		text = "no status yet"
	}
	if failing(vm) {
		text = described(vm, vmi)
	}
	if vmi == nil {
		return text
	}
	if phase := string(vmi.Status.Phase); phase != "" && phase != string(vm.Status.PrintableStatus) {
		text += ", instance " + phase
	}
	if missing := awaited(vm, vmi); vmi.Status.Phase == kubevirtv1.Running && len(missing) > 0 {
		text += ", no address yet on " + strings.Join(missing, ", ")
	}
	return text
}
