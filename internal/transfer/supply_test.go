// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// take takes blocks from a supply until there is none for a second.
func take(t *testing.T, s *supply) (taken []*block) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for {
		next, err := s.next(ctx)
		if err != nil {
			return taken
		}
		taken = append(taken, next)
	}
}

func TestFilesShareMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := make(chan struct{}, 10)
		supplies := make([]*supply, 4)
		for i, want := range []int{blocks, 1 + 3, 1, 1} { // 7 and 3 of those that are shared
			supplies[i] = newSupply(shared)
			taken := take(t, supplies[i])
			if len(taken) != want {
				t.Errorf("file %d has %d blocks, want %d", i, len(taken), want)
			}
			for _, used := range taken {
				supplies[i].free <- used
			}
		}
		supplies[0].close()
		if len(shared) != 3 {
			t.Errorf("%d blocks are taken after the first file has ended, want 3", len(shared))
		}
		// A file that came too late for more gets it then. What is free is used before.
		first, err := supplies[3].next(t.Context())
		if err != nil || supplies[3].held != 1 {
			t.Errorf("a file with a free block has %d (%v)", supplies[3].held, err)
		}
		rest := take(t, supplies[3])
		if len(rest) != 7 {
			t.Errorf("a file has %d more blocks after another has ended, want 7", len(rest))
		}
		for _, used := range append(rest, first) {
			supplies[3].free <- used
		}
		for _, s := range supplies[1:] {
			s.close()
		}
		if len(shared) != 0 {
			t.Errorf("%d blocks are taken after all files have ended", len(shared))
		}
	})
}

// A transfer that was cancelled does not read on, even if there is a free block.
func TestNoBlockAfterTheEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancelCause(t.Context())
	s := newSupply(make(chan struct{}, 1))
	first, err := s.next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s.free <- first
	cause := errors.New("the disk is full")
	stop(cause)
	if _, err := s.next(ctx); !errors.Is(err, cause) {
		t.Fatalf("error %v, want %v", err, cause)
	}
	s.close()
}
