// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// The states of a volume. Ready and In-use are the official provider's.
const (
	stateReady       = "Ready"
	stateInUse       = "In-use"
	statePending     = "Pending"
	stateFailed      = "Failed"
	stateTerminating = "Terminating"
)

// sight is all there is to see of a volume.
type sight struct {
	claim *corev1.PersistentVolumeClaim
	// image is the image it was made from; "" if nothing tells.
	image string
	// users are the virtual machines that have it, as namespace/name.
	users []string
	// awaitsUse says that its class binds volumes only when they are used.
	awaitsUse bool
}

func (s sight) state() string {
	switch {
	case s.claim.DeletionTimestamp != nil:
		return stateTerminating
	case s.claim.Status.Phase == corev1.ClaimLost:
		return stateFailed
	case len(s.users) > 0:
		return stateInUse
	case filling(s.claim):
		return statePending
	case s.claim.Status.Phase == corev1.ClaimBound, s.awaitsUse:
		return stateReady
	}
	return statePending
}

func (s sight) message() string {
	switch growth := growing(s.claim); {
	case s.claim.DeletionTimestamp != nil:
		return "Being deleted" + objects.HeldBy(s.claim.Finalizers) + "."
	case s.claim.Status.Phase == corev1.ClaimLost:
		return "What held its data is gone."
	case s.awaitsUse && s.claim.Status.Phase != corev1.ClaimBound:
		return fmt.Sprintf("Its storage class %q makes it when a virtual machine first uses it.", classOf(s.claim))
	case filling(s.claim):
		return "The contents of its image are being copied."
	case growth != "":
		return growth
	}
	return ""
}

// filling says that CDI has not filled the volume yet.
func filling(claim *corev1.PersistentVolumeClaim) bool {
	return claim.Annotations[api.AnnotationDataVolume] != "" && claim.Annotations[api.AnnotationFilling] != string(corev1.PodSucceeded)
}

// growing describes a growth that has not ended; "" if there is none.
func growing(claim *corev1.PersistentVolumeClaim) string {
	asked, has := claim.Spec.Resources.Requests.Storage(), claim.Status.Capacity.Storage()
	if claim.Status.Phase != corev1.ClaimBound || asked.Cmp(*has) <= 0 {
		return ""
	}
	texts := []string{fmt.Sprintf("Grows from %s to %s", has, asked)}
	for _, condition := range claim.Status.Conditions {
		if condition.Status == corev1.ConditionTrue && condition.Message != "" {
			texts = append(texts, strings.TrimSuffix(condition.Message, "."))
		}
	}
	return strings.Join(texts, ": ") + "."
}

// look reads all there is to see of a volume. The error is that of the volume itself if there is none.
func (c clients) look(ctx context.Context, namespace, name string) (sight, error) {
	return c.see(ctx, namespace, name, c.claims.Get)
}

// glance is look from lists that all volumes of a run share.
func (c clients) glance(ctx context.Context, namespace, name string) (sight, error) {
	return c.see(ctx, namespace, name, c.claims.Recent)
}

type get func(ctx context.Context, namespace, name string) (*corev1.PersistentVolumeClaim, error)

func (c clients) see(ctx context.Context, namespace, name string, read get) (sight, error) {
	claim, err := read(ctx, namespace, name)
	if apierrors.IsNotFound(err) {
		return c.unborn(ctx, namespace, name, err)
	}
	if err != nil {
		return sight{}, err
	}
	users, err := c.users(ctx, namespace, name)
	if err != nil {
		return sight{}, err
	}
	return sight{claim: claim, image: c.imageOf(ctx, claim), users: users, awaitsUse: c.awaitsUse(ctx, claim)}, nil
}

// unborn looks for a volume of this provider that CDI has not begun to make.
func (c clients) unborn(ctx context.Context, namespace, name string, absent error) (sight, error) {
	data, err := c.dataVolumes.Get(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return sight{}, absent
	case err != nil:
		return sight{}, fmt.Errorf("read the data volume: %w", err)
	case data.Annotations[api.AnnotationOrigin] == "" || data.Spec.Storage == nil || data.DeletionTimestamp != nil:
		return sight{}, absent
	}
	claim := claimOf(data)
	return sight{claim: claim, image: claim.Annotations[api.AnnotationImageID]}, nil
}

// users are the virtual machines that have the volume, running or not. Where machines
// cannot be listed, none is known.
func (c clients) users(ctx context.Context, namespace, name string) ([]string, error) {
	machines, err := c.machines.RecentAll(ctx, namespace)
	if err != nil && !apierrors.IsForbidden(err) && !apierrors.IsNotFound(err) {
		// Not to be mistaken for the volume's own absence.
		return nil, fmt.Errorf("list the virtual machines: %w", err)
	}
	var users []string
	for _, machine := range machines {
		if machine.Has(name) {
			users = append(users, tfbase.ID(machine.Namespace, machine.Name))
		}
	}
	return users, nil
}

// imageOf is the image that the volume was made from, as Harvester notes it; of one that CDI copied
// for a virtual machine, the image whose own volume it is a copy of.
func (c clients) imageOf(ctx context.Context, claim *corev1.PersistentVolumeClaim) string {
	if image := claim.Annotations[api.AnnotationImageID]; image != "" {
		return qualifiedText(image, claim.Namespace)
	}
	source := claim.Annotations[api.AnnotationCloneOf]
	if source == "" && claim.Annotations[api.AnnotationPopulator] == api.PopulatorClone {
		source = claim.Annotations[api.AnnotationPopulatedBy]
	}
	namespace, name, err := tfbase.ParseID(source)
	if err != nil {
		return ""
	}
	image, err := c.images.Recent(ctx, namespace, name)
	if err != nil || image.Spec.Backend != api.BackendCDI {
		return ""
	}
	return source
}

// awaitsUse says that a volume is not bound, and will be only when it is used.
func (c clients) awaitsUse(ctx context.Context, claim *corev1.PersistentVolumeClaim) bool {
	if claim.Status.Phase == corev1.ClaimBound || claim.Annotations[api.AnnotationDataVolume] != "" || classOf(claim) == "" {
		return false
	}
	class, err := c.classes.Recent(ctx, "", classOf(claim))
	return err == nil && bindsWhenUsed(class)
}

func bindsWhenUsed(class *storagev1.StorageClass) bool {
	return class != nil && class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer
}
