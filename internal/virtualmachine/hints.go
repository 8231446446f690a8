// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
)

// hints says what keeps a machine from starting, as far as the cluster shows
// it: volumes that are not there yet, with the last warning about each, and the last
// warning about the machine. It is for messages; what cannot be read is left out.
func (r *Resource) hints(ctx context.Context, vm *kubevirtv1.VirtualMachine) []string {
	if vm == nil {
		return nil
	}
	var hints []string
	for _, volume := range withTemplate(vm).Spec.Template.Spec.Volumes {
		if name := disk.Claim(&volume); name != "" {
			hints = append(hints, r.volumeHints(ctx, vm.Namespace, name, volume.Name)...)
		}
	}
	if warning := r.warning(ctx, vm.Namespace, vm.Name); warning != "" {
		hints = append(hints, "Last warning about the machine: "+warning)
	}
	return hints
}

func (r *Resource) volumeHints(ctx context.Context, namespace, name, disk string) []string {
	volume, err := r.volumes.Get(ctx, namespace, name)
	var hint string
	switch {
	case apierrors.IsNotFound(err):
		hint = fmt.Sprintf("The volume %q of the disk %q does not exist.", name, disk)
	case err != nil || volume.Status.Phase == corev1.ClaimBound:
		return nil
	default:
		hint = fmt.Sprintf("The volume %q of the disk %q is %s.", name, disk, volume.Status.Phase)
	}
	if warning := r.warning(ctx, namespace, name); warning != "" {
		hint += " Last warning about it: " + warning
	}
	return []string{hint}
}

// warning is the newest warning event about objects of that name; "" if there is
// none.
func (r *Resource) warning(ctx context.Context, namespace, name string) string {
	list, err := r.Session.Client.Dynamic().Resource(api.Events).Namespace(namespace).
		List(ctx, metav1.ListOptions{FieldSelector: "type=Warning,involvedObject.name=" + name})
	if err != nil {
		return ""
	}
	var events []corev1.Event
	for i := range list.Items {
		if event, err := kube.Decode[corev1.Event](&list.Items[i]); err == nil {
			events = append(events, *event)
		}
	}
	if len(events) == 0 {
		return ""
	}
	newest := slices.MaxFunc(events, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b).Time) })
	return newest.Reason + ": " + newest.Message
}

func eventTime(event corev1.Event) metav1.Time {
	switch {
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp
	case !event.EventTime.IsZero():
		return metav1.NewTime(event.EventTime.Time)
	}
	return event.CreationTimestamp
}
