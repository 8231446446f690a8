// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cdiv1 "kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1"
	cc "kubevirt.io/containerized-data-importer/pkg/controller/common"
)

const (
	noProgress = "N/A"
	// Reasons of the condition Running.
	podPending = "Pending"
	podRunning = "Pod is running"
	completed  = "Completed"
	podFailed  = "Error"
)

// farewells are the last words of pods, which the condition Running has as its message.
var farewells = map[kind]string{uploaded: "Upload Complete", downloaded: "Import Complete", blank: "Import Complete", copied: "Clone Complete"}

// podState is what the pod that fills a claim shows of itself.
type podState struct {
	phase    corev1.PodPhase // empty without a pod
	restarts int
	running  bool // and not between two starts
	reason   string
	message  string
	progress string
}

// nextStatus is the status of a data volume, its conditions left as they are. waits says that its claim waits for
// somebody to use it.
func nextStatus(before cdiv1.DataVolumeStatus, kind kind, claim *corev1.PersistentVolumeClaim, seen podState, waits bool) cdiv1.DataVolumeStatus {
	status := *before.DeepCopy()
	status.ClaimName = claim.Name
	status.RestartCount = int32(seen.restarts)
	status.Phase = nextPhase(kind, claim.Status.Phase, seen.phase, waits)
	if status.Progress == "" {
		status.Progress = noProgress
	}
	if seen.progress != "" {
		status.Progress = cdiv1.DataVolumeProgress(seen.progress)
	}
	if status.Phase == cdiv1.Succeeded && kind != uploaded {
		status.Progress = "100.0%"
	}
	return status
}

// nextPhase is the phase that goes with those of a claim and a pod.
func nextPhase(kind kind, claim corev1.PersistentVolumeClaimPhase, pod corev1.PodPhase, waits bool) cdiv1.DataVolumePhase {
	switch {
	case pod == corev1.PodSucceeded:
		return cdiv1.Succeeded
	case claim == corev1.ClaimLost:
		return cdiv1.Failed
	case claim != corev1.ClaimBound && waits:
		return cdiv1.WaitForFirstConsumer
	case claim != corev1.ClaimBound:
		return cdiv1.Pending
	case pod == "":
		return cdiv1.PVCBound
	}
	return phases[kind][pod == corev1.PodRunning]
}

// phases are those of data volumes whose pods wait or run.
var phases = map[kind]map[bool]cdiv1.DataVolumePhase{
	uploaded:   {false: cdiv1.UploadScheduled, true: cdiv1.UploadReady},
	downloaded: {false: cdiv1.ImportScheduled, true: cdiv1.ImportInProgress},
	blank:      {false: cdiv1.ImportScheduled, true: cdiv1.ImportInProgress},
	copied:     {false: cdiv1.CloneScheduled, true: cdiv1.CloneInProgress},
}

// nextConditions adds the conditions to a status. claim is nil if there is none.
func nextConditions(status cdiv1.DataVolumeStatus, claim *corev1.PersistentVolumeClaim, now metav1.Time) cdiv1.DataVolumeStatus {
	status = *status.DeepCopy()
	ready := corev1.ConditionFalse
	if status.Phase == cdiv1.Succeeded {
		ready = corev1.ConditionTrue
	}
	readyReason := ""
	running := runningCondition(claim)
	if running.Status == corev1.ConditionTrue {
		readyReason = "TransferRunning"
	}
	for _, condition := range []cdiv1.DataVolumeCondition{
		boundCondition(claim),
		{Type: cdiv1.DataVolumeReady, Status: ready, Reason: readyReason},
		running,
	} {
		status.Conditions = withCondition(status.Conditions, condition, now)
	}
	return status
}

func boundCondition(claim *corev1.PersistentVolumeClaim) cdiv1.DataVolumeCondition {
	condition := cdiv1.DataVolumeCondition{Type: cdiv1.DataVolumeBound, Status: corev1.ConditionFalse}
	switch {
	case claim == nil:
		condition.Reason, condition.Message = "NotFound", "No PVC found"
	case claim.Status.Phase == corev1.ClaimBound:
		condition.Status = corev1.ConditionTrue
		condition.Reason, condition.Message = "Bound", fmt.Sprintf("PVC %s Bound", claim.Name)
	case claim.Status.Phase == corev1.ClaimLost:
		condition.Reason, condition.Message = "ClaimLost", "Claim Lost"
	default:
		condition.Reason, condition.Message = "Pending", fmt.Sprintf("PVC %s Pending", claim.Name)
	}
	return condition
}

// runningCondition is about the pod that fills a claim, as the claim's annotations tell.
func runningCondition(claim *corev1.PersistentVolumeClaim) cdiv1.DataVolumeCondition {
	condition := cdiv1.DataVolumeCondition{Type: cdiv1.DataVolumeRunning, Status: corev1.ConditionFalse}
	if claim == nil {
		return condition
	}
	if claim.Annotations[cc.AnnRunningCondition] == "true" {
		condition.Status = corev1.ConditionTrue
	}
	condition.Reason = claim.Annotations[cc.AnnRunningConditionReason]
	condition.Message = claim.Annotations[cc.AnnRunningConditionMessage]
	return condition
}

// withCondition puts a condition in the place of the one of its type. Its times change only if it does.
func withCondition(conditions []cdiv1.DataVolumeCondition, next cdiv1.DataVolumeCondition, now metav1.Time) []cdiv1.DataVolumeCondition {
	for i, last := range conditions {
		if last.Type != next.Type {
			continue
		}
		next.LastTransitionTime, next.LastHeartbeatTime = last.LastTransitionTime, last.LastHeartbeatTime
		if last.Status != next.Status {
			next.LastTransitionTime = now
		}
		if last != next {
			next.LastHeartbeatTime = now
		}
		conditions[i] = next
		return conditions
	}
	next.LastTransitionTime, next.LastHeartbeatTime = now, now
	return append(conditions, next)
}
