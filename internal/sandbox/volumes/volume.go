// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volumes

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// sizeUnit is what Longhorn rounds the sizes of volumes up to.
const sizeUnit = 2 << 20

// volumeName is the name of the volume of a claim, for Kubernetes and for Longhorn.
func volumeName(claim *corev1.PersistentVolumeClaim) string { return "pvc-" + string(claim.UID) }

// record returns Longhorn's record of the volume of a claim, and makes it if it is not there, or says why it cannot be.
func (v *Volumes) record(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) (*lhv1beta2.Volume, *blocker, error) {
	record, err := v.longhornVolume(ctx, volumeName(claim))
	if !apierrors.IsNotFound(err) {
		return record, nil, err
	}
	if why, err := v.provision(ctx, claim, class); why != nil || err != nil {
		return nil, why, err
	}
	record = newRecord(claim, class)
	if err := v.api.Create(ctx, record); err != nil {
		return nil, nil, err
	}
	if err := v.engine(ctx, record); err != nil {
		return nil, nil, err
	}
	record.Status = lhv1beta2.VolumeStatus{State: lhv1beta2.VolumeStateCreating, Robustness: lhv1beta2.VolumeRobustnessUnknown}
	return record, nil, v.api.Status().Update(ctx, record)
}

func (v *Volumes) longhornVolume(ctx context.Context, name string) (*lhv1beta2.Volume, error) {
	record := &lhv1beta2.Volume{}
	return record, v.api.Get(ctx, types.NamespacedName{Namespace: longhornNamespace, Name: name}, record)
}

// newRecord is what Longhorn notes of a new volume. Its definition refuses the empty value of most fields.
func newRecord(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) *lhv1beta2.Volume {
	number := func(parameter string, otherwise int) int {
		n, _ := strconv.Atoi(class.Parameters[parameter])
		return cmp.Or(n, otherwise)
	}
	return &lhv1beta2.Volume{
		ObjectMeta: metav1.ObjectMeta{
			Name: volumeName(claim), Namespace: longhornNamespace,
			Labels: map[string]string{"longhornvolume": volumeName(claim)},
		},
		Spec: lhv1beta2.VolumeSpec{
			Size:                        roundUp(claim.Spec.Resources.Requests.Storage().Value()),
			BackingImage:                class.Parameters[lhv1beta2.BackingImageParameterName],
			NumberOfReplicas:            number("numberOfReplicas", 3),
			StaleReplicaTimeout:         number("staleReplicaTimeout", 30),
			Migratable:                  class.Parameters["migratable"] == "true",
			Encrypted:                   class.Parameters["encrypted"] == "true",
			AccessMode:                  accessMode(claim.Spec.AccessModes),
			Frontend:                    lhv1beta2.VolumeFrontendBlockDev,
			DataEngine:                  lhv1beta2.DataEngineTypeV1,
			DataLocality:                lhv1beta2.DataLocality(cmp.Or(class.Parameters["dataLocality"], string(lhv1beta2.DataLocalityDisabled))),
			BackupCompressionMethod:     "lz4",
			BackupBlockSize:             sizeUnit,
			BackupTargetName:            "default",
			ReplicaAutoBalance:          lhv1beta2.ReplicaAutoBalanceIgnored,
			SnapshotDataIntegrity:       lhv1beta2.SnapshotDataIntegrityIgnored,
			UnmapMarkSnapChainRemoved:   lhv1beta2.UnmapMarkSnapChainRemovedIgnored,
			RestoreVolumeRecurringJob:   lhv1beta2.RestoreVolumeRecurringJobDefault,
			ReplicaSoftAntiAffinity:     lhv1beta2.ReplicaSoftAntiAffinityDefault,
			ReplicaZoneSoftAntiAffinity: lhv1beta2.ReplicaZoneSoftAntiAffinityDefault,
			ReplicaDiskSoftAntiAffinity: lhv1beta2.ReplicaDiskSoftAntiAffinityDefault,
			FreezeFilesystemForSnapshot: lhv1beta2.FreezeFilesystemForSnapshotDefault,
			OfflineRebuilding:           lhv1beta2.VolumeOfflineRebuildingIgnored,
		},
	}
}

func roundUp(size int64) int64 { return (size + sizeUnit - 1) / sizeUnit * sizeUnit }

func accessMode(modes []corev1.PersistentVolumeAccessMode) lhv1beta2.AccessMode {
	if slices.Contains(modes, corev1.ReadWriteMany) {
		return lhv1beta2.AccessModeReadWriteMany
	}
	return lhv1beta2.AccessModeReadWriteOnce
}

// persistentVolume is the volume that the provisioner makes for a claim.
func persistentVolume(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, record *lhv1beta2.Volume) *corev1.PersistentVolume {
	policy := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: record.Name, Annotations: map[string]string{provisionedBy: driver}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(record.Spec.Size, resource.BinarySI)},
			AccessModes:                   claim.Spec.AccessModes,
			VolumeMode:                    claim.Spec.VolumeMode,
			PersistentVolumeReclaimPolicy: policy,
			StorageClassName:              class.Name,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: driver, VolumeHandle: record.Name, FSType: "ext4", VolumeAttributes: class.Parameters,
			}},
		},
	}
}

// grow makes a volume larger.
func (v *Volumes) grow(ctx context.Context, name string, size resource.Quantity) error {
	record, err := v.longhornVolume(ctx, name)
	if err != nil {
		return err
	}
	record.Spec.Size = roundUp(size.Value())
	if err := v.api.Update(ctx, record); err != nil {
		return err
	}
	volume := &corev1.PersistentVolume{}
	if err := v.api.Get(ctx, types.NamespacedName{Name: name}, volume); err != nil {
		return err
	}
	volume.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: size}
	return v.api.Update(ctx, volume)
}

// reconcileVolume keeps the phase of a volume, and what Longhorn says of it, and reclaims it when its claim is gone.
func (v *Volumes) reconcileVolume(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	volume := &corev1.PersistentVolume{}
	if err := v.api.Get(ctx, request.NamespacedName, volume); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if volume.Spec.CSI == nil || volume.Spec.CSI.Driver != driver || volume.Spec.ClaimRef == nil {
		return reconcile.Result{}, nil
	}
	if volume.DeletionTimestamp != nil {
		return reconcile.Result{}, v.discard(ctx, volume.Name)
	}
	claim := &corev1.PersistentVolumeClaim{}
	ref := types.NamespacedName{Namespace: volume.Spec.ClaimRef.Namespace, Name: volume.Spec.ClaimRef.Name}
	if err := v.api.Get(ctx, ref, claim); err != nil && !apierrors.IsNotFound(err) {
		return reconcile.Result{}, err
	}
	if claim.UID != volume.Spec.ClaimRef.UID {
		return reconcile.Result{}, v.reclaim(ctx, volume)
	}
	if err := v.setPhase(ctx, volume, corev1.VolumeBound); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, v.publish(ctx, volume, claim)
}

// reclaim does with a volume without a claim what its policy says.
func (v *Volumes) reclaim(ctx context.Context, volume *corev1.PersistentVolume) error {
	if err := v.setPhase(ctx, volume, corev1.VolumeReleased); err != nil {
		return err
	}
	if volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	if err := v.discard(ctx, volume.Name); err != nil {
		return err
	}
	return client.IgnoreNotFound(v.api.Delete(ctx, volume))
}

// discard removes Longhorn's record of a volume.
func (v *Volumes) discard(ctx context.Context, name string) error {
	record := &lhv1beta2.Volume{ObjectMeta: metav1.ObjectMeta{Namespace: longhornNamespace, Name: name}}
	return client.IgnoreNotFound(v.api.Delete(ctx, record))
}

func (v *Volumes) setPhase(ctx context.Context, volume *corev1.PersistentVolume, phase corev1.PersistentVolumePhase) error {
	if volume.Status.Phase == phase {
		return nil
	}
	volume.Status.Phase = phase
	return v.api.Status().Update(ctx, volume)
}

// publish lets Longhorn's record say who uses a volume.
func (v *Volumes) publish(ctx context.Context, volume *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) error {
	record, err := v.longhornVolume(ctx, volume.Name)
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	user, err := v.user(ctx, claim)
	if err != nil {
		return err
	}
	awaited, err := awaited(ctx, v.api, record)
	if err != nil {
		return err
	}
	status := recordStatus(record.Status, volume, user, awaited, time.Now())
	if equality.Semantic.DeepEqual(record.Status, status) {
		return nil
	}
	record.Status = status
	return v.api.Status().Update(ctx, record)
}

// recordStatus is what Longhorn says of a volume that a virtual machine instance may use, and that may wait for its
// backing image with a condition.
func recordStatus(before lhv1beta2.VolumeStatus, volume *corev1.PersistentVolume, user *kubevirtv1.VirtualMachineInstance, awaited *lhv1beta2.Condition, now time.Time) lhv1beta2.VolumeStatus {
	status := *before.DeepCopy()
	status.State, status.Robustness, status.CurrentNodeID = lhv1beta2.VolumeStateDetached, lhv1beta2.VolumeRobustnessUnknown, ""
	status.KubernetesStatus = lhv1beta2.KubernetesStatus{
		PVName: volume.Name, PVStatus: string(volume.Status.Phase),
		Namespace: volume.Spec.ClaimRef.Namespace, PVCName: volume.Spec.ClaimRef.Name,
	}
	switch {
	case user == nil || user.IsFinal():
	case awaited != nil && (user.IsScheduling() || user.Status.NodeName != ""):
		status.State = lhv1beta2.VolumeStateAttaching
	case awaited == nil && user.Status.NodeName != "":
		status.State, status.Robustness, status.CurrentNodeID = lhv1beta2.VolumeStateAttached, lhv1beta2.VolumeRobustnessHealthy, user.Status.NodeName
		status.KubernetesStatus.WorkloadsStatus = []lhv1beta2.WorkloadStatus{{
			WorkloadName: user.Name, WorkloadType: "VirtualMachineInstance", PodStatus: string(user.Status.Phase),
		}}
	}
	scheduled := lhv1beta2.Condition{Type: lhv1beta2.VolumeConditionTypeScheduled, Status: lhv1beta2.ConditionStatusTrue}
	status.Conditions = setCondition(status.Conditions, scheduled, now)
	// A replica finds out when it is to start.
	switch status.State {
	case lhv1beta2.VolumeStateAttaching:
		status.Conditions = setCondition(status.Conditions, *awaited, now)
	case lhv1beta2.VolumeStateAttached:
		there := lhv1beta2.Condition{Type: lhv1beta2.VolumeConditionTypeWaitForBackingImage, Status: lhv1beta2.ConditionStatusFalse}
		status.Conditions = setCondition(status.Conditions, there, now)
	}
	return status
}

// setCondition keeps the time of a condition whose status stays the same.
func setCondition(conditions []lhv1beta2.Condition, wanted lhv1beta2.Condition, now time.Time) []lhv1beta2.Condition {
	wanted.LastTransitionTime = now.UTC().Format(time.RFC3339)
	i := slices.IndexFunc(conditions, func(c lhv1beta2.Condition) bool { return c.Type == wanted.Type })
	if i < 0 {
		return append(conditions, wanted)
	}
	if conditions[i].Status == wanted.Status {
		wanted.LastTransitionTime = conditions[i].LastTransitionTime
	}
	conditions[i] = wanted
	return conditions
}
