// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

// Resource reads and writes the objects of one kind as T, a struct with the
// fields this provider uses. T must have Kubernetes' JSON form. The API's errors
// are returned as they are, for k8s.io/apimachinery/pkg/api/errors to tell apart.
type Resource[T any] struct {
	client dynamic.NamespaceableResourceInterface
	gvr    schema.GroupVersionResource
	gvk    schema.GroupVersionKind
	recent *recent
}

// For returns the resource of one kind. An empty namespace in its methods means
// a cluster-scoped object.
func For[T any](c *Client, gvr schema.GroupVersionResource, kind string) Resource[T] {
	return Resource[T]{client: c.dynamic.Resource(gvr), gvr: gvr, gvk: gvr.GroupVersion().WithKind(kind), recent: c.recent}
}

// GVR is the kind as the API names it.
func (r Resource[T]) GVR() schema.GroupVersionResource { return r.gvr }

func (r Resource[T]) in(namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return r.client
	}
	return r.client.Namespace(namespace)
}

// Get reads one object.
func (r Resource[T]) Get(ctx context.Context, namespace, name string) (*T, error) {
	object, err := r.in(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return about[T](object, namespace, name)
}

// List reads the objects of a namespace that match the label selector; an empty
// one matches all.
func (r Resource[T]) List(ctx context.Context, namespace, selector string) ([]T, error) {
	list, err := r.in(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	objects := make([]T, 0, len(list.Items))
	for i := range list.Items {
		object, err := Decode[T](&list.Items[i])
		if err != nil {
			return nil, err
		}
		objects = append(objects, *object)
	}
	return objects, nil
}

// Create makes the object and returns it as the server stored it. Fields that the
// server's version does not know are an error, not silently dropped.
func (r Resource[T]) Create(ctx context.Context, namespace string, object *T) (*T, error) {
	return r.create(ctx, namespace, object, nil)
}

// DryRunCreate asks the server, with its admission webhooks, whether it would
// create the object now. Nothing is stored.
func (r Resource[T]) DryRunCreate(ctx context.Context, namespace string, object *T) error {
	_, err := r.create(ctx, namespace, object, []string{metav1.DryRunAll})
	return err
}

func (r Resource[T]) create(ctx context.Context, namespace string, object *T, dryRun []string) (*T, error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("encode the %s: %w", r.gvk.Kind, err)
	}
	// The status is the server's.
	delete(content, "status")
	body := &unstructured.Unstructured{Object: content}
	body.SetGroupVersionKind(r.gvk)
	if dryRun == nil {
		defer r.recent.forget(scope{r.gvr, namespace})
	}
	created, err := r.in(namespace).Create(ctx, body, metav1.CreateOptions{
		FieldManager: FieldManager, FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun,
	})
	if err != nil {
		return nil, err
	}
	return about[T](created, namespace, body.GetName())
}

// Patch sends a JSON merge patch: what it does not name stays as it is, null
// removes.
func (r Resource[T]) Patch(ctx context.Context, namespace, name string, patch map[string]any) (*T, error) {
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("encode the patch: %w", err)
	}
	defer r.recent.forget(scope{r.gvr, namespace})
	patched, err := r.in(namespace).Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{
		FieldManager: FieldManager, FieldValidation: metav1.FieldValidationStrict,
	})
	if err != nil {
		return nil, err
	}
	return about[T](patched, namespace, name)
}

// Delete asks for the removal of the object with this UID; an empty UID means
// whichever has the name. Finalizers may keep it for a while.
func (r Resource[T]) Delete(ctx context.Context, namespace, name string, uid types.UID) error {
	defer r.recent.forget(scope{r.gvr, namespace})
	options := metav1.DeleteOptions{}
	if uid != "" {
		options.Preconditions = &metav1.Preconditions{UID: &uid}
	}
	return r.in(namespace).Delete(ctx, name, options)
}

// AnswerError says that a server answered about another object than it was asked for.
type AnswerError struct{ Asked, Answered string }

func (e *AnswerError) Error() string {
	return fmt.Sprintf("the server was asked for %s and answered about %s", redact.Line(e.Asked), redact.Line(e.Answered))
}

// about decodes an answer about that very object. Any other is an *AnswerError.
func about[T any](object *unstructured.Unstructured, namespace, name string) (*T, error) {
	if object.GetNamespace() != namespace || object.GetName() != name {
		return nil, &AnswerError{Asked: namespace + "/" + name, Answered: object.GetNamespace() + "/" + object.GetName()}
	}
	return Decode[T](object)
}

// Decode turns an object as the dynamic client has it into T, with its messages fit to be shown.
func Decode[T any](object *unstructured.Unstructured) (*T, error) {
	var decoded T
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(legible(object.Object), &decoded); err != nil {
		return nil, fmt.Errorf("read the %s %s/%s: %w", object.GetKind(), object.GetNamespace(), object.GetName(), err)
	}
	return &decoded, nil
}

// Transient says that a request failed on its way or in a server in trouble, so
// that the same request may succeed later. Whether it took effect is then unknown.
func Transient(err error) bool {
	if transport.Final(err) || errors.As(err, new(*AnswerError)) {
		return false
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	code := status.Status().Code
	// Webhooks of Harvester and of its network and load balancer services answer 500 when they refuse. One that
	// cannot be reached ("failed calling webhook") is trouble in a server.
	return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError && !strings.Contains(err.Error(), "denied the request")
}

// Refused says that a webhook, a quota or the API judged the object; everything else is
// trouble on the way.
func Refused(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) ||
		err != nil && (strings.Contains(err.Error(), "denied the request") || strings.Contains(err.Error(), "exceeded quota"))
}

// Unserved says that the API does not know the kind at all, as without the add-on that brings it. It is a NotFound, but not of
// the object.
func Unserved(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(cause metav1.StatusCause) bool {
		return cause.Type == metav1.CauseTypeUnexpectedServerResponse
	})
}
