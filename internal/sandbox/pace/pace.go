// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package pace says how fast the simulated hardware works.
package pace

import (
	"context"
	"fmt"
	"time"
)

// Pace is a choice between a simulator that tests can wait for and one that takes as long as a cluster does.
type Pace int

// The paces there are.
const (
	Fast Pace = iota
	Real
)

// Limits of Longhorn that a client can run into. They are the same at every pace, because a test of them is about them.
const (
	// BeginLimit is how long a data source waits for its first byte.
	BeginLimit = 60 * time.Second
	// IdleLimit is how long a data source waits between two bytes.
	IdleLimit = 30 * time.Second
	// RetryBackoff is how long Longhorn waits before it retries a failed import by itself, the first time and at most.
	RetryBackoff    = time.Minute
	MaxRetryBackoff = 5 * time.Minute
)

// Parse reads the name of a pace, "fast" or "real".
func Parse(name string) (Pace, error) {
	for _, p := range []Pace{Fast, Real} {
		if name == p.String() {
			return p, nil
		}
	}
	return Fast, fmt.Errorf("unknown pace %q: want %q or %q", name, Fast, Real)
}

// String returns the name that Parse reads.
func (p Pace) String() string {
	if p == Real {
		return "real"
	}
	return "fast"
}

// PodStart is how long the pod of a data source takes to start.
func (p Pace) PodStart() time.Duration { return p.choose(100*time.Millisecond, 2*time.Second) }

// Poll is how often Longhorn looks at a data source.
func (p Pace) Poll() time.Duration { return p.choose(150*time.Millisecond, 3*time.Second) }

// Prepare is how long a data source needs from the start of a request to its first byte.
func (p Pace) Prepare() time.Duration { return p.choose(0, time.Second) }

// Convert is how long CDI takes to convert or copy a disk, besides the time it takes to read and write it.
func (p Pace) Convert() time.Duration { return p.choose(200*time.Millisecond, 5*time.Second) }

// Restart is how long a container that failed waits for its next start.
func (p Pace) Restart() time.Duration { return p.choose(500*time.Millisecond, 10*time.Second) }

// Provision is how long a new or grown volume takes.
func (p Pace) Provision() time.Duration { return p.choose(100*time.Millisecond, 2*time.Second) }

// Schedule is how long a virtual machine instance waits for its node.
func (p Pace) Schedule() time.Duration { return p.choose(100*time.Millisecond, 2*time.Second) }

// Boot is how long a scheduled virtual machine instance takes until it runs.
func (p Pace) Boot() time.Duration { return p.choose(200*time.Millisecond, 4*time.Second) }

// Lease is how long a running guest takes until its address and its agent are seen.
func (p Pace) Lease() time.Duration { return p.choose(300*time.Millisecond, 15*time.Second) }

// Shutdown is how long a guest takes to shut down when asked to.
func (p Pace) Shutdown() time.Duration { return p.choose(200*time.Millisecond, 5*time.Second) }

func (p Pace) choose(fast, lifelike time.Duration) time.Duration {
	if p == Real {
		return lifelike
	}
	return fast
}

// Wait sleeps for d and reports whether it did so to the end: false means that ctx ended first.
func Wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
