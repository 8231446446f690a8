// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

func condition(kind kubevirtv1.VirtualMachineInstanceConditionType, status corev1.ConditionStatus, reason, message string) kubevirtv1.VirtualMachineInstanceCondition {
	return kubevirtv1.VirtualMachineInstanceCondition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: metav1.Now()}
}

func paused() kubevirtv1.VirtualMachineInstanceCondition {
	return condition(kubevirtv1.VirtualMachineInstancePaused, corev1.ConditionTrue, "PausedByUser", "VMI was paused by user")
}

// setCondition keeps the time of a condition whose status stays the same.
func setCondition(instance *kubevirtv1.VirtualMachineInstance, wanted kubevirtv1.VirtualMachineInstanceCondition) {
	conditions := instance.Status.Conditions
	i := slices.IndexFunc(conditions, func(c kubevirtv1.VirtualMachineInstanceCondition) bool { return c.Type == wanted.Type })
	if i < 0 {
		instance.Status.Conditions = append(instance.Status.Conditions, wanted)
		return
	}
	if conditions[i].Status == wanted.Status {
		wanted.LastTransitionTime = conditions[i].LastTransitionTime
	}
	conditions[i] = wanted
}

func removeCondition(instance *kubevirtv1.VirtualMachineInstance, kind kubevirtv1.VirtualMachineInstanceConditionType) {
	instance.Status.Conditions = slices.DeleteFunc(instance.Status.Conditions, func(c kubevirtv1.VirtualMachineInstanceCondition) bool {
		return c.Type == kind
	})
}

func hasCondition(instance *kubevirtv1.VirtualMachineInstance, kind kubevirtv1.VirtualMachineInstanceConditionType) bool {
	return slices.ContainsFunc(instance.Status.Conditions, func(c kubevirtv1.VirtualMachineInstanceCondition) bool {
		return c.Type == kind && c.Status == corev1.ConditionTrue
	})
}

// synchronizedReason is why an instance is not what it should be.
func synchronizedReason(instance *kubevirtv1.VirtualMachineInstance) string {
	for _, c := range instance.Status.Conditions {
		if c.Type == kubevirtv1.VirtualMachineInstanceSynchronized && c.Status == corev1.ConditionFalse {
			return c.Reason
		}
	}
	return ""
}

// unplaced says whether there is no node for an instance.
func unplaced(instance *kubevirtv1.VirtualMachineInstance) bool {
	return slices.ContainsFunc(instance.Status.Conditions, func(c kubevirtv1.VirtualMachineInstanceCondition) bool {
		return string(c.Type) == string(corev1.PodScheduled) && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
}
