// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"sync"
)

// turns hands out one turn at a time for each key.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // one token each
}

// CloneTurn waits until no other clone of the source image (namespace/name) is being made in
// this run: Harvester fails when several encrypt or decrypt one image at the same time (its issue
// 7248). Release passes the turn on; it may be called more than once. The error is the context's.
func (s *Session) CloneTurn(ctx context.Context, source string) (release func(), err error) {
	turn := s.clones.of(source)
	select {
	case turn <- struct{}{}:
		return sync.OnceFunc(func() { <-turn }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (t *turns) of(key string) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.taken == nil {
		t.taken = map[string]chan struct{}{}
	}
	if t.taken[key] == nil {
		t.taken[key] = make(chan struct{}, 1)
	}
	return t.taken[key]
}
