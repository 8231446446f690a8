// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// A limit of ten minutes is one of one's own work, however long the queue.
func TestWaitingForAPlaceIsNotCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slots := session.NewSlots(1)
		first, err := slots.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Hour, first)
		ctx, cancel := wait.WithLimit(t.Context(), 10*time.Minute)
		defer cancel()
		time.Sleep(time.Minute)
		if _, err := slots.Take(ctx); err != nil {
			t.Fatalf("it gave up in the queue: %v", err)
		}
		began := time.Now()
		<-ctx.Done()
		if left := time.Since(began); left != 9*time.Minute {
			t.Errorf("%s are left for the work, want 9m", left)
		}
	})
}
