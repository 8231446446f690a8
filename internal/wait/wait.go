// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package wait waits for objects to reach a state, by watching. All waiters on one
// kind and namespace share one list and one watch, so a hundred images cost
// the API server as much as one. Where watching or listing is forbidden it
// polls. It knows nothing of Terraform.
package wait

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Progress is what a Condition sees of an object.
type Progress struct {
	// Done ends the wait.
	Done bool
	// Message describes what was seen; a timeout error repeats it. A change of
	// the message counts as progress for the stall clock.
	Message string
	// Stall, if set, takes the place of Options.Stall as long as this is what is seen. Unlimited is for
	// phases in which the server reports nothing.
	Stall time.Duration
}

// Unlimited is a stall clock that never ends a wait.
const Unlimited = time.Duration(math.MaxInt64)

// Condition looks at an object; nil means that it does not exist. An error says
// that the state can no longer be reached, and ends the wait at once. It may be
// called any number of times and must be quick.
type Condition func(*unstructured.Unstructured) (Progress, error)

// Target names the object to wait for.
type Target struct {
	Resource  schema.GroupVersionResource
	Namespace string // empty for cluster-scoped kinds
	Name      string
	// UID, if set, is the one object that counts: another of the same name is
	// somebody else's, and shown to the condition as absence.
	UID types.UID
}

// Options tune one wait.
type Options struct {
	// Stall ends the wait when nothing changed for so long; 0 never does. The
	// total limit is the context's deadline.
	Stall time.Duration
	// Setting is the argument that sets the stall clock; a *TimeoutError repeats it.
	Setting string
	// OnChange is told each new message.
	OnChange func(message string)
}

// TimeoutError says that the deadline or the stall clock ran out.
type TimeoutError struct {
	Last    string        // what was seen last, in the condition's words
	Waited  time.Duration // in all
	Stalled time.Duration // how long nothing changed; 0 if the total ran out
	Setting string        // what sets the stall clock, for messages; "" if nothing does, or the total ran out
}

func (e *TimeoutError) Error() string {
	if e.Stalled > 0 {
		return fmt.Sprintf("nothing changed for %s; last seen: %s", e.Stalled.Round(time.Second), e.Last)
	}
	return fmt.Sprintf("not reached within %s; last seen: %s", e.Waited.Round(time.Second), e.Last)
}

// Until waits until the condition is done, and returns the object it was done
// with (nil if done with its absence). It ends with the condition's error, a
// *TimeoutError, the context's error when cancelled, or an API error that
// lasted longer than a restart of a proxy or API server explains. The object
// last seen is returned with the error too.
func (h *Hub) Until(ctx context.Context, target Target, condition Condition, options Options) (*unstructured.Unstructured, error) {
	w := &waiter{target: target, condition: condition, options: options, started: time.Now(), changed: time.Now(), stall: options.Stall}
	sub := h.subscribe(target)
	defer sub.close()
	return w.run(ctx, h, sub)
}

// waiter is one call of Until.
type waiter struct {
	target    Target
	condition Condition
	options   Options

	started, changed time.Time
	last             string
	stall            time.Duration // in force; 0 or Unlimited never ends the wait
	object           *unstructured.Unstructured
	broken           time.Time // since when reads fail; zero while they work

	next   *time.Timer // until silence is long enough for a look of our own
	asked  bool        // the feed was asked to list again
	doubts bool        // what the feed showed is to be looked at
	looked time.Time   // when we last did
	absent bool        // we looked, and the target is not there: its UID does not come back
}

func (w *waiter) run(ctx context.Context, h *Hub, sub *subscription) (*unstructured.Unstructured, error) {
	// The feed may never mention an object that vanished before we listened: look for
	// ourselves when nothing is heard. Later silence mostly means that nothing happens,
	// but a watch can die silently: the feed lists again, once for all waiters, and
	// only if nothing is heard even then do we look for ourselves.
	w.asked = true // by subscribing
	w.next = time.NewTimer(h.pace.firstProbe)
	defer w.next.Stop()
	for {
		var stall <-chan time.Time
		if w.stall > 0 && w.stall != Unlimited {
			stall = time.After(time.Until(w.changed.Add(w.stall)))
		}
		var done bool
		var err error
		select {
		case <-ctx.Done():
			return w.object, w.ended(ctx)
		case <-stall:
			return w.object, &TimeoutError{Last: w.last, Waited: time.Since(w.started), Stalled: w.stall, Setting: w.options.Setting}
		case <-sub.updates:
			if object, known := sub.take(); known {
				done, err = w.hear(h, object)
			}
		case <-w.next.C:
			done, err = w.silence(ctx, h, sub)
		}
		if done || err != nil {
			return w.object, err
		}
	}
}

// hear takes news of the feed. Of what it shows in the place of the target only a look of our own is
// believed, and one look is enough for all the events that come meanwhile: somebody else's object can have
// many. What is known to be gone needs none.
func (w *waiter) hear(h *Hub, object *unstructured.Unstructured) (done bool, err error) {
	switch {
	case !w.doubtful(object):
	case w.absent:
		object = nil
	default:
		w.doubts = true
		w.next.Reset(time.Until(w.looked.Add(h.pace.doubt)))
		return false, nil
	}
	w.asked, w.doubts = false, false
	w.next.Reset(h.pace.probe)
	return w.see(object)
}

// silence is when nothing was heard for a while, or what was heard is in doubt.
func (w *waiter) silence(ctx context.Context, h *Hub, sub *subscription) (done bool, err error) {
	if !w.asked && !w.doubts && !sub.blind() {
		sub.ask()
		w.asked = true
		w.next.Reset(h.pace.answer)
		return false, nil
	}
	w.looked = time.Now()
	done, err = w.probe(ctx, h)
	if w.doubts && !w.broken.IsZero() {
		w.next.Reset(h.pace.doubt)
		return done, err
	}
	w.asked, w.doubts = false, false
	w.next.Reset(h.pace.nextProbe(sub.blind()))
	return done, err
}

// doubtful: the feed may lag behind what the caller knows, so that absence or
// another UID can be news of an earlier object of the same name.
func (w *waiter) doubtful(object *unstructured.Unstructured) bool {
	return w.target.UID != "" && (object == nil || object.GetUID() != w.target.UID)
}

// see evaluates the condition on what a list, watch or get showed.
func (w *waiter) see(object *unstructured.Unstructured) (bool, error) {
	w.object, w.broken = object, time.Time{}
	progress, err := w.condition(object)
	if progress.Message != "" && progress.Message != w.last {
		w.last, w.changed = progress.Message, time.Now()
		if w.options.OnChange != nil {
			w.options.OnChange(progress.Message)
		}
	}
	if w.stall = progress.Stall; w.stall == 0 {
		w.stall = w.options.Stall
	}
	return progress.Done, err
}

// probe reads the object itself. Failures are tolerated for a while.
func (w *waiter) probe(ctx context.Context, h *Hub) (bool, error) {
	object, err := h.get(ctx, w.target)
	if err == nil {
		w.absent = w.doubtful(object)
		if w.absent {
			object = nil
		}
		return w.see(object)
	}
	if ctx.Err() != nil {
		return false, nil //nolint:nilerr // the loop sees the context
	}
	if w.broken.IsZero() {
		w.broken = time.Now()
	}
	if permanent(err) || time.Since(w.broken) > h.pace.tolerance {
		return false, fmt.Errorf("read %s %s/%s: %w", w.target.Resource.Resource, w.target.Namespace, w.target.Name, err)
	}
	return false, nil
}

func (w *waiter) ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &TimeoutError{Last: w.last, Waited: time.Since(w.started)}
	}
	return context.Cause(ctx)
}

// UntilGone waits until the target does not exist any more. The message of
// describe is what a timeout reports.
func (h *Hub) UntilGone(ctx context.Context, target Target, describe func(*unstructured.Unstructured) string) error {
	_, err := h.Until(ctx, target, func(object *unstructured.Unstructured) (Progress, error) {
		if object == nil {
			return Progress{Done: true}, nil
		}
		return Progress{Message: describe(object)}, nil
	}, Options{})
	return err
}
