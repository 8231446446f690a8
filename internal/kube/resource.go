// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

// Resource reads and writes the objects of one kind as T, a struct with the
// fields this provider uses. T must have Kubernetes' JSON form. The API's errors
// are returned as they are, for k8s.io/apimachinery/pkg/api/errors to tell apart. Whatever
// writes is sent again while it fails for a reason that passes; see Retry.
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
// server's version does not know are an error, not silently dropped. AlreadyExists can mean
// that an earlier try took effect and only its answer was lost.
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
	request := func(ctx context.Context) (*unstructured.Unstructured, error) {
		return r.in(namespace).Create(ctx, body, metav1.CreateOptions{
			FieldManager: FieldManager, FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun,
		})
	}
	created, err := r.write(ctx, namespace, request, dryRun)
	if err != nil {
		return nil, err
	}
	return about[T](created, namespace, body.GetName())
}

// Patch sends a JSON merge patch: what it does not name stays as it is, null
// removes.
func (r Resource[T]) Patch(ctx context.Context, namespace, name string, patch map[string]any) (*T, error) {
	return r.patch(ctx, namespace, name, patch, nil)
}

// DryRunPatch asks the server, with its admission webhooks, whether it would take the patch now.
// Nothing is stored.
func (r Resource[T]) DryRunPatch(ctx context.Context, namespace, name string, patch map[string]any) error {
	_, err := r.patch(ctx, namespace, name, patch, []string{metav1.DryRunAll})
	return err
}

func (r Resource[T]) patch(ctx context.Context, namespace, name string, patch map[string]any, dryRun []string) (*T, error) {
	body, err := json.Marshal(patch)
	if err != nil {
		return nil, fmt.Errorf("encode the patch: %w", err)
	}
	patched, err := r.write(ctx, namespace, func(ctx context.Context) (*unstructured.Unstructured, error) {
		return r.in(namespace).Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{
			FieldManager: FieldManager, FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun,
		})
	}, dryRun)
	if err != nil {
		return nil, err
	}
	return about[T](patched, namespace, name)
}

// write sends what changes an object until it is judged. What only asks is asked once.
func (r Resource[T]) write(
	ctx context.Context, namespace string, request func(context.Context) (*unstructured.Unstructured, error), dryRun []string,
) (*unstructured.Unstructured, error) {
	if dryRun != nil {
		return request(ctx)
	}
	defer r.recent.forget(scope{r.gvr, namespace})
	return Retry(ctx, request)
}

// Delete asks for the removal of the object with this UID; an empty UID means
// whichever has the name. Finalizers may keep it for a while.
func (r Resource[T]) Delete(ctx context.Context, namespace, name string, uid types.UID) error {
	defer r.recent.forget(scope{r.gvr, namespace})
	options := metav1.DeleteOptions{}
	if uid != "" {
		options.Preconditions = &metav1.Preconditions{UID: &uid}
	}
	_, err := Retry(ctx, func(ctx context.Context) (any, error) { return nil, r.in(namespace).Delete(ctx, name, options) })
	return err
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
