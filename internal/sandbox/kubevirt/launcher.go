// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const launcherImage = "virt-launcher:simulated"

// launch makes the launcher pod of an instance. It runs nothing, but it uses the claims, which protects them and which
// Harvester looks for.
func (k *KubeVirt) launch(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance, node string) (*corev1.Pod, error) {
	pods, err := k.pods(ctx, instance)
	if err != nil {
		return nil, err
	}
	if len(pods) > 0 && pods[0].Spec.NodeName != "" {
		return &pods[0], k.showRunning(ctx, &pods[0], address(instance, podAddress))
	}
	if err := k.removePods(ctx, instance); err != nil {
		return nil, err
	}
	pod := launcherPod(instance, node)
	if err := k.api.Create(ctx, pod); err != nil {
		return nil, err
	}
	return pod, k.showRunning(ctx, pod, address(instance, podAddress))
}

// showRunning says that a pod of one container runs.
func (k *KubeVirt) showRunning(ctx context.Context, pod *corev1.Pod, address string) error {
	if pod.Status.Phase == corev1.PodRunning {
		return nil
	}
	now := metav1.Now()
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now, PodIP: address,
		Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: now},
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: now},
		},
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: pod.Spec.Containers[0].Name, Ready: true, Image: launcherImage,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		}},
	}
	return k.api.Status().Update(ctx, pod)
}

func launcherPod(instance *kubevirtv1.VirtualMachineInstance, node string) *corev1.Pod {
	immediately := int64(0)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "virt-launcher-" + instance.Name + "-",
			Namespace:    instance.Namespace,
			Labels: map[string]string{
				kubevirtv1.AppLabel:       "virt-launcher",
				kubevirtv1.CreatedByLabel: string(instance.UID),
				"vm.kubevirt.io/name":     instance.Name,
			},
			Annotations:     map[string]string{kubevirtv1.DomainAnnotation: instance.Name},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(instance, kubevirtv1.VirtualMachineInstanceGroupVersionKind)},
		},
		Spec: corev1.PodSpec{
			NodeName:                      node,
			NodeSelector:                  instance.Spec.NodeSelector,
			Affinity:                      instance.Spec.Affinity,
			RestartPolicy:                 corev1.RestartPolicyNever,
			TerminationGracePeriodSeconds: &immediately, // nobody is there to say that it has ended
			Containers: []corev1.Container{{Name: "compute", Image: launcherImage, Resources: corev1.ResourceRequirements{
				Requests: requests(instance),
			}}},
		},
	}
	for _, volume := range instance.Spec.Volumes {
		// What may come and go is attached by pods of its own, from the start.
		if name := claimName(volume); name != "" && !hotpluggable(&volume) {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume.Name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
			}})
		}
	}
	return pod
}

// requests are the processors and the memory that an instance asks its node for.
func requests(instance *kubevirtv1.VirtualMachineInstance) corev1.ResourceList {
	asked := corev1.ResourceList{}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if quantity, known := instance.Spec.Domain.Resources.Requests[name]; known {
			asked[name] = quantity
		}
	}
	return asked
}

// pods are the launcher pods of an instance.
func (k *KubeVirt) pods(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance) ([]corev1.Pod, error) {
	var pods corev1.PodList
	err := k.api.List(ctx, &pods, client.InNamespace(instance.Namespace), client.MatchingLabels{kubevirtv1.CreatedByLabel: string(instance.UID)})
	return pods.Items, err
}

func (k *KubeVirt) removePods(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance) error {
	pods, err := k.pods(ctx, instance)
	if err != nil {
		return err
	}
	all, err := k.launched(ctx, instance)
	if err != nil {
		return err
	}
	pods = append(all.attachments, pods...)
	for i := range pods {
		if err := k.api.Delete(ctx, &pods[i], client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}
