// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volumes

import (
	"context"
	"maps"
	"slices"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// lookAgain is how often a claim that waits for something is looked at.
const lookAgain = time.Second

// Annotations that the real controllers put on claims.
const (
	bindCompleted     = "pv.kubernetes.io/bind-completed"
	boundByController = "pv.kubernetes.io/bound-by-controller"
	provisionedBy     = "pv.kubernetes.io/provisioned-by"
	provisioner       = "volume.kubernetes.io/storage-provisioner"
	betaProvisioner   = "volume.beta.kubernetes.io/storage-provisioner"
	// bindNow is on the claims that a pod of CDI will use, which is not there in the sandbox.
	bindNow = "cdi.kubevirt.io/storage.bind.immediate.requested"
)

// blocker is why a claim is not bound yet.
type blocker struct{ kind, reason, message string }

// reconcileClaim brings a claim one step further on its way to a volume of the asked size.
func (v *Volumes) reconcileClaim(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	claim := &corev1.PersistentVolumeClaim{}
	if err := v.api.Get(ctx, request.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if claim.DeletionTimestamp != nil || claim.Spec.StorageClassName == nil || *claim.Spec.StorageClassName == "" {
		return reconcile.Result{}, nil
	}
	class := &storagev1.StorageClass{}
	err := v.api.Get(ctx, types.NamespacedName{Name: *claim.Spec.StorageClassName}, class)
	switch {
	case apierrors.IsNotFound(err) && claim.Spec.VolumeName == "":
		return v.wait(claim, &blocker{corev1.EventTypeWarning, "ProvisioningFailed", err.Error()})
	case err != nil:
		return reconcile.Result{}, client.IgnoreNotFound(err)
	case class.Provisioner != driver:
		return reconcile.Result{}, nil
	case claim.Status.Phase == corev1.ClaimBound:
		return v.resize(ctx, claim, class)
	}
	return v.bind(ctx, claim, class)
}

// wait tells why a claim waits, and has it looked at again.
func (v *Volumes) wait(claim *corev1.PersistentVolumeClaim, why *blocker) (reconcile.Result, error) {
	if v.events != nil {
		v.events.Event(claim, why.kind, why.reason, why.message)
	}
	return reconcile.Result{RequeueAfter: lookAgain}, nil
}

// bind gives a claim a new volume, unless something keeps it from that.
func (v *Volumes) bind(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) (reconcile.Result, error) {
	user, err := v.user(ctx, claim)
	if err != nil {
		return reconcile.Result{}, err
	}
	used := user != nil || claim.Annotations[bindNow] == "true"
	if why := unused(class, used); why != nil {
		return v.wait(claim, why)
	}
	// Harvester reads from these who provisions a claim.
	if err := v.annotate(ctx, claim, map[string]string{provisioner: class.Provisioner, betaProvisioner: class.Provisioner}); err != nil {
		return reconcile.Result{}, err
	}
	record, why, err := v.record(ctx, claim, class)
	if err != nil {
		return reconcile.Result{}, err
	}
	if why != nil {
		return v.wait(claim, why)
	}
	if left := v.pace.Provision() - time.Since(record.CreationTimestamp.Time); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	return reconcile.Result{}, v.complete(ctx, claim, class, record)
}

// unused is why a claim waits whose volume is to be made for the first one who uses it. It is nil if it does not.
func unused(class *storagev1.StorageClass, used bool) *blocker {
	if class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer && !used {
		return &blocker{corev1.EventTypeNormal, "WaitForFirstConsumer", "waiting for first consumer to be created before binding"}
	}
	return nil
}

// user returns a virtual machine instance that uses a claim, if there is one. Every change of an instance has its claims
// and volumes looked at again, so that it may be a moment behind.
func (v *Volumes) user(ctx context.Context, claim *corev1.PersistentVolumeClaim) (*kubevirtv1.VirtualMachineInstance, error) {
	var instances kubevirtv1.VirtualMachineInstanceList
	err := v.seen.List(ctx, &instances, client.InNamespace(claim.Namespace), client.MatchingFields{usedClaims: claim.Name})
	if err != nil || len(instances.Items) == 0 {
		return nil, err
	}
	return &instances.Items[0], nil
}

func (v *Volumes) annotate(ctx context.Context, claim *corev1.PersistentVolumeClaim, wanted map[string]string) error {
	before := maps.Clone(claim.Annotations)
	if claim.Annotations == nil {
		claim.Annotations = map[string]string{}
	}
	maps.Copy(claim.Annotations, wanted)
	if maps.Equal(before, claim.Annotations) {
		return nil
	}
	return v.api.Update(ctx, claim)
}

// complete makes a claim and its volume know each other.
func (v *Volumes) complete(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, record *lhv1beta2.Volume) error {
	volume := persistentVolume(claim, class, record)
	if err := v.api.Create(ctx, volume); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	claim.Spec.VolumeName = volume.Name
	if err := v.annotate(ctx, claim, map[string]string{bindCompleted: "yes", boundByController: "yes"}); err != nil {
		return err
	}
	claim.Status.Phase = corev1.ClaimBound
	claim.Status.AccessModes = claim.Spec.AccessModes
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(record.Spec.Size, resource.BinarySI)}
	return v.api.Status().Update(ctx, claim)
}

// resize grows the volume of a bound claim that asks for more, in two steps as the resizer does.
func (v *Volumes) resize(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) (reconcile.Result, error) {
	asked, has := claim.Spec.Resources.Requests[corev1.ResourceStorage], claim.Status.Capacity[corev1.ResourceStorage]
	if asked.Cmp(has) <= 0 || class.AllowVolumeExpansion == nil || !*class.AllowVolumeExpansion {
		return reconcile.Result{}, nil
	}
	resizing := slices.IndexFunc(claim.Status.Conditions, func(c corev1.PersistentVolumeClaimCondition) bool {
		return c.Type == corev1.PersistentVolumeClaimResizing
	})
	if resizing < 0 {
		claim.Status.Conditions = append(claim.Status.Conditions, corev1.PersistentVolumeClaimCondition{
			Type: corev1.PersistentVolumeClaimResizing, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
		})
		return reconcile.Result{RequeueAfter: v.pace.Provision()}, v.api.Status().Update(ctx, claim)
	}
	if left := v.pace.Provision() - time.Since(claim.Status.Conditions[resizing].LastTransitionTime.Time); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	if err := v.grow(ctx, claim.Spec.VolumeName, asked); err != nil {
		return reconcile.Result{}, err
	}
	claim.Status.Conditions = slices.Delete(claim.Status.Conditions, resizing, resizing+1)
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: asked}
	return reconcile.Result{}, v.api.Status().Update(ctx, claim)
}
