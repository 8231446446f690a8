// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	m := NewMeter(100<<20, time.Minute)
	start := m.started
	for _, step := range []struct {
		after       time.Duration
		moved, done int64
		line        string
		stalled     bool
	}{
		{time.Second, 1 << 10, 1 << 20, "", false}, // 1 %: not worth a line
		{5 * time.Second, 5 << 10, 5 << 20, "5 %, 5.0 MiB of 100.0 MiB, 1.0 MiB/s, 1m35s left", false},
		{6 * time.Second, 6 << 10, 6 << 20, "", false},
		{36 * time.Second, 6 << 10, 6 << 20, "6 %, 6.0 MiB of 100.0 MiB, 170.7 KiB/s, 9m24s left", false},
		{65 * time.Second, 6 << 10, 6 << 20, "", false},
		{66 * time.Second, 6 << 10, 6 << 20, "6 %, 6.0 MiB of 100.0 MiB, 93.1 KiB/s, 17m14s left", true},
		{67 * time.Second, 7 << 10, 6 << 20, "", false}, // it moves again
		{100 * time.Second, 9 << 10, 100 << 20, "100 %, 100.0 MiB of 100.0 MiB, 1.0 MiB/s", false},
	} {
		line, stalled := m.Read(step.moved, step.done, start.Add(step.after))
		if line != step.line || stalled != step.stalled {
			t.Errorf("after %s: got %q, %v; want %q, %v", step.after, line, stalled, step.line, step.stalled)
		}
	}
}

func TestMeterWithoutSizeOrLimit(t *testing.T) {
	t.Parallel()
	m := NewMeter(0, 0)
	line, stalled := m.Read(10<<20, 0, m.started.Add(40*time.Second))
	if line != "10.0 MiB, 256.0 KiB/s" || stalled {
		t.Errorf("got %q, %v", line, stalled)
	}
}
