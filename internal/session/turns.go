// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import (
	"context"
	"sync"

	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// Slots are a number of places.
type Slots chan struct{}

// NewSlots returns that many free places.
func NewSlots(places int) Slots { return make(Slots, places) }

// Take waits for a place. Release gives it back; it may be called more than once. The error is
// the context's. A time limit of the operation stands still meanwhile: what others take is not ours.
func (s Slots) Take(ctx context.Context) (release func(), err error) {
	defer wait.Halt(ctx)()
	select {
	case s <- struct{}{}:
		return sync.OnceFunc(func() { <-s }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Turns hands out one turn at a time for each key. Its zero value is ready to use.
type Turns[K ~string] struct {
	mu    sync.Mutex
	taken map[K]Slots // of one place each
}

// Take waits until nobody else in this run has the key's turn. Release passes it on; it may be
// called more than once. The error is the context's.
func (t *Turns[K]) Take(ctx context.Context, key K) (release func(), err error) {
	return t.of(key).Take(ctx)
}

func (t *Turns[K]) of(key K) Slots {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken == nil {
		t.taken = map[K]Slots{}
	}
	if t.taken[key] == nil {
		t.taken[key] = NewSlots(1)
	}
	return t.taken[key]
}
