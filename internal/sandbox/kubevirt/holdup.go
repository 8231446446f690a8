// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	errImagePull     = "ErrImagePull"
	imagePullBackOff = "ImagePullBackOff"
	// absent is in the name of an image that no registry has.
	absent = "does-not-exist"
)

// holdUp is what keeps a launcher pod from running.
type holdUp struct {
	// node is where the pod is. It is empty if there is none for it.
	node string
	// container waits for the reason, with a message. It is that of the pod if it is empty.
	container, reason, message string
	// event is what the node's kubelet or the scheduler say of it.
	event blame
}

type blame struct{ reason, message string }

// heldUp finds out what keeps the launcher pod of an instance from running when all that it needs is there.
func (k *KubeVirt) heldUp(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance, found disks) (*obstacle, error) {
	node, why, err := k.nodeFor(ctx, instance)
	if err != nil {
		return nil, err
	}
	return held(instance, found, node, why, time.Since(phaseSince(instance))), nil
}

// held decides what keeps the launcher pod of an instance from running: there is no node for it and why, a volume cannot
// be attached, or the image of a container disk cannot be pulled.
func held(instance *kubevirtv1.VirtualMachineInstance, found disks, node, why string, since time.Duration) *obstacle {
	if node == "" {
		return &obstacle{pod: &holdUp{message: why, event: blame{"FailedScheduling", why}}}
	}
	for _, volume := range instance.Spec.Volumes {
		switch {
		case found.awaiting[claimName(volume)] != "" && !hotpluggable(&volume):
			return &obstacle{pod: notAttached(found.awaiting[claimName(volume)], node)}
		case volume.ContainerDisk != nil && strings.Contains(volume.ContainerDisk.Image, absent):
			reason, message := pullFailure(volume.ContainerDisk.Image, since)
			return &obstacle{reason: reason, message: message, pod: &holdUp{
				node: node, container: "volume" + volume.Name, reason: reason, message: message, event: blame{"Failed", message},
			}}
		}
	}
	return nil
}

// notAttached is what keeps a pod from running that uses a volume whose replica does not start
// (ControllerPublishVolume in csi/controller_server.go of longhorn-manager, and pkg/controller/volume/attachdetach of
// Kubernetes).
func notAttached(volume, node string) *holdUp {
	id := sha256.Sum256([]byte(volume + "driver.longhorn.io" + node))
	return &holdUp{node: node, reason: "ContainerCreating", event: blame{"FailedAttachVolume", fmt.Sprintf(
		"AttachVolume.Attach failed for volume %q : rpc error: code = DeadlineExceeded desc = volume %s failed to attach to node %s with attachmentID csi-%x",
		volume, volume, node, id)}}
}

// pullFailure is how a kubelet tells of an image that it cannot pull: it tries, and then waits before it tries again
// (pkg/kubelet/images/image_manager.go of Kubernetes).
func pullFailure(image string, since time.Duration) (reason, message string) {
	const firstTry = 2 * time.Second
	message = fmt.Sprintf("failed to pull and unpack image %q: failed to resolve reference %q: %s: not found", image, image, image)
	if since < firstTry {
		return errImagePull, message
	}
	return imagePullBackOff, fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", image, message)
}

// hang shows a launcher pod that does not run.
func (k *KubeVirt) hang(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance, up *holdUp) error {
	pods, err := k.pods(ctx, instance)
	if err != nil {
		return err
	}
	if len(pods) > 0 && pods[0].Spec.NodeName != up.node {
		// A pod cannot be given a node here as a scheduler does it. Another one takes its place.
		if err := k.api.Delete(ctx, &pods[0], client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			return err
		}
		pods = nil
	}
	var pod *corev1.Pod
	if len(pods) > 0 {
		pod = &pods[0]
	} else {
		pod = launcherPod(instance, up.node)
		if err := k.api.Create(ctx, pod); err != nil {
			return err
		}
	}
	return k.showHanging(ctx, pod, up)
}

// showHanging says what a pod waits for.
func (k *KubeVirt) showHanging(ctx context.Context, pod *corev1.Pod, up *holdUp) error {
	k.event(pod, corev1.EventTypeWarning, up.event.reason, up.event.message)
	pod.Status = hangingStatus(pod, up)
	return k.api.Status().Update(ctx, pod)
}

func hangingStatus(pod *corev1.Pod, up *holdUp) corev1.PodStatus {
	status, since := corev1.PodStatus{Phase: corev1.PodPending}, pod.CreationTimestamp
	container := cmp.Or(up.container, pod.Spec.Containers[0].Name)
	if up.node == "" {
		status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: up.message, LastTransitionTime: since,
		}}
		return status
	}
	status.StartTime = &since
	status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: since},
		{
			Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady",
			Message: fmt.Sprintf("containers with unready status: [%s]", container), LastTransitionTime: since,
		},
	}
	status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: container, Image: launcherImage,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: up.reason, Message: up.message}},
	}}
	return status
}

// nodeFor finds the node for an instance, or says as the scheduler does why there is none.
func (k *KubeVirt) nodeFor(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance) (node, why string, err error) {
	var nodes corev1.NodeList
	if err := k.api.List(ctx, &nodes); err != nil {
		return "", "", err
	}
	node, why = chooseNode(nodes.Items, instance)
	return node, why, nil
}

// chooseNode picks a node that is ready, that the instance may be on and that is large enough, spreading instances over
// them by name. It says why there is none in the words of Kubernetes' scheduler.
func chooseNode(nodes []corev1.Node, instance *kubevirtv1.VirtualMachineInstance) (node, why string) {
	pod := launcherPod(instance, "")
	var names []string
	refusals := map[string]int{}
	for i := range nodes {
		if refusal := refuses(&nodes[i], pod); refusal != "" {
			refusals[refusal]++
			continue
		}
		names = append(names, nodes[i].Name)
	}
	if len(names) > 0 {
		slices.Sort(names)
		return names[int(digest(instance, "node")[0])%len(names)], ""
	}
	return "", unschedulable(len(nodes), refusals)
}

// unschedulable is what the scheduler says (pkg/scheduler/framework/types.go of Kubernetes).
func unschedulable(nodes int, refusals map[string]int) string {
	if nodes == 0 {
		return "no nodes available to schedule pods"
	}
	var counted []string
	for refusal, count := range refusals {
		counted = append(counted, fmt.Sprintf("%d %s", count, refusal))
	}
	slices.Sort(counted)
	return fmt.Sprintf("0/%d nodes are available: %s. preemption: 0/%d nodes are available: %d Preemption is not helpful for scheduling.",
		nodes, strings.Join(counted, ", "), nodes, nodes)
}

// refuses is why a node does not take a pod, empty if it does.
func refuses(node *corev1.Node, pod *corev1.Pod) string {
	ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
	matches, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node)
	switch {
	case node.Spec.Unschedulable:
		return "node(s) were unschedulable"
	case !ready:
		return "node(s) had untolerated taint {node.kubernetes.io/not-ready: }"
	case err != nil || !matches:
		return "node(s) didn't match Pod's node affinity/selector"
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		has, known := node.Status.Allocatable[name]
		if wants := pod.Spec.Containers[0].Resources.Requests[name]; known && wants.Cmp(has) > 0 {
			return "Insufficient " + string(name)
		}
	}
	return ""
}
