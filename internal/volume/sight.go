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
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// The states of a volume, besides tfbase.Terminating. Ready and In-use are the official provider's.
const (
	stateReady   = "Ready"
	stateInUse   = "In-use"
	statePending = "Pending"
	stateFailed  = "Failed"
)

// volume is a volume as the API has it, or is to have it: a claim, and what else there is to see of it.
type volume struct {
	*corev1.PersistentVolumeClaim
	// data makes CDI make and fill the claim; nil if the claim is made directly. Unborn says that
	// there is no claim yet, and this is what it will be.
	data   *api.DataVolume
	unborn bool
	// class is the storage class of a new volume; nil if it could not be read.
	class *storagev1.StorageClass

	// image is the image it was made from; "" if nothing tells.
	image string
	// users are the virtual machines that have it, as namespace/name.
	users []string
	// awaitsUse says that its class binds volumes only when they are used.
	awaitsUse bool
}

func (s *volume) state() string {
	switch {
	case s.Status.Phase == corev1.ClaimLost:
		return stateFailed
	case len(s.users) > 0:
		return stateInUse
	case filling(s.PersistentVolumeClaim):
		return statePending
	case s.Status.Phase == corev1.ClaimBound, s.awaitsUse:
		return stateReady
	}
	return statePending
}

func (s *volume) message() string {
	switch growth := growing(s.PersistentVolumeClaim); {
	case s.Status.Phase == corev1.ClaimLost:
		return "What held its data is gone."
	case s.awaitsUse && s.Status.Phase != corev1.ClaimBound:
		return fmt.Sprintf("Its storage class %q makes it when a virtual machine first uses it.", classOf(s.PersistentVolumeClaim))
	case filling(s.PersistentVolumeClaim):
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

type get func(ctx context.Context, namespace, name string) (*corev1.PersistentVolumeClaim, error)

// see reads all there is to see of a volume. The error is that of the volume itself if there is none.
func (c clients) see(ctx context.Context, namespace, name string, read get) (*volume, error) {
	claim, err := read(ctx, namespace, name)
	if apierrors.IsNotFound(err) {
		return c.unborn(ctx, namespace, name, err)
	}
	if err != nil {
		return nil, err
	}
	users, err := c.users(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return &volume{PersistentVolumeClaim: claim, image: c.imageOf(ctx, claim), users: users, awaitsUse: c.awaitsUse(ctx, claim)}, nil
}

// unborn looks for a volume of this provider that CDI has not begun to make.
func (c clients) unborn(ctx context.Context, namespace, name string, absent error) (*volume, error) {
	data, err := c.dataVolumes.Get(ctx, namespace, name)
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil, absent
	case err != nil:
		return nil, fmt.Errorf("read the data volume: %w", err)
	case data.Annotations[api.AnnotationOrigin] == "" || data.Spec.Storage == nil || data.DeletionTimestamp != nil:
		return nil, absent
	}
	claim := claimOf(data)
	return &volume{PersistentVolumeClaim: claim, data: data, unborn: true, image: claim.Annotations[api.AnnotationImageID]}, nil
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
