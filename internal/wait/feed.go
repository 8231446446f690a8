// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package wait

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

// pace holds the durations of the package; tests shorten them.
type pace struct {
	firstProbe time.Duration // silence before a waiter looks for itself the first time
	probe      time.Duration // silence before the feed is asked to list again
	doubt      time.Duration // between two looks at what the feed shows another object for
	answer     time.Duration // silence after that before a waiter looks for itself
	poll       time.Duration // between reads where watching is impossible
	retry      time.Duration // before a broken list or watch is tried again
	tolerance  time.Duration // how long failing reads are put down to a restart
}

func defaultPace() pace {
	return pace{
		firstProbe: time.Second, probe: 30 * time.Second, doubt: time.Second, answer: 2 * time.Second,
		poll: 2 * time.Second, retry: time.Second, tolerance: 2 * time.Minute,
	}
}

func (p pace) nextProbe(blind bool) time.Duration {
	if blind {
		return p.poll
	}
	return p.probe
}

// Hub shares lists and watches between the waiters of one cluster. It is safe
// for concurrent use and holds no resources while nobody waits.
type Hub struct {
	client dynamic.Interface
	pace   pace

	mu    sync.Mutex
	feeds map[feedKey]*feed
}

type feedKey struct {
	resource  schema.GroupVersionResource
	namespace string
}

// NewHub returns a hub over the client.
func NewHub(client dynamic.Interface) *Hub {
	return &Hub{client: client, pace: defaultPace(), feeds: map[feedKey]*feed{}}
}

func (h *Hub) in(resource schema.GroupVersionResource, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return h.client.Resource(resource)
	}
	return h.client.Resource(resource).Namespace(namespace)
}

// get reads one object; a missing one is nil without an error.
func (h *Hub) get(ctx context.Context, target Target) (*unstructured.Unstructured, error) {
	object, err := h.in(target.Resource, target.Namespace).Get(ctx, target.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return object, err
}

// permanent errors will not go away by waiting. A 401 can: a proxy that
// restarts may forget its sessions for a moment.
func permanent(err error) bool {
	return transport.Final(err) || apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsBadRequest(err)
}

// subscription is one waiter's place at a feed: the newest state of one object.
type subscription struct {
	feed *feed
	name string

	updates chan struct{} // holds one token while there is something to take

	mu     sync.Mutex
	object *unstructured.Unstructured
	known  bool
}

func (s *subscription) put(object *unstructured.Unstructured) {
	s.mu.Lock()
	s.object, s.known = object, true
	s.mu.Unlock()
	select {
	case s.updates <- struct{}{}:
	default: // the token is there; the waiter will take the newest state
	}
}

func (s *subscription) take() (object *unstructured.Unstructured, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.object, s.known
}

// blind says that the feed cannot list or watch, so that waiters must poll.
func (s *subscription) blind() bool {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.feed.blind
}

// ask makes the feed list again, once for all who ask at about the same time.
func (s *subscription) ask() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if time.Since(s.feed.listed) < s.feed.hub.pace.answer {
		return
	}
	select {
	case s.feed.asked <- struct{}{}:
	default:
	}
}

func (s *subscription) close() { s.feed.hub.unsubscribe(s) }

// subscribe joins the feed of the target's kind and namespace, starting it if
// this is its first waiter.
func (h *Hub) subscribe(target Target) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := feedKey{target.Resource, target.Namespace}
	f := h.feeds[key]
	if f == nil {
		f = h.newFeed(key)
		defer f.start() // when it has this waiter, whom its first list concerns
	}
	s := &subscription{feed: f, name: target.Name, updates: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribers[s] = true
	// What the feed knows of an object is worth having at once. That it knows
	// nothing is not: the object may be newer than its last news.
	if object := f.objects[target.Name]; object != nil {
		s.put(object)
	}
	return s
}

func (h *Hub) unsubscribe(s *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.subscribers, s)
	if len(f.subscribers) == 0 && h.feeds[f.key] == f {
		delete(h.feeds, f.key)
		f.stop()
	}
}

// feed follows all objects of one kind and namespace.
type feed struct {
	hub  *Hub
	key  feedKey
	stop context.CancelFunc

	asked chan struct{} // holds one token while somebody wants a new list

	mu          sync.Mutex
	subscribers map[*subscription]bool
	objects     map[string]*unstructured.Unstructured
	blind       bool
	listed      time.Time // when the last list came
}

func (h *Hub) newFeed(key feedKey) *feed {
	f := &feed{
		hub: h, key: key, asked: make(chan struct{}, 1),
		subscribers: map[*subscription]bool{}, objects: map[string]*unstructured.Unstructured{},
	}
	h.feeds[key] = f
	return f
}

func (f *feed) start() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	go f.run(ctx)
}

// run lists and watches until the last waiter has gone. Each turn begins with a
// list, so nothing is missed between two watches.
func (f *feed) run(ctx context.Context) {
	for ctx.Err() == nil {
		if asked := f.follow(ctx); !asked {
			sleep(ctx, f.hub.pace.retry)
		}
	}
}

// follow lists, then watches for as long as the server lets it, or until
// somebody asks for a new list.
func (f *feed) follow(ctx context.Context) (asked bool) {
	client := f.hub.in(f.key.resource, f.key.namespace)
	waiting := f.waiting()
	list, err := client.List(ctx, metav1.ListOptions{})
	f.setBlind(err != nil)
	if err != nil {
		return false
	}
	f.replace(list, waiting)
	for version := list.GetResourceVersion(); ctx.Err() == nil; {
		events, err := client.Watch(ctx, metav1.ListOptions{ResourceVersion: version, AllowWatchBookmarks: true})
		if err != nil {
			// Lists work, so listing again after a pause is the way to poll. A watch
			// that is only refused for a moment ends up here too.
			sleep(ctx, f.hub.pace.poll-f.hub.pace.retry)
			return false
		}
		opened, before := time.Now(), version
		version, asked = f.consume(ctx, events, version)
		if version == "" {
			return asked
		}
		if version == before && time.Since(opened) < f.hub.pace.retry {
			// It was closed before it told anything: something on the way does not let watches through.
			sleep(ctx, f.hub.pace.poll-f.hub.pace.retry)
			return false
		}
		sleep(ctx, f.hub.pace.retry/10)
	}
	return false
}

// consume applies events until the watch ends. It returns the version to watch
// on from, or "" if only a new list helps or one was asked for.
func (f *feed) consume(ctx context.Context, events watch.Interface, version string) (next string, asked bool) {
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return "", false
		case <-f.asked:
			return "", true
		case event, open := <-events.ResultChan():
			if !open {
				return version, false
			}
			object, ok := event.Object.(*unstructured.Unstructured)
			if event.Type == watch.Error || !ok {
				return "", false // mostly 410 Gone: the version is too old
			}
			version = object.GetResourceVersion()
			f.apply(event.Type, object)
		}
	}
}

func (f *feed) apply(kind watch.EventType, object *unstructured.Unstructured) {
	switch kind {
	case watch.Added, watch.Modified:
		f.publish(object.GetName(), object)
	case watch.Deleted:
		f.publish(object.GetName(), nil)
	case watch.Bookmark, watch.Error:
	}
}

// publish records the newest state of an object (nil: gone) and tells its waiters.
func (f *feed) publish(name string, object *unstructured.Unstructured) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.record(name, object)
}

func (f *feed) record(name string, object *unstructured.Unstructured) {
	if object == nil {
		delete(f.objects, name)
	} else {
		f.objects[name] = object
	}
	for s := range f.subscribers {
		if s.name == name {
			s.put(object)
		}
	}
}

// waiting returns those who wait now. A list that begins later shows them
// absence for certain, also of objects that the feed never knew.
func (f *feed) waiting() []*subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Keys(f.subscribers))
}

// replace applies a full list: what it lacks is gone.
func (f *feed) replace(list *unstructured.UnstructuredList, waiting []*subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	listed := make(map[string]bool, len(list.Items))
	for i := range list.Items {
		listed[list.Items[i].GetName()] = true
		f.record(list.Items[i].GetName(), &list.Items[i])
	}
	for name := range f.objects {
		if !listed[name] {
			f.record(name, nil)
		}
	}
	for _, s := range waiting {
		if !listed[s.name] {
			s.put(nil)
		}
	}
	f.listed = time.Now()
	select {
	case <-f.asked: // here it is
	default:
	}
}

func (f *feed) setBlind(blind bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blind = blind
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
