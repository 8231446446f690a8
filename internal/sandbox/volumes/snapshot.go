// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volumes

import (
	"context"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// snapshotKind is the kind of snapshots of volumes. Harvester makes them for snapshots of virtual machines.
var snapshotKind = schema.GroupVersionKind{Group: "snapshot.storage.k8s.io", Version: "v1", Kind: "VolumeSnapshot"}

func newSnapshot() *unstructured.Unstructured {
	snapshot := &unstructured.Unstructured{}
	snapshot.SetGroupVersionKind(snapshotKind)
	return snapshot
}

// reconcileSnapshot makes a snapshot usable after a while, as the snapshot controller and Longhorn do. It holds no data.
func (v *Volumes) reconcileSnapshot(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	snapshot := newSnapshot()
	if err := v.api.Get(ctx, request.NamespacedName, snapshot); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	name, _, _ := unstructured.NestedString(snapshot.Object, "spec", "source", "persistentVolumeClaimName")
	ready, _, _ := unstructured.NestedBool(snapshot.Object, "status", "readyToUse")
	if ready || name == "" || snapshot.GetDeletionTimestamp() != nil {
		return reconcile.Result{}, nil
	}
	claim := &corev1.PersistentVolumeClaim{}
	if err := v.api.Get(ctx, types.NamespacedName{Namespace: request.Namespace, Name: name}, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	taken := snapshot.GetCreationTimestamp()
	if left := v.pace.Provision() - time.Since(taken.Time); left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	snapshot.Object["status"] = map[string]any{
		"readyToUse":                     true,
		"creationTime":                   taken.UTC().Format(time.RFC3339),
		"restoreSize":                    claim.Status.Capacity.Storage().String(),
		"boundVolumeSnapshotContentName": "snapcontent-" + string(snapshot.GetUID()),
	}
	return reconcile.Result{}, v.api.Status().Update(ctx, snapshot)
}

// engine makes the record of the engine of a volume. Harvester looks up there what a volume can do.
func (v *Volumes) engine(ctx context.Context, record *lhv1beta2.Volume) error {
	return client.IgnoreAlreadyExists(v.api.Create(ctx, &lhv1beta2.Engine{
		ObjectMeta: metav1.ObjectMeta{
			Name: record.Name + "-e-0", Namespace: longhornNamespace, Labels: record.Labels,
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: lhv1beta2.SchemeGroupVersion.String(), Kind: "Volume", Name: record.Name, UID: record.UID,
			}},
		},
		Spec: lhv1beta2.EngineSpec{
			InstanceSpec: lhv1beta2.InstanceSpec{VolumeName: record.Name, VolumeSize: record.Spec.Size, DataEngine: record.Spec.DataEngine},
			Frontend:     record.Spec.Frontend,
		},
	}))
}
