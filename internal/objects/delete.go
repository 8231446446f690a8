// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Removal deletes one object and makes sure that it is gone. Removing fills in the usual steps; a
// kind whose objects can be in use replaces the request.
type Removal[T metav1.Object] struct {
	// Identity tells the object from others of its name, which are left alone.
	Identity Identity

	// Find reads what has the name.
	Find func(ctx context.Context) (T, error)
	// Request asks for its deletion, by its UID.
	Request func(ctx context.Context, object T) diag.Diagnostics
	// AwaitGone waits for its end.
	AwaitGone func(ctx context.Context, object T) error
}

// Removing is the removal of the object of that identity.
func Removing[T any, P Object[T]](hub *wait.Hub, kind kube.Resource[T], identity Identity) Removal[P] {
	return Removal[P]{
		Identity: identity,
		Find: func(ctx context.Context) (P, error) {
			return kind.Get(ctx, identity.Namespace, identity.Name)
		},
		Request: func(ctx context.Context, object P) diag.Diagnostics {
			if err := kind.Delete(ctx, identity.Namespace, identity.Name, object.GetUID()); err != nil && !apierrors.IsNotFound(err) {
				return NotDeleted(identity.Title, err)
			}
			return nil
		},
		AwaitGone: func(ctx context.Context, object P) error { return AwaitGone(ctx, hub, kind, object, "being deleted") },
	}
}

// Run removes the object. One that is gone already is as good; one that others have put in its
// place stays, which a warning says.
func (r Removal[T]) Run(ctx context.Context) diag.Diagnostics {
	object, err := kube.Retry(ctx, r.Find)
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return NotDeleted(r.Identity.Title, err)
	case !r.Identity.Is(object):
		return diag.Diagnostics{r.Identity.LeftInPlace()}
	}
	diags := r.Request(ctx, object)
	if diags.HasError() {
		return diags
	}
	if err := r.AwaitGone(ctx, object); err != nil {
		diags.Append(Failed("delete", r.Identity.Title, LeftDeleting, err)...)
	}
	return diags
}

// LeftDeleting is the state that a wait for the end of an object leaves things in.
const LeftDeleting = "Its deletion was requested and goes on; the next apply checks again."

// NotDeleted describes a deletion that did not begin.
func NotDeleted(title string, err error) diag.Diagnostics {
	return diag.Diagnostics{diagnose.API("delete", title, "It was not deleted.", err)}
}

// AwaitGone waits until an object that is being deleted does not exist any more. Mostly that
// is at once, which one look tells for less than a watch of the whole namespace. Saying describes
// it if it is still there when the time is up.
func AwaitGone[T any, P Object[T]](ctx context.Context, hub *wait.Hub, kind kube.Resource[T], object P, saying string) error {
	live, err := kind.Get(ctx, object.GetNamespace(), object.GetName())
	if apierrors.IsNotFound(err) || err == nil && P(live).GetUID() != object.GetUID() {
		return nil
	}
	target := wait.Target{Resource: kind.GVR(), Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID()}
	return hub.UntilGone(ctx, target, func(object *unstructured.Unstructured) string {
		return saying + HeldBy(object.GetFinalizers())
	})
}

// HeldBy says what keeps an object that is being deleted; "" if nothing does.
func HeldBy(finalizers []string) string {
	if len(finalizers) == 0 {
		return ""
	}
	return ", held by " + strings.Join(finalizers, ", ")
}
