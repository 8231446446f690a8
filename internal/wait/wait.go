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
}

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
	// OnChange is told each new message.
	OnChange func(message string)
}

// TimeoutError says that the deadline or the stall clock ran out.
type TimeoutError struct {
	Last    string        // what was seen last, in the condition's words
	Waited  time.Duration // in all
	Stalled time.Duration // how long nothing changed; 0 if the total ran out
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
	w := &waiter{target: target, condition: condition, options: options, started: time.Now(), changed: time.Now()}
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
	object           *unstructured.Unstructured
	broken           time.Time // since when reads fail; zero while they work
}

func (w *waiter) run(ctx context.Context, h *Hub, sub *subscription) (*unstructured.Unstructured, error) {
	// The feed may never mention an object that vanished before we listened: look for
	// ourselves when nothing is heard. Later silence mostly means that nothing happens,
	// but a watch can die silently: the feed lists again, once for all waiters, and
	// only if nothing is heard even then do we look for ourselves.
	asked := true // by subscribing
	probe := time.NewTimer(h.pace.firstProbe)
	defer probe.Stop()
	for {
		var stall <-chan time.Time
		if w.options.Stall > 0 {
			stall = time.After(time.Until(w.changed.Add(w.options.Stall)))
		}
		select {
		case <-ctx.Done():
			return w.object, w.ended(ctx)
		case <-stall:
			return w.object, &TimeoutError{Last: w.last, Waited: time.Since(w.started), Stalled: w.options.Stall}
		case <-sub.updates:
			object, known := sub.take()
			if !known {
				continue
			}
			see := w.see
			if w.doubtful(object) {
				see = func(*unstructured.Unstructured) (bool, error) { return w.probe(ctx, h) }
			}
			if done, err := see(object); done || err != nil {
				return w.object, err
			}
			asked = false
			probe.Reset(h.pace.probe)
		case <-probe.C:
			if !asked && !sub.blind() {
				sub.ask()
				asked = true
				probe.Reset(h.pace.answer)
				continue
			}
			done, err := w.probe(ctx, h)
			if done || err != nil {
				return w.object, err
			}
			asked = false
			probe.Reset(h.pace.nextProbe(sub.blind()))
		}
	}
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
	return progress.Done, err
}

// probe reads the object itself. Failures are tolerated for a while.
func (w *waiter) probe(ctx context.Context, h *Hub) (bool, error) {
	object, err := h.get(ctx, w.target)
	if err == nil {
		if w.doubtful(object) {
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
