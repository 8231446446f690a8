// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import (
	"context"
	"sync"
)

// Fate is what a walk does with an object.
type Fate int

// The fates of an object.
const (
	Untold Fate = iota // no plan has said
	Stays              // with what others may want of it
	Leaves             // it is deleted, or another is made in its place
	Comes              // it is made
)

// Fates knows what becomes of the objects of one kind in this walk. Terraform plans and applies objects that do not refer to one
// another in any order, so one that takes what another has asks what becomes of that. Its zero value is ready to use.
type Fates[K ~string] struct {
	mu   sync.Mutex
	told map[K]Fate
	read map[K]bool
	news chan struct{} // closed when a fate is told
}

// Read notes that the walk has refreshed an object: it is in the state. Only a plan refreshes.
func (f *Fates[K]) Read(key K) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read == nil {
		f.read = map[K]bool{}
	}
	f.read[key] = true
}

// WasRead says whether the walk has refreshed an object.
func (f *Fates[K]) WasRead(key K) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read[key]
}

// Foreign says that the walk has refreshed what is in the state, and the object was not among it. Where nothing was
// refreshed, as in an apply, nobody knows.
func (f *Fates[K]) Foreign(key K) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.read) > 0 && !f.read[key]
}

// Tell says what becomes of an object. What is told last counts.
func (f *Fates[K]) Tell(key K, fate Fate) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told == nil {
		f.told = map[K]Fate{}
	}
	f.told[key] = fate
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

// Of is what becomes of an object. It waits until that is told or the context ends.
func (f *Fates[K]) Of(ctx context.Context, key K) Fate {
	for {
		fate, news := f.look(key)
		if fate != Untold {
			return fate
		}
		select {
		case <-news:
		case <-ctx.Done():
			return Untold
		}
	}
}

func (f *Fates[K]) look(key K) (Fate, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.news == nil {
		f.news = make(chan struct{})
	}
	return f.told[key], f.news
}
