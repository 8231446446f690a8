// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// attachment is what the pod that attaches volumes to a launcher is called, besides its name (pkg/virt-controller/
// services/template.go).
const attachment = "hotplug-disk"

// launched are the pods of an instance: its launcher, nil if there is none, and those that attach volumes to it, the newest
// first.
type launched struct {
	launcher    *corev1.Pod
	attachments []corev1.Pod
}

// launched finds the pods of an instance.
func (k *KubeVirt) launched(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance) (found launched, err error) {
	launchers, err := k.pods(ctx, instance)
	if err != nil || len(launchers) == 0 {
		return found, err
	}
	found.launcher = &launchers[0]
	var pods corev1.PodList
	err = k.api.List(ctx, &pods, client.InNamespace(instance.Namespace), client.MatchingLabels{kubevirtv1.AppLabel: attachment})
	for _, pod := range pods.Items {
		if metav1.IsControlledBy(&pod, found.launcher) {
			found.attachments = append(found.attachments, pod)
		}
	}
	slices.SortFunc(found.attachments, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	return found, err
}

// plugged says whether a volume of an instance is attached by a pod of its own, and not by the launcher.
func (p launched) plugged(volume *kubevirtv1.Volume) bool {
	return p.launcher != nil && claimName(*volume) != "" && !uses(p.launcher, volume.Name)
}

// with is a pod that attaches a volume. It is nil if there is none.
func (p launched) with(volume string) *corev1.Pod {
	return p.find(func(pod *corev1.Pod) bool { return uses(pod, volume) })
}

// attaching is the pod that attaches these volumes, and no other. It is nil if there is none.
func (p launched) attaching(volumes []kubevirtv1.Volume) *corev1.Pod {
	return p.find(func(pod *corev1.Pod) bool {
		// One volume is the directory that the launcher sees them in.
		return len(pod.Spec.Volumes) == len(volumes)+1 && !slices.ContainsFunc(volumes, func(v kubevirtv1.Volume) bool { return !uses(pod, v.Name) })
	})
}

func (p launched) find(fits func(*corev1.Pod) bool) *corev1.Pod {
	for i := range p.attachments {
		if fits(&p.attachments[i]) {
			return &p.attachments[i]
		}
	}
	return nil
}

func uses(pod *corev1.Pod, volume string) bool {
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == volume })
}

func runs(pod *corev1.Pod) bool { return pod != nil && pod.Status.Phase == corev1.PodRunning }

// attachable are the volumes of an instance that a pod is to attach now: their claims are bound.
func (p launched) attachable(instance *kubevirtv1.VirtualMachineInstance, found disks) (volumes []kubevirtv1.Volume) {
	for _, volume := range instance.Spec.Volumes {
		claim := found.claims[claimName(volume)]
		if p.plugged(&volume) && claim != nil && claim.Status.Phase == corev1.ClaimBound {
			volumes = append(volumes, volume)
		}
	}
	return volumes
}

// attach makes the one pod that attaches all volumes there are to attach, and removes the ones before it as soon as it
// runs and nothing of what they hold is in use (handleHotplugVolumes in pkg/virt-controller/watch/vmi/volume-hotplug.go).
// It tells whether it did any of that.
func (k *KubeVirt) attach(ctx context.Context, instance *kubevirtv1.VirtualMachineInstance, pods launched, found disks) (done bool, err error) {
	volumes := pods.attachable(instance, found)
	current := pods.attaching(volumes)
	pending := pods.find(func(pod *corev1.Pod) bool { return !runs(pod) })
	switch {
	case current != nil && !runs(current):
		if err := k.showAttachment(ctx, current, volumes, found); err != nil {
			return false, err
		}
		done = runs(current)
	case current == nil && pending == nil && len(volumes) > 0:
		current = attachmentPod(pods.launcher, volumes, found)
		if err := k.api.Create(ctx, current); err != nil {
			return false, err
		}
		k.event(instance, corev1.EventTypeNormal, "SuccessfulCreate", "Created attachment pod "+current.Name)
		return true, k.showAttachment(ctx, current, volumes, found)
	}
	for _, pod := range pods.old(instance, current, len(volumes) > 0) {
		if err := k.api.Delete(ctx, pod, client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			return false, err
		}
		k.event(instance, corev1.EventTypeNormal, "SuccessfulDelete", "Deleted attachment pod "+pod.Name)
		done = true
	}
	return done, nil
}

// old are the pods that are not needed beside the current one, which is nil if there is none. While that one does not
// run, the newest that does is kept, if anything is to be attached at all (cleanupAttachmentPods).
func (p launched) old(instance *kubevirtv1.VirtualMachineInstance, current *corev1.Pod, wanted bool) (pods []*corev1.Pod) {
	keep := wanted && !runs(current)
	for i := range p.attachments {
		pod := &p.attachments[i]
		switch {
		case pod == current:
		case keep && runs(pod):
			keep = false
		case !holds(pod, instance):
			pods = append(pods, pod)
		}
	}
	return pods
}

// showAttachment says that an attachment pod runs, or that it waits for a volume whose replica waits for its image.
func (k *KubeVirt) showAttachment(ctx context.Context, pod *corev1.Pod, volumes []kubevirtv1.Volume, found disks) error {
	for _, volume := range volumes {
		if waits := found.awaiting[claimName(volume)]; waits != "" {
			return k.showHanging(ctx, pod, notAttached(waits, pod.Spec.NodeName))
		}
	}
	return k.showRunning(ctx, pod, "")
}

// holds says whether a pod has a volume that an instance still uses, although it is not to have it any more.
func holds(pod *corev1.Pod, instance *kubevirtv1.VirtualMachineInstance) bool {
	return slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		status := statusNamed(instance.Status.VolumeStatus, v.Name)
		return volumeNamed(instance.Spec.Volumes, v.Name) == nil && status != nil &&
			(status.Phase == kubevirtv1.VolumeReady || status.Phase == kubevirtv1.HotplugVolumeMounted)
	})
}

func attachmentPod(launcher *corev1.Pod, volumes []kubevirtv1.Volume, found disks) *corev1.Pod {
	immediately := int64(0)
	const shared = "hotplug-disks"
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName:    "hp-volume-",
			Namespace:       launcher.Namespace,
			Labels:          map[string]string{kubevirtv1.AppLabel: attachment},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(launcher, corev1.SchemeGroupVersion.WithKind("Pod"))},
		},
		Spec: corev1.PodSpec{
			NodeName:                      launcher.Spec.NodeName,
			TerminationGracePeriodSeconds: &immediately,
			Containers: []corev1.Container{{
				Name: attachment, Image: launcherImage, VolumeMounts: []corev1.VolumeMount{{Name: shared, MountPath: "/path"}},
			}},
			Volumes: []corev1.Volume{{Name: shared, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
	container := &pod.Spec.Containers[0]
	for _, volume := range volumes {
		claim := found.claims[claimName(volume)]
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: volume.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
		}})
		if mode := claim.Spec.VolumeMode; mode != nil && *mode == corev1.PersistentVolumeBlock {
			container.VolumeDevices = append(container.VolumeDevices, corev1.VolumeDevice{Name: volume.Name, DevicePath: fmt.Sprintf("/path/%s/%s", volume.Name, claim.UID)})
		} else {
			container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: volume.Name, MountPath: "/" + volume.Name})
		}
	}
	return pod
}

func statusNamed(statuses []kubevirtv1.VolumeStatus, name string) *kubevirtv1.VolumeStatus {
	i := slices.IndexFunc(statuses, func(s kubevirtv1.VolumeStatus) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &statuses[i]
}

// volumeStatus shows where the volumes of an instance are attached, one step further than before. Volumes that it is to
// have no more are shown until the pod that attached them has gone.
func volumeStatus(instance *kubevirtv1.VirtualMachineInstance, found disks, pods launched) (all []kubevirtv1.VolumeStatus) {
	current := pods.attaching(pods.attachable(instance, found))
	for i := range instance.Spec.Volumes {
		volume := &instance.Spec.Volumes[i]
		status := kubevirtv1.VolumeStatus{Name: volume.Name}
		if before := statusNamed(instance.Status.VolumeStatus, volume.Name); before != nil {
			status = *before.DeepCopy()
		}
		claim := found.claims[claimName(*volume)]
		if claim != nil {
			status.PersistentVolumeClaimInfo = &kubevirtv1.PersistentVolumeClaimInfo{
				ClaimName: claim.Name, AccessModes: claim.Spec.AccessModes, VolumeMode: claim.Spec.VolumeMode,
				Capacity: claim.Status.Capacity, Requests: claim.Spec.Resources.Requests,
			}
		}
		if pods.plugged(volume) {
			plug(&status, current, claim, claimName(*volume), instance.IsRunning())
		}
		if instance.IsRunning() && (status.HotplugVolume == nil || status.Phase == kubevirtv1.VolumeReady) && status.Target == "" {
			status.Target = freeTarget(instance, volume.Name, all)
		}
		all = append(all, status)
	}
	for _, status := range instance.Status.VolumeStatus {
		pod := pods.with(status.Name)
		if volumeNamed(instance.Spec.Volumes, status.Name) == nil && pod != nil {
			all = append(all, unplug(status, pod))
		}
	}
	slices.SortStableFunc(all, func(a, b kubevirtv1.VolumeStatus) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// plug brings the status of a volume one step nearer to the guest: there is a claim, there is a pod that attaches it, which
// runs, the launcher sees it, the guest has it (pkg/virt-controller/watch/vmi/storage.go and pkg/virt-handler/vm.go).
func plug(status *kubevirtv1.VolumeStatus, pod *corev1.Pod, claim *corev1.PersistentVolumeClaim, claimName string, running bool) {
	set := func(phase kubevirtv1.VolumePhase, reason, message string) {
		status.Phase, status.Reason, status.Message = phase, reason, message
	}
	if status.HotplugVolume == nil {
		status.HotplugVolume = &kubevirtv1.HotplugVolumeStatus{}
	}
	if pod != nil {
		status.HotplugVolume.AttachPodName, status.HotplugVolume.AttachPodUID = pod.Name, ""
	}
	if runs(pod) {
		status.HotplugVolume.AttachPodUID = pod.UID
	}
	switch {
	case status.Phase == kubevirtv1.VolumeReady:
	case pod == nil && claim == nil:
		set(kubevirtv1.VolumePending, pvcNotFound, fmt.Sprintf("PVC %s not found", claimName))
	case pod == nil && claim.Status.Phase == corev1.ClaimBound:
		set(kubevirtv1.VolumeBound, pvcNotReady, "PVC is in phase Bound")
	case pod == nil:
		set(kubevirtv1.VolumePending, pvcNotReady, "PVC is in phase ClaimPending")
	case status.Phase == kubevirtv1.HotplugVolumeAttachedToNode && runs(pod):
		set(kubevirtv1.HotplugVolumeMounted, "VolumeMountedToPod", fmt.Sprintf("Volume %s has been mounted in virt-launcher pod", status.Name))
	case status.Phase == kubevirtv1.HotplugVolumeMounted && running:
		set(kubevirtv1.VolumeReady, "VolumeReady", fmt.Sprintf("Successfully attach hotplugged volume %s to VM", status.Name))
	case slices.Contains([]kubevirtv1.VolumePhase{"", kubevirtv1.VolumeBound, kubevirtv1.VolumePending}, status.Phase):
		set(kubevirtv1.HotplugVolumeAttachedToNode, "SuccessfulCreate", fmt.Sprintf("Created hotplug attachment pod %s, for volume %s", pod.Name, status.Name))
	}
}

// unplug brings the status of a volume that is attached one step further away from the guest.
func unplug(status kubevirtv1.VolumeStatus, pod *corev1.Pod) kubevirtv1.VolumeStatus {
	status = *status.DeepCopy()
	if status.HotplugVolume == nil {
		status.HotplugVolume = &kubevirtv1.HotplugVolumeStatus{}
	}
	status.HotplugVolume.AttachPodName, status.HotplugVolume.AttachPodUID, status.Target = pod.Name, pod.UID, ""
	switch status.Phase {
	case kubevirtv1.VolumeReady, kubevirtv1.HotplugVolumeMounted, kubevirtv1.HotplugVolumeAttachedToNode:
		status.Phase, status.Reason = kubevirtv1.HotplugVolumeUnMounted, "VolumeUnMountedFromPod"
		status.Message = fmt.Sprintf("Volume %s has been unmounted from virt-launcher pod", status.Name)
	default:
		status.Phase = kubevirtv1.HotplugVolumeDetaching
	}
	return status
}

// freeTarget is the device that a guest sees a new volume as.
func freeTarget(instance *kubevirtv1.VirtualMachineInstance, volume string, before []kubevirtv1.VolumeStatus) string {
	prefix := "sd"
	if disk := diskNamed(instance.Spec.Domain.Devices.Disks, volume); disk == nil || (disk.Disk != nil && disk.Disk.Bus == kubevirtv1.DiskBusVirtio) {
		prefix = "vd"
	}
	taken := func(target string) bool {
		is := func(s kubevirtv1.VolumeStatus) bool { return s.Target == target }
		return slices.ContainsFunc(before, is) || slices.ContainsFunc(instance.Status.VolumeStatus, is)
	}
	for letter := 'a'; letter <= 'z'; letter++ {
		if target := prefix + string(letter); !taken(target) {
			return target
		}
	}
	return ""
}

// settling says whether a volume of an instance is on its way to the guest or away from it.
func settling(instance *kubevirtv1.VirtualMachineInstance) bool {
	return slices.ContainsFunc(instance.Status.VolumeStatus, func(s kubevirtv1.VolumeStatus) bool {
		return s.HotplugVolume != nil && s.Phase != kubevirtv1.VolumeReady
	})
}

// mounted says whether the volumes are there that an instance does not start without (pkg/virt-handler/vm.go).
func mounted(instance *kubevirtv1.VirtualMachineInstance) bool {
	return !slices.ContainsFunc(instance.Spec.Volumes, func(v kubevirtv1.Volume) bool {
		status := statusNamed(instance.Status.VolumeStatus, v.Name)
		return hotpluggable(&v) && (status == nil || (status.Phase != kubevirtv1.VolumeReady && status.Phase != kubevirtv1.HotplugVolumeMounted))
	})
}

// volumeStep is how long a pod takes to attach volumes or to let them go.
func (k *KubeVirt) volumeStep() time.Duration { return k.pace.Provision() / 2 }
