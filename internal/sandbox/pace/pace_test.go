// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package pace

import (
	"context"
	"testing"
	"time"
)

func TestParseReadsWhatStringWrites(t *testing.T) {
	for _, want := range []Pace{Fast, Real} {
		got, err := Parse(want.String())
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v", want.String(), got, err)
		}
	}
	if _, err := Parse("slow"); err == nil {
		t.Error("Parse accepted an unknown pace")
	}
}

func TestFastIsFasterThanReal(t *testing.T) {
	for name, of := range map[string]func(Pace) time.Duration{
		"PodStart": Pace.PodStart, "Poll": Pace.Poll, "Prepare": Pace.Prepare, "Provision": Pace.Provision,
		"Schedule": Pace.Schedule, "Boot": Pace.Boot, "Lease": Pace.Lease, "Shutdown": Pace.Shutdown,
	} {
		if of(Fast) >= of(Real) {
			t.Errorf("%s: fast %v, real %v", name, of(Fast), of(Real))
		}
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	if !Wait(ctx, time.Millisecond) {
		t.Error("Wait did not reach its end")
	}
	cancel()
	if Wait(ctx, time.Hour) {
		t.Error("Wait ignored the end of its context")
	}
}
