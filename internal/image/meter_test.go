// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	m := newMeter(100<<20, time.Minute)
	start := m.started
	for _, step := range []struct {
		after   time.Duration
		sent    int64
		line    string
		stalled bool
	}{
		{time.Second, 1 << 20, "", false}, // 1 %: not worth a line
		{5 * time.Second, 5 << 20, "5 %, 5.0 MiB of 100.0 MiB, 1.0 MiB/s, 1m35s left", false},    // a step of 5 %
		{6 * time.Second, 6 << 20, "", false},                                                    //
		{36 * time.Second, 6 << 20, "6 %, 6.0 MiB of 100.0 MiB, 170.7 KiB/s, 9m24s left", false}, // half a minute
		{65 * time.Second, 6 << 20, "", false},                                                   // 59 s without a byte
		{66 * time.Second, 6 << 20, "6 %, 6.0 MiB of 100.0 MiB, 93.1 KiB/s, 17m14s left", true},  // a minute without a byte
		{67 * time.Second, 7 << 20, "", false},                                                   // it moves again
		{100 * time.Second, 100 << 20, "100 %, 100.0 MiB of 100.0 MiB, 1.0 MiB/s", false},        // done
	} {
		line, stalled := m.read(step.sent, start.Add(step.after))
		if line != step.line || stalled != step.stalled {
			t.Errorf("after %s: got %q, %v; want %q, %v", step.after, line, stalled, step.line, step.stalled)
		}
	}
}

func TestMeterWithoutStallLimit(t *testing.T) {
	t.Parallel()
	m := newMeter(100, 0)
	if _, stalled := m.read(0, m.started.Add(time.Hour)); stalled {
		t.Error("it stalled without a limit")
	}
}

// Nothing to send is no reason to fail.
func TestMeterOfNothing(t *testing.T) {
	t.Parallel()
	m := newMeter(0, time.Minute)
	if _, stalled := m.read(0, m.started); stalled || m.percent() != "100 %" {
		t.Errorf("got %s, stalled %v", m.percent(), stalled)
	}
}
