// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// LastWarning is the newest warning event about objects of that name, for messages; "" if there
// is none, or it cannot be read.
func LastWarning(ctx context.Context, client *kube.Client, namespace, name string) string {
	list, err := client.Dynamic().Resource(api.Events).Namespace(namespace).
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
	newest := slices.MaxFunc(events, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	return newest.Reason + ": " + newest.Message
}

// eventTime: which of the times an event has depends on who wrote it.
func eventTime(event corev1.Event) time.Time {
	switch {
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp.Time
	case !event.EventTime.IsZero():
		return event.EventTime.Time
	}
	return event.CreationTimestamp.Time
}
