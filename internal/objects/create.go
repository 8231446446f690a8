// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package objects makes, changes and removes objects of the cluster the way every kind needs it: a
// run can be killed, an answer lost and a name taken at any moment, and the next apply goes on from
// there. It also knows whose an object is: the name finds it, the UID says whether it is ours, and
// a mark that its creation is under way.
package objects

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Creation makes one object. The object carries a mark until the creation is finished, which is
// when it is in a Terraform state. What has the name already is taken over only if it carries the
// mark of a creation with the same intent whose maker is gone; a finished object never is.
//
// Creating fills in the usual steps; a kind replaces those that differ. Each may be repeated, and
// return a DescribedError.
type Creation[T metav1.Object] struct {
	// Title names the object in messages, such as `SSH key "default/laptop"`.
	Title string
	// Left says, in a sentence, what state things are in when nothing was made.
	Left string
	// Foreign describes what others made under the name.
	Foreign Foreign
	// Intent is the fingerprint of what cannot be changed later; see Fingerprint.
	Intent string
	// Wanted are the objects that Send sends: the mark is put on them.
	Wanted []metav1.Object
	// Temporary says that the object is never in a state: it carries the mark for as long as it exists, and
	// finish only ends the signs of life.
	Temporary bool

	// Send asks for the object, again while that fails for a reason that passes, as kube.Resource does.
	Send func(ctx context.Context) (T, error)
	// Find reads what has the name.
	Find func(ctx context.Context) (T, error)
	// TakeOver gives an object of the same intent, which is claimed by now, what can have changed in
	// the configuration since. NotFound means that it is gone, and is made anew.
	TakeOver func(ctx context.Context, existing T) (T, error)
	// AwaitGone waits for the end of what has the name and is being deleted.
	AwaitGone func(ctx context.Context, existing T) error
	// Annotate changes metadata of the object by a merge patch.
	Annotate func(ctx context.Context, existing T, metadata map[string]any) (T, error)
}

// Leaving is what a creation says of an object that it waits for to be gone.
const Leaving = "one of that name is being deleted"

// Object is a *T that is an object of Kubernetes.
type Object[T any] interface {
	*T
	metav1.Object
}

// Creating is the creation of the wanted object.
func Creating[T any, P Object[T]](hub *wait.Hub, kind kube.Resource[T], title string, wanted P) Creation[P] {
	namespace, name := wanted.GetNamespace(), wanted.GetName()
	return Creation[P]{
		Title:  title,
		Left:   "Nothing was created.",
		Wanted: []metav1.Object{wanted},
		Send: func(ctx context.Context) (P, error) {
			return kind.Create(ctx, namespace, wanted)
		},
		Find: func(ctx context.Context) (P, error) {
			return kind.Get(ctx, namespace, name)
		},
		TakeOver: func(ctx context.Context, existing P) (P, error) {
			return kind.Patch(ctx, namespace, name, map[string]any{"metadata": Metadata(wanted, existing.GetUID())})
		},
		AwaitGone: func(ctx context.Context, existing P) error { return AwaitGone(ctx, hub, kind, existing, Leaving) },
		Annotate: func(ctx context.Context, _ P, metadata map[string]any) (P, error) {
			return kind.Patch(ctx, namespace, name, map[string]any{"metadata": metadata})
		},
	}
}

// Run makes the object and returns it as the server has it. Finish ends the creation: it is called
// when the object is in the state, is never nil, and may be called more than once.
func (c Creation[T]) Run(ctx context.Context) (made T, finish func(), diags diag.Diagnostics) {
	run := &underway[T]{Creation: c, mark: mark{Creation: string(uuid.NewUUID()), Intent: c.Intent, Maker: self()}}
	for again := true; again && !diags.HasError(); {
		made, again, diags = run.attempt(ctx)
	}
	if diags.HasError() {
		return made, func() {}, diags
	}
	return made, run.keepAlive(ctx, made), diags
}

// underway is a creation that has begun.
type underway[T metav1.Object] struct {
	Creation[T]
	mark mark
	// claimed: the mark may be on an object that an earlier apply made.
	claimed bool
	// watched is the mark of another maker, as it was when the wait for its next sign of life began.
	watched string
}

func (u *underway[T]) attempt(ctx context.Context) (made T, again bool, diags diag.Diagnostics) {
	u.mark.Alive = time.Now().UTC()
	for _, object := range u.Wanted {
		u.mark.onto(object)
	}
	// If a request took effect and only its answer was lost, the next one found our own object.
	made, err := u.Send(ctx)
	switch {
	case apierrors.IsAlreadyExists(err):
		return u.existing(ctx)
	case err != nil:
		diags = u.failed("create", u.leftBy(err), err)
	}
	return made, false, diags
}

// existing deals with what has the name already: an object on its way out is waited for, one
// that was begun and abandoned is taken over, any other is a mistake.
func (u *underway[T]) existing(ctx context.Context) (made T, again bool, diags diag.Diagnostics) {
	existing, err := kube.Retry(ctx, u.Find)
	switch {
	case apierrors.IsNotFound(err):
		return made, true, nil
	case err != nil:
		return made, false, u.failed("create", u.Left, err)
	case existing.GetDeletionTimestamp() != nil:
		if err := u.AwaitGone(ctx, existing); err != nil {
			return made, false, u.failed("create", u.Left, err)
		}
		return made, true, nil
	}
	theirs, unfinished := marked(existing)
	switch {
	case !unfinished:
		return made, false, diag.Diagnostics{u.Foreign.exists(existing)}
	case theirs.Creation == u.mark.Creation && u.claimed:
		return u.takeOver(ctx, existing)
	case theirs.Creation == u.mark.Creation:
		return existing, false, nil // only the answer was lost
	}
	return u.abandoned(ctx, existing, theirs)
}

// abandoned claims what another creation has begun, if its maker is gone.
func (u *underway[T]) abandoned(ctx context.Context, existing T, theirs mark) (made T, again bool, diags diag.Diagnostics) {
	life := theirs.life(time.Now(), self(), running)
	switch {
	case life == lives:
		return made, false, diag.Diagnostics{u.Foreign.underWay(theirs)}
	case theirs.Intent != u.mark.Intent:
		return made, false, diag.Diagnostics{u.Foreign.begunOtherwise()}
	case life == silent && u.watched != theirs.text():
		u.watched = theirs.text()
		tflog.Info(ctx, "Watching for a sign of life of whoever began to create it", map[string]any{"object": u.Title})
		wait.Pause(ctx, 2*renewal)
		return made, ctx.Err() == nil, u.interrupted(ctx)
	}
	return u.claim(ctx, existing)
}

func (u *underway[T]) interrupted(ctx context.Context) diag.Diagnostics {
	if ctx.Err() == nil {
		return nil
	}
	return u.failed("create", u.Left, ctx.Err())
}

// claim puts our mark in the place of another. Of several who try that one succeeds, because the
// object must be as it was seen.
func (u *underway[T]) claim(ctx context.Context, existing T) (made T, again bool, diags diag.Diagnostics) {
	tflog.Info(ctx, "Taking over what an earlier apply of the same configuration began", map[string]any{"object": u.Title})
	u.claimed = true
	claimed, err := u.Annotate(ctx, existing, map[string]any{
		"uid": existing.GetUID(), "resourceVersion": existing.GetResourceVersion(),
		"annotations": map[string]any{api.AnnotationCreation: u.mark.text()},
	})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsConflict(err) && !kube.Denied(err):
		return made, true, nil
	case err != nil:
		return made, false, u.failed("take over", leftBegun, err)
	}
	return u.takeOver(ctx, claimed)
}

const leftBegun = "It was left as an earlier apply made it."

func (u *underway[T]) takeOver(ctx context.Context, existing T) (made T, again bool, diags diag.Diagnostics) {
	made, err := u.TakeOver(ctx, existing)
	switch {
	case apierrors.IsNotFound(err):
		u.claimed = false
		return made, true, nil
	case err != nil:
		return made, false, u.failed("take over", leftBegun, err)
	}
	return made, false, nil
}

// finishing is how long it may take to take a mark off.
const finishing = 10 * time.Second

// keepAlive renews the mark until the creation is finished and Terraform can be expected to have written its state, and
// takes it off then.
func (u *underway[T]) keepAlive(ctx context.Context, made T) (finish func()) {
	ctx = context.WithoutCancel(ctx)
	renewing, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for wait.Pause(renewing, renewal); renewing.Err() == nil; wait.Pause(renewing, renewal) {
			u.mark.Alive = time.Now().UTC()
			_ = u.annotate(renewing, made, u.mark.text()) // if it fails, there is the next time
		}
	}()
	rest := func() {
		stop()
		<-ended
	}
	if u.Temporary {
		return sync.OnceFunc(rest)
	}
	return sync.OnceFunc(func() {
		marks.later(func() {
			rest()
			u.takeOff(ctx, made)
		})
	})
}

// takeOff ends a creation whose object is in a state. Without Terraform nobody is left to have put it there.
func (u *underway[T]) takeOff(ctx context.Context, made T) {
	if orphaned() {
		return
	}
	// A conflict says that another object has the name by now.
	if err := u.annotate(ctx, made, nil); err != nil && !apierrors.IsNotFound(err) && (!apierrors.IsConflict(err) || kube.Denied(err)) {
		tflog.Warn(ctx, "The mark of a creation under way stays on the object until it is next read", map[string]any{"object": u.Title, "error": diagnose.Said(err)})
	}
}

// annotate sets the mark; nil takes it off.
func (u *underway[T]) annotate(ctx context.Context, made T, mark any) error {
	ctx, cancel := context.WithTimeout(ctx, finishing)
	defer cancel()
	_, err := u.Annotate(ctx, made, map[string]any{"uid": made.GetUID(), "annotations": map[string]any{api.AnnotationCreation: mark}})
	return err
}

func (u *underway[T]) failed(doing, left string, err error) diag.Diagnostics {
	return Failed(doing, u.Title, left, err)
}

// leftBy says what state a failed request leaves things in.
func (u *underway[T]) leftBy(err error) string {
	if unheard(err) {
		return "Whether it was created is not known: if so, the next apply goes on with it."
	}
	return u.Left
}

// Settle takes the mark off an object whose creation is finished, where the creation itself could
// not. It is for objects that a state holds, and need not succeed.
func Settle[T metav1.Object](ctx context.Context, object T, annotate func(context.Context, T, map[string]any) (T, error)) {
	if !Unfinished(object) {
		return
	}
	if _, err := annotate(ctx, object, settled(object)); err != nil {
		tflog.Warn(ctx, "The mark of a creation under way could not be taken off", map[string]any{"object": object.GetName(), "error": diagnose.Said(err)})
	}
}

func settled(object metav1.Object) map[string]any {
	return map[string]any{"uid": object.GetUID(), "annotations": map[string]any{api.AnnotationCreation: nil}}
}

// Metadata is the merge patch that gives an object of the same intent the labels and annotations
// of the wanted one, if it has the UID still. Those of others stay.
func Metadata(wanted metav1.Object, uid types.UID) map[string]any {
	annotations := map[string]any{api.AnnotationDescription: nil} // it may be gone from the configuration
	for key, value := range wanted.GetAnnotations() {
		annotations[key] = value
	}
	return map[string]any{"uid": uid, "labels": wanted.GetLabels(), "annotations": annotations}
}
