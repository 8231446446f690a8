// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	cdiv1 "kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1"
	cc "kubevirt.io/containerized-data-importer/pkg/controller/common"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// lookAgain is how often a data volume that waits for something is looked at.
const lookAgain = time.Second

// reconcile brings a data volume one step further.
func (c *CDI) reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	data := &cdiv1.DataVolume{}
	err := c.api.Get(ctx, request.NamespacedName, data)
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, err
	}
	if err != nil || data.DeletionTimestamp != nil {
		c.stopPod(request.NamespacedName)
		return reconcile.Result{}, c.sweep(ctx, request.NamespacedName)
	}
	if kindOf(data) == unknown {
		return reconcile.Result{}, nil
	}
	claim, err := c.ensureClaim(ctx, data)
	if why, ok := errors.AsType[*blocker](err); ok {
		return c.wait(ctx, data, why)
	}
	if err != nil || claim.DeletionTimestamp != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, c.advance(ctx, data, claim)
}

// blocker is why a data volume gets no claim for now.
type blocker struct {
	phase           cdiv1.DataVolumePhase
	reason, message string
}

// Error implements error.
func (b *blocker) Error() string { return b.message }

// wait tells why a data volume waits, and has it looked at again.
func (c *CDI) wait(ctx context.Context, data *cdiv1.DataVolume, why *blocker) (reconcile.Result, error) {
	c.event(data, corev1.EventTypeWarning, why.reason, why.message)
	status := data.Status
	status.Phase = why.phase
	return reconcile.Result{RequeueAfter: lookAgain}, c.record(ctx, data, nextConditions(status, nil, metav1.Now()))
}

func (c *CDI) event(data *cdiv1.DataVolume, kind, reason, message string) {
	if c.events != nil {
		c.events.Event(data, kind, reason, message)
	}
}

// ensureClaim gets the claim of a data volume, and makes it if it is not there.
func (c *CDI) ensureClaim(ctx context.Context, data *cdiv1.DataVolume) (*corev1.PersistentVolumeClaim, error) {
	claim, err := c.claim(ctx, client.ObjectKeyFromObject(data))
	if apierrors.IsNotFound(err) {
		return c.createClaim(ctx, data)
	}
	if err == nil && !metav1.IsControlledBy(claim, data) {
		return nil, &blocker{cdiv1.Pending, "ErrResourceExists", fmt.Sprintf("Resource %q already exists and is not managed by DataVolume", claim.Name)}
	}
	return claim, err
}

func (c *CDI) claim(ctx context.Context, at types.NamespacedName) (*corev1.PersistentVolumeClaim, error) {
	claim := &corev1.PersistentVolumeClaim{}
	return claim, c.api.Get(ctx, at, claim)
}

func (c *CDI) createClaim(ctx context.Context, data *cdiv1.DataVolume) (*corev1.PersistentVolumeClaim, error) {
	if err := c.checkSource(ctx, data); err != nil {
		return nil, err
	}
	defaults, err := c.defaultsFor(ctx, data)
	if err != nil {
		return nil, err
	}
	claim, err := newClaim(data, defaults)
	if err != nil {
		return nil, err
	}
	return claim, c.api.Create(ctx, claim)
}

// checkSource finds out whether there is something to copy, for a data volume that is a copy.
func (c *CDI) checkSource(ctx context.Context, data *cdiv1.DataVolume) error {
	if kindOf(data) != copied {
		return nil
	}
	at := sourceOf(data)
	source, err := c.claim(ctx, at)
	if apierrors.IsNotFound(err) {
		return &blocker{data.Status.Phase, "CloneWithoutSource", fmt.Sprintf("The source pvc %s doesn't exist", at.Name)}
	}
	if err != nil {
		return err
	}
	if source.Annotations[cc.AnnCreatedForDataVolume] != "" && !cc.IsPVCComplete(source) || source.Status.Phase != corev1.ClaimBound {
		return &blocker{cdiv1.CloneScheduled, "ImportPVCNotReady", "The source PVC is not fully imported"}
	}
	if asked := specOf(data).Resources; asked.Requests.Storage().IsZero() {
		return nil
	} else if err := cc.ValidateRequestedCloneSize(source.Spec.Resources, asked); err != nil {
		return &blocker{data.Status.Phase, "CloneValidationFailed", "The clone doesn't meet the validation requirements: " + err.Error()}
	}
	return nil
}

// advance starts the pod for a claim that is ready for it, and shows how far it is.
func (c *CDI) advance(ctx context.Context, data *cdiv1.DataVolume, claim *corev1.PersistentVolumeClaim) error {
	seen := c.observe(ctx, data, claim)
	if err := c.annotate(ctx, claim, kindOf(data), seen); err != nil {
		return err
	}
	waits, err := c.waitsForConsumer(ctx, claim)
	if err != nil {
		return err
	}
	status := nextStatus(data.Status, kindOf(data), claim, seen, waits)
	if err := c.record(ctx, data, nextConditions(status, claim, metav1.Now())); err != nil {
		return err
	}
	if seen.phase == corev1.PodSucceeded {
		c.stopPod(client.ObjectKeyFromObject(data))
	}
	return nil
}

// observe says what the pod of a claim is up to, and starts it when it is time.
func (c *CDI) observe(ctx context.Context, data *cdiv1.DataVolume, claim *corev1.PersistentVolumeClaim) podState {
	if cc.IsPVCComplete(claim) {
		restarts, _ := strconv.Atoi(claim.Annotations[cc.AnnPodRestarts])
		return podState{phase: corev1.PodSucceeded, restarts: restarts, reason: completed, message: farewells[kindOf(data)]}
	}
	if claim.Status.Phase != corev1.ClaimBound {
		return podState{}
	}
	at := client.ObjectKeyFromObject(data)
	p := c.podOf(at)
	if p != nil && p.uid != claim.UID {
		c.stopPod(at)
		p = nil
	}
	if p == nil {
		p = c.startPod(ctx, jobOf(data, claim))
	}
	return p.observed()
}

// annotate notes on a claim what CDI's controllers tell one another there.
func (c *CDI) annotate(ctx context.Context, claim *corev1.PersistentVolumeClaim, kind kind, seen podState) error {
	if seen.phase == "" {
		return nil
	}
	before := maps.Clone(claim.Annotations)
	maps.Copy(claim.Annotations, map[string]string{
		cc.AnnPodPhase:                string(seen.phase),
		cc.AnnPodRestarts:             strconv.Itoa(seen.restarts),
		cc.AnnRunningCondition:        strconv.FormatBool(seen.running),
		cc.AnnRunningConditionReason:  seen.reason,
		cc.AnnRunningConditionMessage: seen.message,
	})
	if kind == uploaded {
		claim.Annotations[cc.AnnPodReady] = strconv.FormatBool(seen.phase == corev1.PodRunning)
	}
	if maps.Equal(before, claim.Annotations) {
		return nil
	}
	return c.api.Update(ctx, claim)
}

// waitsForConsumer says whether a claim waits for somebody to use it.
func (c *CDI) waitsForConsumer(ctx context.Context, claim *corev1.PersistentVolumeClaim) (bool, error) {
	if claim.Status.Phase != corev1.ClaimPending || claim.Spec.StorageClassName == nil || cc.ImmediateBindingRequested(claim) {
		return false, nil
	}
	class := &storagev1.StorageClass{}
	err := c.api.Get(ctx, types.NamespacedName{Name: *claim.Spec.StorageClassName}, class)
	if err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer, nil
}

// record writes the status of a data volume if it is a new one.
func (c *CDI) record(ctx context.Context, data *cdiv1.DataVolume, status cdiv1.DataVolumeStatus) error {
	if equality.Semantic.DeepEqual(data.Status, status) {
		return nil
	}
	if status.Phase != data.Status.Phase {
		c.log.Info("phase", "dataVolume", client.ObjectKeyFromObject(data).String(), "is", status.Phase)
		c.event(data, corev1.EventTypeNormal, string(status.Phase), "DataVolume is "+string(status.Phase))
	}
	data.Status = status
	return c.api.Status().Update(ctx, data)
}

// sweep removes the disks whose claims are gone, once that is so for this claim.
func (c *CDI) sweep(ctx context.Context, at types.NamespacedName) error {
	if _, err := c.claim(ctx, at); !apierrors.IsNotFound(err) {
		return err
	}
	stored, err := c.store.list()
	if err != nil || len(stored) == 0 {
		return err
	}
	var claims corev1.PersistentVolumeClaimList
	if err := c.api.List(ctx, &claims); err != nil {
		return err
	}
	exists := map[types.UID]bool{}
	for _, claim := range claims.Items {
		exists[claim.UID] = true
	}
	for _, uid := range stored {
		if !exists[uid] {
			err = errors.Join(err, c.store.remove(uid))
		}
	}
	return err
}
