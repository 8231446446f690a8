// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

func TestCloneTurnsOfOneSourceDoNotOverlap(t *testing.T) {
	t.Parallel()
	shared := &session.Session{}
	var now, most atomic.Int32
	var done sync.WaitGroup
	for range 50 {
		done.Go(func() {
			release, err := shared.Clones.Take(t.Context(), "default/ubuntu")
			if err != nil {
				t.Error(err)
				return
			}
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			now.Add(-1)
			release()
			release() // the second does not give away somebody else's turn
		})
	}
	done.Wait()
	if most.Load() != 1 {
		t.Errorf("%d clones had a turn at the same time", most.Load())
	}
}

func TestCloneTurnWaitsForItsSourceOnly(t *testing.T) {
	t.Parallel()
	shared := &session.Session{}
	release, err := shared.Clones.Take(t.Context(), "default/ubuntu")
	if err != nil {
		t.Fatal(err)
	}
	other, err := shared.Clones.Take(t.Context(), "default/debian")
	if err != nil {
		t.Fatal(err)
	}
	other()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := shared.Clones.Take(cancelled, "default/ubuntu"); !errors.Is(err, context.Canceled) {
		t.Errorf("the second turn was given, or failed otherwise: %v", err)
	}
	release()
	again, err := shared.Clones.Take(t.Context(), "default/ubuntu")
	if err != nil {
		t.Fatal(err)
	}
	again()
}
