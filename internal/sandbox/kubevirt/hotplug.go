// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Harvester 1.8 turns on KubeVirt's feature gate DeclarativeHotplugVolumes (deploy/charts/harvester/values.yaml): a
// hot-pluggable volume that comes into the template of a running machine, or goes from it, is attached or detached
// at once (pkg/virt-controller/watch/vm/vm.go). Each is held by a pod of its own, not by that of the instance.

// hotPluggable says that a volume can come and go while its machine runs.
func hotPluggable(volume kubevirtv1.Volume) bool {
	return volume.PersistentVolumeClaim != nil && volume.PersistentVolumeClaim.Hotpluggable ||
		volume.DataVolume != nil && volume.DataVolume.Hotpluggable
}

// split parts a specification into what stays while a machine runs, and its hot-pluggable volumes with their disks.
func split(spec *kubevirtv1.VirtualMachineInstanceSpec) (fixed, hot kubevirtv1.VirtualMachineInstanceSpec) {
	names := map[string]bool{}
	for _, volume := range spec.Volumes {
		names[volume.Name] = hotPluggable(volume)
	}
	keep := func(wanted bool) (part kubevirtv1.VirtualMachineInstanceSpec) {
		for _, volume := range spec.Volumes {
			if names[volume.Name] == wanted {
				part.Volumes = append(part.Volumes, volume)
			}
		}
		for _, disk := range spec.Domain.Devices.Disks {
			if names[disk.Name] == wanted {
				part.Domain.Devices.Disks = append(part.Domain.Devices.Disks, disk)
			}
		}
		return part
	}
	return keep(false), keep(true)
}

// plugged gives an instance the hot-pluggable volumes of its machine's template, and says whether that changes it.
func plugged(instance *kubevirtv1.VirtualMachineInstance, machine *kubevirtv1.VirtualMachine) (changed bool) {
	fixed, old := split(&instance.Spec)
	_, hot := split(&machine.Spec.Template.Spec)
	if equality.Semantic.DeepEqual(old, hot) {
		return false
	}
	instance.Spec.Volumes = slices.Concat(fixed.Volumes, hot.Volumes)
	instance.Spec.Domain.Devices.Disks = slices.Concat(fixed.Domain.Devices.Disks, hot.Domain.Devices.Disks)
	return true
}

// plug attaches and detaches what has come into the template of a running machine, or gone from it.
func (k *KubeVirt) plug(ctx context.Context, machine *kubevirtv1.VirtualMachine, instance *kubevirtv1.VirtualMachineInstance) error {
	if !instance.IsRunning() || instance.DeletionTimestamp != nil {
		return nil
	}
	if plugged(instance, machine) {
		if err := k.api.Update(ctx, instance); err != nil {
			return err
		}
	}
	return k.hold(ctx, instance)
}

const hotplugApp = "hotplug-disk"

// hold keeps a pod for each hot-pluggable claim of an instance.
func (k *KubeVirt) hold(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance) error {
	_, hot := split(&instance.Spec)
	wanted := claimNames(hot.Volumes)
	var pods corev1.PodList
	labels := client.MatchingLabels{kubevirtv1.CreatedByLabel: string(instance.UID), kubevirtv1.AppLabel: hotplugApp}
	if err := k.api.List(ctx, &pods, client.InNamespace(instance.Namespace), labels); err != nil {
		return err
	}
	for i := range pods.Items {
		claim := pods.Items[i].Spec.Volumes[0].PersistentVolumeClaim.ClaimName
		if place := slices.Index(wanted, claim); place >= 0 {
			wanted = slices.Delete(wanted, place, place+1)
			continue
		}
		if err := k.api.Delete(ctx, &pods.Items[i], client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	for _, claim := range wanted {
		if err := k.holdClaim(ctx, instance, claim); err != nil {
			return err
		}
	}
	return nil
}

func (k *KubeVirt) holdClaim(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance, claim string) error {
	pod := launcherPod(instance, instance.Status.NodeName)
	pod.ObjectMeta = metav1.ObjectMeta{
		GenerateName: "hp-volume-", Namespace: instance.Namespace, OwnerReferences: pod.OwnerReferences,
		Labels: map[string]string{kubevirtv1.AppLabel: hotplugApp, kubevirtv1.CreatedByLabel: string(instance.UID)},
	}
	pod.Spec.Volumes = []corev1.Volume{{Name: "hotplug", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
	}}}
	if err := k.api.Create(ctx, pod); err != nil {
		return err
	}
	pod.Status.Phase = corev1.PodRunning
	return k.api.Status().Update(ctx, pod)
}
