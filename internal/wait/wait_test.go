// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package wait

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

var images = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "virtualmachineimages"}

func object(name, uid, state string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "harvesterhci.io/v1beta1", "kind": "VirtualMachineImage",
		"metadata": map[string]any{"namespace": "default", "name": name, "uid": uid, "resourceVersion": "1"},
		"status":   map[string]any{"state": state},
	}}
}

// harness is a hub over a fake API, with short durations.
type harness struct {
	*Hub

	client *dynamicfake.FakeDynamicClient
	counts map[string]*atomic.Int64
}

func newHarness(objects ...runtime.Object) *harness {
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{images: "VirtualMachineImageList"}, objects...)
	h := &harness{Hub: NewHub(client), client: client, counts: map[string]*atomic.Int64{}}
	h.pace = pace{
		firstProbe: 50 * time.Millisecond, probe: 100 * time.Millisecond, doubt: 20 * time.Millisecond, answer: 20 * time.Millisecond,
		poll: 10 * time.Millisecond, retry: 5 * time.Millisecond, tolerance: time.Second,
	}
	for _, verb := range []string{"list", "watch", "get"} {
		h.counts[verb] = &atomic.Int64{}
	}
	client.PrependReactor("*", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if counter := h.counts[action.GetVerb()]; counter != nil {
			counter.Add(1)
		}
		return false, nil, nil
	})
	client.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) {
		h.counts["watch"].Add(1)
		return false, nil, nil
	})
	return h
}

func (h *harness) set(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	if _, err := h.client.Resource(images).Namespace("default").Update(t.Context(), o, metav1.UpdateOptions{}); err != nil {
		t.Error(err)
	}
}

func (h *harness) fail(verb string, err error) {
	h.client.PrependReactor(verb, "*", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, err })
}

func (h *harness) failWatch(err error) {
	h.client.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) { return true, nil, err })
}

func target(name string) Target {
	return Target{Resource: images, Namespace: "default", Name: name, UID: types.UID("uid-" + name)}
}

// active waits for state Active, and gives up at Failed.
func active(o *unstructured.Unstructured) (Progress, error) {
	if o == nil {
		return Progress{}, errors.New("gone")
	}
	state, _, _ := unstructured.NestedString(o.Object, "status", "state")
	if state == "Failed" {
		return Progress{Message: state}, errors.New("it failed")
	}
	return Progress{Done: state == "Active", Message: state}, nil
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

var forbidden = apierrors.NewForbidden(images.GroupResource(), "", errors.New("no"))

func TestUntil(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		arrange func(h *harness)
		act     func(t *testing.T, h *harness)
		wants   string // part of the error; empty for success
	}{
		"already there": {
			act: func(*testing.T, *harness) {}, arrange: func(h *harness) { _ = h.client.Tracker().Update(images, object("a", "uid-a", "Active"), "default") },
		},
		"changes later": {act: func(t *testing.T, h *harness) { t.Helper(); h.set(t, object("a", "uid-a", "Active")) }},
		"fails at once": {act: func(t *testing.T, h *harness) { t.Helper(); h.set(t, object("a", "uid-a", "Failed")) }, wants: "it failed"},
		"deleted": {
			act: func(t *testing.T, h *harness) {
				t.Helper()
				_ = h.client.Resource(images).Namespace("default").Delete(t.Context(), "a", metav1.DeleteOptions{})
			},
			wants: "gone",
		},
		"replaced by another of that name": {act: func(t *testing.T, h *harness) { t.Helper(); h.set(t, object("a", "other", "Active")) }, wants: "gone"},
		"watch forbidden": {
			arrange: func(h *harness) { h.failWatch(forbidden) },
			act:     func(t *testing.T, h *harness) { t.Helper(); h.set(t, object("a", "uid-a", "Active")) },
		},
		"list forbidden": {
			arrange: func(h *harness) { h.fail("list", forbidden) },
			act:     func(t *testing.T, h *harness) { t.Helper(); h.set(t, object("a", "uid-a", "Active")) },
		},
		"everything forbidden": {
			arrange: func(h *harness) { h.fail("list", forbidden); h.fail("get", forbidden) },
			act:     func(*testing.T, *harness) {},
			wants:   "forbidden",
		},
		"expired token, for good": {
			arrange: func(h *harness) {
				h.fail("list", apierrors.NewUnauthorized("no"))
				h.fail("get", apierrors.NewUnauthorized("Unauthorized"))
			},
			act:   func(*testing.T, *harness) {},
			wants: "Unauthorized",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(object("a", "uid-a", "Uploading"))
			if test.arrange != nil {
				test.arrange(h)
			}
			go func() {
				time.Sleep(30 * time.Millisecond)
				test.act(t, h)
			}()
			_, err := h.Until(within(t, 5*time.Second), target("a"), active, Options{})
			check(t, err, test.wants)
		})
	}
}

func check(t *testing.T, err error, wants string) {
	t.Helper()
	switch {
	case wants == "" && err != nil:
		t.Errorf("got %v, want success", err)
	case wants != "" && (err == nil || !strings.Contains(err.Error(), wants)):
		t.Errorf("got %v, want an error with %q", err, wants)
	}
}

func TestUntilSurvivesASpellOfErrors(t *testing.T) {
	t.Parallel()
	h := newHarness(object("a", "uid-a", "Uploading"))
	var healthy atomic.Bool
	spell := func(clienttesting.Action) (bool, runtime.Object, error) {
		if healthy.Load() {
			return false, nil, nil
		}
		return true, nil, apierrors.NewGenericServerResponse(http.StatusBadGateway, "get", images.GroupResource(), "a", "", 0, true)
	}
	h.client.PrependReactor("list", "*", spell)
	h.client.PrependReactor("get", "*", spell)
	time.AfterFunc(300*time.Millisecond, func() {
		healthy.Store(true)
		h.set(t, object("a", "uid-a", "Active"))
	})
	_, err := h.Until(within(t, 5*time.Second), target("a"), active, Options{})
	check(t, err, "")
}

func TestUntilSurvivesDroppedWatches(t *testing.T) {
	t.Parallel()
	h := newHarness(object("a", "uid-a", "Uploading"))
	var dropped atomic.Int64
	h.client.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) {
		n := dropped.Add(1)
		if n > 6 {
			return false, nil, nil
		}
		w := watch.NewFake()
		go func() {
			if n%2 == 0 { // every other one ends like 410 Gone
				w.Error(&metav1.Status{Code: http.StatusGone, Reason: metav1.StatusReasonExpired})
			}
			w.Stop()
		}()
		return true, w, nil
	})
	time.AfterFunc(200*time.Millisecond, func() { h.set(t, object("a", "uid-a", "Active")) })
	_, err := h.Until(within(t, 5*time.Second), target("a"), active, Options{})
	check(t, err, "")
	if dropped.Load() < 6 {
		t.Errorf("only %d watches were dropped, the test proves nothing", dropped.Load())
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	h := newHarness(object("a", "uid-a", "Uploading"))
	for name, test := range map[string]struct {
		limit   time.Duration
		options Options
		phase   time.Duration // the stall clock that the condition asks for
		stalled bool
	}{
		"total":            {limit: 100 * time.Millisecond},
		"stall":            {limit: 5 * time.Second, options: Options{Stall: 100 * time.Millisecond}, stalled: true},
		"stall of a phase": {limit: 5 * time.Second, options: Options{Stall: time.Hour}, phase: 100 * time.Millisecond, stalled: true},
		"none of a phase":  {limit: 300 * time.Millisecond, options: Options{Stall: 100 * time.Millisecond}, phase: Unlimited},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			condition := func(o *unstructured.Unstructured) (Progress, error) {
				progress, err := active(o)
				progress.Stall = test.phase
				return progress, err
			}
			test.options.Setting = "stall_timeout"
			seen, err := h.Until(within(t, test.limit), target("a"), condition, test.options)
			var timeout *TimeoutError
			if !errors.As(err, &timeout) {
				t.Fatalf("got %v, want a TimeoutError", err)
			}
			if stalled := timeout.Setting == "stall_timeout"; stalled != test.stalled {
				t.Errorf("it blames the setting %q", timeout.Setting)
			}
			if timeout.Last != "Uploading" || (timeout.Stalled > 0) != test.stalled {
				t.Errorf("got %+v", timeout)
			}
			if seen == nil {
				t.Error("the object last seen is missing")
			}
		})
	}
}

func TestCancelEndsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(object("a", "uid-a", "Uploading"))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	started := time.Now()
	_, err := h.Until(ctx, target("a"), active, Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

// A hundred waiters share one list and one watch, and leave nothing behind.
func TestWaitersShareOneWatch(t *testing.T) {
	t.Parallel()
	const n = 100
	objects := make([]runtime.Object, n)
	for i := range objects {
		objects[i] = object(fmt.Sprintf("i%d", i), fmt.Sprintf("uid-i%d", i), "Uploading")
	}
	h := newHarness(objects...)
	h.pace.firstProbe, h.pace.probe = 10*time.Second, 10*time.Second
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			name := fmt.Sprintf("i%d", i)
			_, err := h.Until(within(t, 10*time.Second), target(name), active, Options{})
			check(t, err, "")
		})
	}
	time.Sleep(100 * time.Millisecond)
	for i := range n {
		h.set(t, object(fmt.Sprintf("i%d", i), fmt.Sprintf("uid-i%d", i), "Active"))
	}
	wg.Wait()
	if lists, gets := h.counts["list"].Load(), h.counts["get"].Load(); lists > 2 || gets > 0 {
		t.Errorf("%d lists and %d gets for %d waiters", lists, gets, n)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.feeds) != 0 {
		t.Errorf("%d feeds are left without a waiter", len(h.feeds))
	}
}

// A watch that died without a word is noticed for all waiters by one list.
func TestSilentWatchIsReplacedForAll(t *testing.T) {
	t.Parallel()
	const n = 20
	objects := make([]runtime.Object, n)
	for i := range objects {
		objects[i] = object(fmt.Sprintf("i%d", i), fmt.Sprintf("uid-i%d", i), "Uploading")
	}
	h := newHarness(objects...)
	h.pace.firstProbe, h.pace.probe, h.pace.answer = 10*time.Second, time.Second, 900*time.Millisecond
	h.client.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) { return true, watch.NewFake(), nil })
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			_, err := h.Until(within(t, 5*time.Second), target(fmt.Sprintf("i%d", i)), active, Options{})
			check(t, err, "")
		})
	}
	time.Sleep(50 * time.Millisecond)
	for i := range n {
		h.set(t, object(fmt.Sprintf("i%d", i), fmt.Sprintf("uid-i%d", i), "Active"))
	}
	wg.Wait()
	if lists, gets := h.counts["list"].Load(), h.counts["get"].Load(); lists > 3 || gets > 0 {
		t.Errorf("%d lists and %d gets for %d waiters", lists, gets, n)
	}
}

// Somebody else's object in the place of ours can change as often as it likes.
func TestForeignEventsCostNoRequests(t *testing.T) {
	t.Parallel()
	const events = 200
	// wait waits, for the time given, for our object while another of its name changes all the time.
	wait := func(t *testing.T, h *harness, seen func(*unstructured.Unstructured)) {
		t.Helper()
		ctx := within(t, 500*time.Millisecond)
		go func() {
			for i := range events {
				h.set(t, object("a", "other", fmt.Sprint(i)))
				time.Sleep(time.Millisecond)
			}
		}()
		_, err := h.Until(ctx, target("a"), func(o *unstructured.Unstructured) (Progress, error) {
			seen(o)
			return Progress{Message: "it is not there"}, nil
		}, Options{})
		check(t, err, "not reached within")
	}
	t.Run("ours is gone", func(t *testing.T) {
		t.Parallel()
		h := newHarness(object("a", "other", "Active"))
		h.pace.firstProbe, h.pace.probe, h.pace.doubt = time.Hour, time.Hour, 0
		wait(t, h, func(o *unstructured.Unstructured) {
			if o != nil {
				t.Errorf("somebody else's object was shown: %v", o)
			}
		})
		if gets := h.counts["get"].Load(); gets != 1 {
			t.Errorf("%d gets for %d events, want 1", gets, events)
		}
	})
	t.Run("the feed lags behind", func(t *testing.T) {
		t.Parallel()
		h := newHarness(object("a", "other", "Active"))
		h.pace.firstProbe, h.pace.probe, h.pace.doubt = time.Hour, time.Hour, 100*time.Millisecond
		h.client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
			h.counts["get"].Add(1)
			return true, object("a", "uid-a", "Uploading"), nil
		})
		wait(t, h, func(o *unstructured.Unstructured) {
			if o == nil || o.GetUID() != "uid-a" {
				t.Errorf("the condition saw %v", o)
			}
		})
		if gets := h.counts["get"].Load(); gets < 1 || gets > 6 {
			t.Errorf("%d gets for %d events in half a second, want one each 100 ms", gets, events)
		}
	})
}

// A look that fails on its way is taken again: the doubt is still there.
func TestDoubtOutlivesAFailedLook(t *testing.T) {
	t.Parallel()
	h := newHarness(object("a", "other", "Active"))
	h.pace.firstProbe, h.pace.probe = time.Hour, time.Hour
	var looks atomic.Int64
	h.client.PrependReactor("get", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		if looks.Add(1) < 3 {
			return true, nil, errors.New("connection reset by peer")
		}
		return false, nil, nil
	})
	_, err := h.Until(within(t, 5*time.Second), target("a"), active, Options{})
	check(t, err, "gone")
}

func TestUntilGone(t *testing.T) {
	t.Parallel()
	h := newHarness(object("a", "uid-a", "Terminating"))
	describe := func(*unstructured.Unstructured) string { return "held by a finalizer" }
	err := h.UntilGone(within(t, 100*time.Millisecond), target("a"), describe)
	check(t, err, "held by a finalizer")
	time.AfterFunc(50*time.Millisecond, func() {
		_ = h.client.Resource(images).Namespace("default").Delete(context.Background(), "a", metav1.DeleteOptions{})
	})
	check(t, h.UntilGone(within(t, 5*time.Second), target("a"), describe), "")
	check(t, h.UntilGone(within(t, 5*time.Second), target("never-was"), describe), "")
}

// Absence is news too: whoever waits for the end of something that is gone
// already does not wait for a probe.
func TestGoneBeforeIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	h := newHarness()
	h.pace.firstProbe, h.pace.probe = time.Hour, time.Hour
	check(t, h.UntilGone(within(t, 2*time.Second), target("a"), func(*unstructured.Unstructured) string { return "there" }), "")
}

func TestOnChangeHearsEachMessageOnce(t *testing.T) {
	t.Parallel()
	h := newHarness(object("a", "uid-a", "Uploading"))
	var heard []string
	time.AfterFunc(100*time.Millisecond, func() { h.set(t, object("a", "uid-a", "Active")) })
	_, err := h.Until(within(t, 5*time.Second), target("a"), active, Options{OnChange: func(m string) { heard = append(heard, m) }})
	check(t, err, "")
	if got := strings.Join(heard, ","); got != "Uploading,Active" {
		t.Errorf("heard %s", got)
	}
}

// What the rules of the HTTP client end will not get better by waiting.
func TestPermanent(t *testing.T) {
	t.Parallel()
	for want, errs := range map[bool][]error{
		true:  {&transport.RedirectError{}, fmt.Errorf("wrapped: %w", &transport.TooLargeError{}), apierrors.NewBadRequest("x")},
		false: {errors.New("connection reset by peer"), apierrors.NewUnauthorized("x")},
	} {
		for _, err := range errs {
			if permanent(err) != want {
				t.Errorf("%v: not %v", err, want)
			}
		}
	}
}
