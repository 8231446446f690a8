// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package wait

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// What a limit comes to, by a clock that the test owns.
func TestWithLimit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(ctx context.Context)
		want time.Duration // until the time is up
	}{
		"runs out":  {func(context.Context) {}, 10 * time.Second},
		"is halted": {halted(7 * time.Second), 17 * time.Second},
		"is halted twice": {func(ctx context.Context) {
			halted(7 * time.Second)(ctx)
			time.Sleep(time.Second)
			halted(2 * time.Second)(ctx)
		}, 19 * time.Second},
		"is halted by two at once": {func(ctx context.Context) {
			time.Sleep(time.Second)
			goOn := Halt(ctx)
			time.Sleep(time.Second)
			halted(3 * time.Second)(ctx)
			time.Sleep(time.Second)
			goOn()
			goOn() // once more does no harm
		}, 15 * time.Second},
		"is halted for longer than itself": {halted(time.Hour), time.Hour + 10*time.Second},
		"is restarted": {func(ctx context.Context) {
			time.Sleep(4 * time.Second)
			Restart(ctx)
		}, 14 * time.Second},
		"is restarted while it is halted": {func(ctx context.Context) {
			time.Sleep(4 * time.Second)
			goOn := Halt(ctx)
			time.Sleep(time.Second)
			Restart(ctx)
			goOn()
		}, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, cancel := WithLimit(t.Context(), 10*time.Second)
				defer cancel()
				child, stop := context.WithCancel(ctx)
				defer stop()
				test.do(child)
				deadline, _ := child.Deadline()
				<-child.Done()
				if took := time.Since(began); took != test.want || deadline.Sub(began) != test.want {
					t.Errorf("it ended after %s, and said %s; want %s", took, deadline.Sub(began), test.want)
				}
				for _, err := range []error{ctx.Err(), child.Err(), context.Cause(child)} {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("it ended with %v", err)
					}
				}
			})
		})
	}
}

func halted(d time.Duration) func(context.Context) {
	return func(ctx context.Context) {
		defer Halt(ctx)()
		time.Sleep(d)
	}
}

// Who interrupts a run is obeyed at once, also while the limit stands still.
func TestHaltedLimitObeysItsParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		parent, interrupt := context.WithCancel(t.Context())
		ctx, cancel := WithLimit(parent, time.Second)
		defer cancel()
		goOn := Halt(ctx)
		time.AfterFunc(time.Minute, interrupt)
		began := time.Now()
		<-ctx.Done()
		if took := time.Since(began); took != time.Minute || !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("after %s: %v", took, ctx.Err())
		}
		goOn()
		time.Sleep(time.Minute)
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("later: %v", ctx.Err())
		}
	})
}

// A limit of the caller's holds all the same, and a context without a limit has none to halt.
func TestLimitsOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		outer, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		Halt(outer)()
		Restart(outer)
		ctx, cancel := WithLimit(outer, time.Minute)
		defer cancel()
		defer Halt(ctx)()
		began := time.Now()
		<-ctx.Done()
		if took := time.Since(began); took != time.Second || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("after %s: %v", took, ctx.Err())
		}
	})
}
