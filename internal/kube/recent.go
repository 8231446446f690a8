// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/dynamic"
)

// How old the answer of Recent may be.
const (
	recentFor = 30 * time.Second
	// recentTimes is how many times as long as it takes to read a list it may be used, so that a plan that lasts longer because
	// it is about more objects does not read them the more often.
	recentTimes = 60
	recentMost  = 2 * time.Minute
)

// Recent reads one object like Get, but shares its requests: the first look-up in
// a namespace is a GET, those after it are answered from one LIST that is at most
// half a minute old, or up to two minutes if it takes long to read, and never older
// than this client's own last write. Absence is confirmed by a GET. A plan over
// hundreds of objects so costs two requests a kind and namespace. Where listing
// fails or is forbidden it is a GET.
func (r Resource[T]) Recent(ctx context.Context, namespace, name string) (*T, error) {
	object, err := r.Listed(ctx, namespace, name)
	if apierrors.IsNotFound(err) {
		return r.Get(ctx, namespace, name)
	}
	return object, err
}

// Listed is Recent without the confirmation: an object that others made since the
// list was read may be NotFound. It suits what need not exist, such as the instance
// of a machine that is off.
func (r Resource[T]) Listed(ctx context.Context, namespace, name string) (*T, error) {
	scope := scope{r.gvr, namespace}
	list := r.recent.of(scope)
	if list == nil {
		return r.Get(ctx, namespace, name)
	}
	objects, err := list.read(ctx, r.in(namespace))
	if err != nil {
		r.recent.failed(scope, list, apierrors.IsForbidden(err))
		return r.Get(ctx, namespace, name)
	}
	object, found := objects[name]
	if !found {
		return nil, apierrors.NewNotFound(r.gvr.GroupResource(), name)
	}
	return decodeStored[T](object)
}

// scope is what one list covers.
type scope struct {
	resource  schema.GroupVersionResource
	namespace string
}

// recent holds the lists that answer Recent.
type recent struct {
	mu      sync.Mutex
	asked   map[scope]bool // there was a look-up before
	useless map[scope]bool // listing is forbidden
	lists   map[scope]*list
}

func newRecent() *recent {
	return &recent{asked: map[scope]bool{}, useless: map[scope]bool{}, lists: map[scope]*list{}}
}

// of returns the list to look into, begun if need be; nil for the first look-up,
// which may remain the only one, and where listing is forbidden.
func (r *recent) of(s scope) *list {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked[s] || r.useless[s] {
		r.asked[s] = true
		return nil
	}
	if l := r.lists[s]; l != nil && l.usable() {
		return l
	}
	l := &list{begun: time.Now()}
	r.lists[s] = l
	return l
}

// failed drops a list that could not be read.
func (r *recent) failed(s scope, l *list, forbidden bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lists[s] == l {
		delete(r.lists, s)
	}
	r.useless[s] = r.useless[s] || forbidden
}

// forget makes the next look-up list anew, because something was written.
func (r *recent) forget(s scope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.lists, s)
}

// list is one LIST, read by the first who needs it while the others wait.
type list struct {
	begun time.Time
	once  sync.Once
	took  atomic.Int64 // how long it took to read it, in nanoseconds; 0 before that

	objects map[string]stored
	err     error
}

// usable says that it is not too old. One that is being read is as new as can be had.
func (l *list) usable() bool {
	took := time.Duration(l.took.Load())
	return took == 0 || time.Since(l.begun) < min(max(recentFor, recentTimes*took), recentMost)
}

func (l *list) read(ctx context.Context, from dynamic.ResourceInterface) (map[string]stored, error) {
	l.once.Do(func() {
		l.objects = map[string]stored{}
		defer func() { l.took.Store(int64(max(1, time.Since(l.begun)))) }()
		for object, err := range each(ctx, from, metav1.ListOptions{}) {
			if err == nil {
				l.objects[object.GetName()], err = store(object)
			}
			if err != nil {
				l.err = err
				return
			}
		}
	})
	return l.objects, l.err
}

// stored is an object as JSON. A list outlives most uses of it, and in the form that the dynamic client has it would take ten
// times the memory, in small pieces, all of which each collection of garbage has to look at.
type stored []byte

func store(object *unstructured.Unstructured) (stored, error) {
	found, _, _ := unstructured.NestedFieldNoCopy(object.Object, "metadata", "managedFields")
	managers, _ := found.([]any)
	for _, manager := range managers {
		if manager, ok := manager.(map[string]any); ok {
			delete(manager, "fieldsV1") // often half of the object, and nothing here reads it
		}
	}
	encoded, err := object.MarshalJSON()
	return bytes.Clone(encoded), err // without the room that encoding left
}

func decodeStored[T any](s stored) (*T, error) {
	object := &unstructured.Unstructured{}
	if err := json.Unmarshal(s, &object.Object); err != nil {
		return nil, err
	}
	return Decode[T](object)
}
