// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import (
	"context"
	"testing"
	"time"
)

func TestFates(t *testing.T) {
	t.Parallel()
	var fates Fates[ImageID]
	if fates.Foreign("default/a") {
		t.Error("foreign although nothing was refreshed")
	}
	fates.Read("default/a")
	if !fates.WasRead("default/a") || fates.Foreign("default/a") || !fates.Foreign("default/b") {
		t.Error("what was refreshed is in the state, and nothing else")
	}
	fates.Tell("default/a", Stays)
	fates.Tell("default/a", Leaves) // as the second half of a replacement
	if got := fates.Of(t.Context(), "default/a"); got != Leaves {
		t.Errorf("got %v", got)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got := fates.Of(short, "default/b"); got != Untold {
		t.Errorf("got %v", got)
	}
}

func TestFatesWaitForThePlan(t *testing.T) {
	t.Parallel()
	var fates Fates[ImageID]
	got := make(chan Fate)
	go func() { got <- fates.Of(t.Context(), "default/a") }()
	fates.Tell("default/b", Stays)
	fates.Tell("default/a", Leaves)
	if fate := <-got; fate != Leaves {
		t.Errorf("got %v", fate)
	}
}
