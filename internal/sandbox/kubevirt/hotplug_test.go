// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// addBlockClaim creates a claim that is bound.
func (r *rig) addBlockClaim(name string) {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: at.Namespace},
		Spec:       corev1.PersistentVolumeClaimSpec{VolumeMode: new(corev1.PersistentVolumeBlock)},
	}
	r.must(r.api.Create(context.Background(), claim))
	claim.Status.Phase = corev1.ClaimBound
	r.must(r.api.Status().Update(context.Background(), claim))
}

// newDiskRig has a machine that shall run, with a disk on virtio whose claim is bound.
func newDiskRig(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) {
		s.Domain.Devices.Disks = []kubevirtv1.Disk{diskOn("disk", "virtio")}
	})
	r.addClaim()
	return r
}

func hotVolume(name, claim string) kubevirtv1.Volume {
	source := &kubevirtv1.PersistentVolumeClaimVolumeSource{Hotpluggable: true}
	source.ClaimName = claim
	return kubevirtv1.Volume{Name: name, VolumeSource: kubevirtv1.VolumeSource{PersistentVolumeClaim: source}}
}

func diskOn(name string, bus kubevirtv1.DiskBus) kubevirtv1.Disk {
	return kubevirtv1.Disk{Name: name, DiskDevice: kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{Bus: bus}}}
}

// change changes the template of the machine.
func (r *rig) change(change func(*kubevirtv1.VirtualMachineInstanceSpec)) {
	r.t.Helper()
	machine := r.get()
	change(&machine.Spec.Template.Spec)
	r.must(r.api.Update(context.Background(), machine))
}

func (r *rig) addHot(name string, bus kubevirtv1.DiskBus) {
	r.t.Helper()
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) {
		s.Volumes = append(s.Volumes, hotVolume(name, name))
		s.Domain.Devices.Disks = append(s.Domain.Devices.Disks, diskOn(name, bus))
	})
}

func (r *rig) removeHot(name string) {
	r.t.Helper()
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) {
		s.Volumes = slices.DeleteFunc(s.Volumes, func(v kubevirtv1.Volume) bool { return v.Name == name })
		s.Domain.Devices.Disks = slices.DeleteFunc(s.Domain.Devices.Disks, func(d kubevirtv1.Disk) bool { return d.Name == name })
	})
}

// phases reconciles until a volume has a phase, "" for no status at all, and returns the phases on the way.
func (r *rig) phases(volume string, want kubevirtv1.VolumePhase) (seen []kubevirtv1.VolumePhase) {
	r.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		r.reconcileBoth()
		instance, err := r.instance(context.Background(), at)
		r.must(err)
		var phase kubevirtv1.VolumePhase
		if status := statusNamed(instance.Status.VolumeStatus, volume); status != nil {
			phase = status.Phase
		}
		if !slices.Contains(seen, phase) {
			seen = append(seen, phase)
		}
		if phase == want && (want != "" || volumeNamed(instance.Spec.Volumes, volume) == nil) {
			return seen
		}
	}
	r.t.Fatalf("volume %s went through %v, never %s", volume, seen, want)
	return nil
}

// attachedBy are the claims of the pods that attach volumes, one list a pod.
func (r *rig) attachedBy() (all []string) {
	r.t.Helper()
	var pods corev1.PodList
	r.must(r.api.List(context.Background(), &pods, client.MatchingLabels{kubevirtv1.AppLabel: attachment}))
	for _, pod := range pods.Items {
		var claims []string
		for _, volume := range pod.Spec.Volumes {
			if volume.PersistentVolumeClaim != nil {
				claims = append(claims, volume.PersistentVolumeClaim.ClaimName)
			}
		}
		owner := metav1.GetControllerOf(&pod)
		if !strings.HasPrefix(pod.Name, "hp-volume-") || owner.Kind != "Pod" || !strings.HasPrefix(owner.Name, "virt-launcher-vm-") {
			r.t.Errorf("pod %s, owner %+v", pod.Name, owner)
		}
		all = append(all, strings.Join(claims, " "))
	}
	return all
}

func (r *rig) condition(kind kubevirtv1.VirtualMachineConditionType) *kubevirtv1.VirtualMachineCondition {
	for _, c := range r.get().Status.Conditions {
		if c.Type == kind {
			return &c
		}
	}
	return nil
}

func TestHotplug(t *testing.T) {
	t.Parallel()
	r := newDiskRig(t)
	r.addBlockClaim("data")
	r.await(kubevirtv1.VirtualMachineStatusRunning)

	r.addHot("data", "scsi")
	seen := r.phases("data", kubevirtv1.VolumeReady)
	for _, phase := range []kubevirtv1.VolumePhase{kubevirtv1.VolumeBound, kubevirtv1.HotplugVolumeAttachedToNode, kubevirtv1.HotplugVolumeMounted} {
		if !slices.Contains(seen, phase) {
			t.Errorf("attached by way of %v, without %s", seen, phase)
		}
	}
	instance, err := r.instance(context.Background(), at)
	r.must(err)
	status := statusNamed(instance.Status.VolumeStatus, "data")
	if status.Target != "sda" || status.HotplugVolume == nil || status.HotplugVolume.AttachPodUID == "" || status.PersistentVolumeClaimInfo.ClaimName != "data" {
		t.Errorf("status %+v", status)
	}
	if got := r.attachedBy(); !slices.Equal(got, []string{"data"}) {
		t.Errorf("attached by %q", got)
	}
	if diskNamed(instance.Spec.Domain.Devices.Disks, "data") == nil {
		t.Errorf("disks %+v", instance.Spec.Domain.Devices.Disks)
	}

	r.addBlockClaim("more")
	r.addHot("more", "virtio")
	r.phases("more", kubevirtv1.VolumeReady)
	r.reconcileBoth()
	if got := r.attachedBy(); !slices.Equal(got, []string{"data more"}) {
		t.Errorf("attached by %q, want one pod for both", got)
	}

	r.removeHot("data")
	if seen := r.phases("data", ""); !slices.Contains(seen, kubevirtv1.HotplugVolumeUnMounted) {
		t.Errorf("detached by way of %v", seen)
	}
	if got := r.attachedBy(); !slices.Equal(got, []string{"more"}) {
		t.Errorf("attached by %q", got)
	}
	r.removeHot("more")
	r.phases("more", "")
	if got := r.attachedBy(); len(got) != 0 {
		t.Errorf("still attached by %q", got)
	}
	if c := r.condition(kubevirtv1.VirtualMachineRestartRequired); c != nil {
		t.Errorf("condition %+v", c)
	}
	if got := r.get().Status.PrintableStatus; got != kubevirtv1.VirtualMachineStatusRunning {
		t.Errorf("machine is %s", got)
	}
	after, err := r.instance(context.Background(), at)
	r.must(err)
	if after.UID != instance.UID || len(after.Spec.Volumes) != 1 || len(after.Spec.Domain.Devices.Disks) != 1 {
		t.Errorf("instance %+v", after.Spec)
	}
}

func TestHotplugWaitsForItsClaim(t *testing.T) {
	t.Parallel()
	r := newDiskRig(t)
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	r.addHot("data", "scsi")
	r.phases("data", kubevirtv1.VolumePending)
	instance, err := r.instance(context.Background(), at)
	r.must(err)
	if status := statusNamed(instance.Status.VolumeStatus, "data"); status.Reason != "FailedPvcNotFound" || status.Message != "PVC data not found" {
		t.Errorf("status %+v", status)
	}
	if got := r.get().Status.PrintableStatus; got != kubevirtv1.VirtualMachineStatusRunning {
		t.Errorf("machine is %s", got)
	}
	if got := r.attachedBy(); len(got) != 0 {
		t.Errorf("a claim that does not exist is attached by %q", got)
	}
	r.addBlockClaim("data")
	r.phases("data", kubevirtv1.VolumeReady)
}

// addImageClaim creates a bound claim whose volume is made from an image in a state, and returns the image.
func (r *rig) addImageClaim(name string, state lhv1beta2.BackingImageState) *lhv1beta2.BackingImage {
	r.t.Helper()
	r.addBlockClaim(name)
	claim := &corev1.PersistentVolumeClaim{}
	r.must(r.api.Get(context.Background(), key(at.Namespace, name), claim))
	claim.Spec.VolumeName = "pvc-" + name
	r.must(r.api.Update(context.Background(), claim))
	image := &lhv1beta2.BackingImage{
		ObjectMeta: metav1.ObjectMeta{Namespace: "longhorn-system", Name: "image-" + name},
		Status: lhv1beta2.BackingImageStatus{DiskFileStatusMap: map[string]*lhv1beta2.BackingImageDiskFileStatus{
			"disk": {State: state},
		}},
	}
	r.must(r.api.Create(context.Background(), image))
	r.must(r.api.Create(context.Background(), &lhv1beta2.Volume{
		ObjectMeta: metav1.ObjectMeta{Namespace: "longhorn-system", Name: claim.Spec.VolumeName}, Spec: lhv1beta2.VolumeSpec{BackingImage: image.Name},
	}))
	return image
}

// A volume of an image that is not ready keeps its attachment pod waiting, beside the pod of the others.
func TestHotplugWaitsForItsImage(t *testing.T) {
	t.Parallel()
	r := newDiskRig(t)
	r.addBlockClaim("data")
	image := r.addImageClaim("more", lhv1beta2.BackingImageStateInProgress)
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	r.addHot("data", "scsi")
	r.phases("data", kubevirtv1.VolumeReady)
	r.addHot("more", "scsi")
	r.phases("more", kubevirtv1.HotplugVolumeAttachedToNode)
	for range 5 {
		r.reconcileBoth()
	}
	instance, err := r.instance(context.Background(), at)
	r.must(err)
	if status := statusNamed(instance.Status.VolumeStatus, "more"); status.Phase != kubevirtv1.HotplugVolumeAttachedToNode || status.HotplugVolume.AttachPodName == "" || status.HotplugVolume.AttachPodUID != "" {
		t.Errorf("status %+v, %+v", status, status.HotplugVolume)
	}
	if status := statusNamed(instance.Status.VolumeStatus, "data"); status.Phase != kubevirtv1.VolumeReady {
		t.Errorf("status %+v", status)
	}
	if got := slices.Sorted(slices.Values(r.attachedBy())); !slices.Equal(got, []string{"data", "data more"}) {
		t.Errorf("attached by %q", got)
	}
	if got := r.get().Status.PrintableStatus; got != kubevirtv1.VirtualMachineStatusRunning {
		t.Errorf("machine is %s", got)
	}
	image.Status.DiskFileStatusMap["disk"].State = lhv1beta2.BackingImageStateReady
	r.must(r.api.Update(context.Background(), image))
	r.phases("more", kubevirtv1.VolumeReady)
	r.reconcileBoth()
	if got := r.attachedBy(); !slices.Equal(got, []string{"data more"}) {
		t.Errorf("attached by %q", got)
	}
}

// What waits for its image can be taken away again.
func TestUnplugWhatWaitsForItsImage(t *testing.T) {
	t.Parallel()
	r := newDiskRig(t)
	r.addImageClaim("data", lhv1beta2.BackingImageStatePending)
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	r.addHot("data", "scsi")
	r.phases("data", kubevirtv1.HotplugVolumeAttachedToNode)
	r.removeHot("data")
	r.phases("data", "")
	if got := r.attachedBy(); len(got) != 0 {
		t.Errorf("attached by %q", got)
	}
}

// A volume that becomes hot-pluggable in the template of a running machine, or is so no longer, is neither there twice nor
// gone: it stays as it is until the machine is restarted (filterHotplugVMIVolumes in pkg/storage/hotplug/hotplug.go). Only
// the second is told to need that (validLiveUpdateVolumes in pkg/virt-controller/watch/vm/vm.go).
func TestVolumeThatChangesItsKind(t *testing.T) {
	t.Parallel()
	for name, becomes := range map[string]bool{"hot-pluggable": true, "hot-pluggable no more": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, kubevirtv1.RunStrategyAlways)
			kind := func(pluggable bool) {
				r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) {
					s.Domain.Devices.Disks = []kubevirtv1.Disk{diskOn("disk", "virtio"), diskOn("data", "scsi")}
					s.Volumes = append(s.Volumes[:1], hotVolume("data", "data"))
					s.Volumes[1].PersistentVolumeClaim.Hotpluggable = pluggable
				})
			}
			r.addClaim()
			r.addBlockClaim("data")
			kind(!becomes)
			r.await(kubevirtv1.VirtualMachineStatusRunning)
			if !becomes {
				r.phases("data", kubevirtv1.VolumeReady)
			}
			before, err := r.instance(context.Background(), at)
			r.must(err)
			attached := r.attachedBy()
			kind(becomes)
			for range 5 {
				r.reconcileBoth()
			}
			after, err := r.instance(context.Background(), at)
			r.must(err)
			if !equality.Semantic.DeepEqual(before.Spec, after.Spec) || len(after.Status.VolumeStatus) != 2 {
				t.Errorf("instance %+v, %+v", after.Spec, after.Status.VolumeStatus)
			}
			if got := r.attachedBy(); !slices.Equal(got, attached) {
				t.Errorf("attached by %q, and before by %q", got, attached)
			}
			if got := r.condition(kubevirtv1.VirtualMachineRestartRequired); (got == nil) != becomes {
				t.Errorf("condition %+v", got)
			}
		})
	}
}

func TestMediumIsInsertedAndEjected(t *testing.T) {
	t.Parallel()
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	drive := kubevirtv1.Disk{Name: "cdrom", DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{Bus: kubevirtv1.DiskBusSATA}}}
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) {
		s.Domain.Devices.Disks = []kubevirtv1.Disk{diskOn("disk", "virtio"), drive}
	})
	r.addClaim()
	r.addBlockClaim("first")
	r.addBlockClaim("second")
	r.await(kubevirtv1.VirtualMachineStatusRunning)

	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) {
		s.Volumes = append(s.Volumes, hotVolume("cdrom", "first"))
	})
	r.phases("cdrom", kubevirtv1.VolumeReady)
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) { s.Volumes[1] = hotVolume("cdrom", "second") })
	r.phases("cdrom", "")
	r.phases("cdrom", kubevirtv1.VolumeReady)
	if got := r.attachedBy(); !slices.Equal(got, []string{"second"}) {
		t.Errorf("attached by %q", got)
	}
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) { s.Volumes = s.Volumes[:1] })
	r.phases("cdrom", "")
	instance, err := r.instance(context.Background(), at)
	r.must(err)
	if diskNamed(instance.Spec.Domain.Devices.Disks, "cdrom") == nil {
		t.Error("the drive went with its medium")
	}
	if c := r.condition(kubevirtv1.VirtualMachineRestartRequired); c != nil {
		t.Errorf("condition %+v", c)
	}
}

func TestHotplugOnAWrongBusIsRefused(t *testing.T) {
	t.Parallel()
	r := newDiskRig(t)
	r.addBlockClaim("data")
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	r.addHot("data", "sata")
	for range 3 {
		_, _ = r.reconcileMachine(context.Background(), requestAt)
	}
	c := r.condition(kubevirtv1.VirtualMachineFailure)
	if c == nil || c.Reason != "HotPlugVolumeError" || !strings.Contains(c.Message, "Hotplug configuration for disk [data] requires bus to be 'scsi' or 'virtio'. [sata] is not permitted.") {
		t.Errorf("condition %+v", c)
	}
	if got := r.attachedBy(); len(got) != 0 {
		t.Errorf("attached by %q", got)
	}
}

func TestHotpluggableFromTheStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) {
		s.Domain.Devices.Disks = []kubevirtv1.Disk{diskOn("disk", "virtio")}
	})
	r.addHot("data", "scsi")
	r.addClaim()
	r.addBlockClaim("data")
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	r.phases("data", kubevirtv1.VolumeReady)
	if got := r.attachedBy(); !slices.Equal(got, []string{"data"}) {
		t.Errorf("attached by %q", got)
	}
	r.removeHot("data")
	r.phases("data", "")
	if code, message := r.put("virtualmachines", "stop"); code != 202 {
		t.Fatalf("stop: %d %s", code, message)
	}
	r.await(kubevirtv1.VirtualMachineStatusStopped)
}

func TestARestartStaysRequiredUntilItIsDone(t *testing.T) {
	t.Parallel()
	r := newRig(t, kubevirtv1.RunStrategyAlways)
	r.addClaim()
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) { s.Hostname = "other" })
	r.reconcileBoth()
	r.change(func(s *kubevirtv1.VirtualMachineInstanceSpec) { s.Hostname = "" })
	r.reconcileBoth()
	if r.condition(kubevirtv1.VirtualMachineRestartRequired) == nil {
		t.Error("no restart is required any more")
	}
	if code, message := r.put("virtualmachines", "restart"); code != 202 {
		t.Fatalf("restart: %d %s", code, message)
	}
	r.await(kubevirtv1.VirtualMachineStatusStopping)
	r.await(kubevirtv1.VirtualMachineStatusRunning)
	if c := r.condition(kubevirtv1.VirtualMachineRestartRequired); c != nil {
		t.Errorf("condition %+v", c)
	}
}
