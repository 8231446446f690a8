// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package objects makes and removes objects of the cluster the way every kind needs it: a run can
// be killed, an answer lost and a name taken at any moment, and the next apply goes on from there.
package objects

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Creation makes one object, or takes over the one that an earlier apply with the same intent made
// before it was killed. Creating fills in the usual steps; a kind replaces those that differ. Each
// may be repeated, and return a DescribedError.
type Creation[T metav1.Object] struct {
	// Title names the object in messages, such as `SSH key "default/laptop"`.
	Title string
	// Left says, in a sentence, what state things are in when nothing was made.
	Left string
	// Foreign describes what others made under the name.
	Foreign Foreign

	// Send asks for the object.
	Send func(ctx context.Context) (T, error)
	// Find reads what has the name.
	Find func(ctx context.Context) (T, error)
	// Ours says that what has the name was made by an earlier apply with the same intent.
	Ours func(existing T) bool
	// TakeOver gives our own object what can have changed in the configuration since. NotFound
	// means that it is gone, and is made anew.
	TakeOver func(ctx context.Context, existing T) (T, error)
	// AwaitGone waits for the end of what has the name and is being deleted.
	AwaitGone func(ctx context.Context, existing T) error
}

// Leaving is what a creation says of an object that it waits for to be gone.
const Leaving = "one of that name is being deleted"

// pointer is a *T that is an object of Kubernetes.
type pointer[T any] interface {
	*T
	metav1.Object
}

// Creating is the creation of the wanted object. Ours is what has its AnnotationOrigin.
func Creating[T any, P pointer[T]](hub *wait.Hub, kind kube.Resource[T], title string, wanted P) Creation[P] {
	namespace, name := wanted.GetNamespace(), wanted.GetName()
	return Creation[P]{
		Title: title,
		Left:  "Nothing was created.",
		Send: func(ctx context.Context) (P, error) {
			return kind.Create(ctx, namespace, wanted)
		},
		Find: func(ctx context.Context) (P, error) {
			return kind.Get(ctx, namespace, name)
		},
		Ours: func(existing P) bool { return SameOrigin(existing, wanted) },
		TakeOver: func(ctx context.Context, _ P) (P, error) {
			return kind.Patch(ctx, namespace, name, map[string]any{"metadata": Metadata(wanted)})
		},
		AwaitGone: func(ctx context.Context, existing P) error { return AwaitGone(ctx, hub, kind, existing, Leaving) },
	}
}

// Run makes the object and returns it as the server has it.
func (c Creation[T]) Run(ctx context.Context) (made T, diags diag.Diagnostics) {
	for again := true; again && !diags.HasError(); {
		made, again, diags = c.attempt(ctx)
	}
	return made, diags
}

func (c Creation[T]) attempt(ctx context.Context) (made T, again bool, diags diag.Diagnostics) {
	// If a request took effect and only its answer was lost, the next one finds our own object.
	made, err := Retry(ctx, c.Send)
	switch {
	case apierrors.IsAlreadyExists(err):
		return c.existing(ctx)
	case err != nil:
		diags = c.failed("create", c.leftBy(err), err)
	}
	return made, false, diags
}

// existing deals with what has the name already: an object on its way out is waited for, our
// own is taken over, any other is a mistake.
func (c Creation[T]) existing(ctx context.Context) (made T, again bool, diags diag.Diagnostics) {
	existing, err := Retry(ctx, c.Find)
	switch {
	case apierrors.IsNotFound(err):
		return made, true, nil
	case err != nil:
		return made, false, c.failed("create", c.Left, err)
	case existing.GetDeletionTimestamp() != nil:
		if err := c.AwaitGone(ctx, existing); err != nil {
			return made, false, c.failed("create", c.Left, err)
		}
		return made, true, nil
	case !c.Ours(existing):
		return made, false, diag.Diagnostics{c.Foreign.diagnostic()}
	}
	return c.takeOver(ctx, existing)
}

func (c Creation[T]) takeOver(ctx context.Context, existing T) (made T, again bool, diags diag.Diagnostics) {
	tflog.Info(ctx, "Taking over what an earlier apply of the same configuration made", map[string]any{"object": c.Title})
	made, err := Retry(ctx, func(ctx context.Context) (T, error) { return c.TakeOver(ctx, existing) })
	switch {
	case apierrors.IsNotFound(err):
		return made, true, nil
	case err != nil:
		return made, false, c.failed("take over", "It was left as an earlier apply made it.", err)
	}
	return made, false, nil
}

func (c Creation[T]) failed(doing, left string, err error) diag.Diagnostics {
	return Failed(doing, c.Title, left, err)
}

// leftBy says what state a failed request leaves things in.
func (c Creation[T]) leftBy(err error) string {
	if unheard(err) {
		return "Whether it was created is not known: if so, the next apply goes on with it."
	}
	return c.Left
}

// SameOrigin says that two objects were made with the same intent, as their AnnotationOrigin tells.
func SameOrigin(a, b metav1.Object) bool {
	origin := a.GetAnnotations()[api.AnnotationOrigin]
	return origin != "" && origin == b.GetAnnotations()[api.AnnotationOrigin]
}

// Metadata is the merge patch that gives an object of the same intent the labels and annotations
// of the wanted one. Those of others stay.
func Metadata(wanted metav1.Object) map[string]any {
	annotations := map[string]any{api.AnnotationDescription: nil} // it may be gone from the configuration
	for key, value := range wanted.GetAnnotations() {
		annotations[key] = value
	}
	return map[string]any{"labels": wanted.GetLabels(), "annotations": annotations}
}
