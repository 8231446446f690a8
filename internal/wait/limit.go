// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package wait

import (
	"context"
	"sync"
	"time"
)

// WithLimit is context.WithTimeout for a limit that can be made to stand still: what others
// take while they have their turn is not counted. See Halt and Restart.
func WithLimit(parent context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	l := &limited{Context: parent, done: make(chan struct{}), limit: limit}
	l.mu.Lock()
	l.left = limit
	l.run()
	l.mu.Unlock()
	stop := context.AfterFunc(parent, func() { l.end(parent.Err()) })
	return l, func() {
		stop()
		l.end(context.Canceled)
	}
}

// Halt makes the limit of the context stand still until it is told to go on. Without a limit it
// does nothing. It may be called several times at once, and goOn more than once.
func Halt(ctx context.Context) (goOn func()) {
	l, ok := ctx.Value(limitKey{}).(*limited)
	if !ok {
		return func() {}
	}
	l.halt()
	return sync.OnceFunc(l.goOn)
}

// Restart gives the context its whole limit again: what comes now is what it was meant for.
func Restart(ctx context.Context) {
	if l, ok := ctx.Value(limitKey{}).(*limited); ok {
		l.restart()
	}
}

// limited is a context with a limit. It is no context.WithTimeout because that one's timer runs on, and no
// context.WithCancelCause because those who ask for Err must learn that the time was up.
type limited struct {
	context.Context //nolint:containedctx // it is one itself

	done  chan struct{}
	limit time.Duration

	mu    sync.Mutex
	err   error
	halts int
	left  time.Duration // when it last began to run
	since time.Time     // when that was
	timer *time.Timer
}

type limitKey struct{}

func (l *limited) Done() <-chan struct{} { return l.done }

func (l *limited) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *limited) Value(key any) any {
	if key == (limitKey{}) {
		return l
	}
	return l.Context.Value(key)
}

// Deadline is when the time will be up if the limit is not made to stand still.
func (l *limited) Deadline() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	outer, ok := l.Context.Deadline()
	if l.halts > 0 {
		return outer, ok
	}
	if own := l.since.Add(l.left); !ok || own.Before(outer) {
		return own, true
	}
	return outer, ok
}

func (l *limited) end(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	l.timer.Stop()
	close(l.done)
}

// run lets the clock run. Like halt, it is called with the lock held.
func (l *limited) run() {
	l.since = time.Now()
	l.timer = time.AfterFunc(l.left, l.expire)
}

// expire ends the context, unless it was halted just as the time was up.
func (l *limited) expire() {
	l.mu.Lock()
	early := l.halts > 0 || time.Since(l.since) < l.left
	l.mu.Unlock()
	if !early {
		l.end(context.DeadlineExceeded)
	}
}

func (l *limited) halt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.halts++; l.halts == 1 {
		l.timer.Stop()
		l.left -= time.Since(l.since)
	}
}

func (l *limited) goOn() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.halts--; l.halts == 0 && l.err == nil {
		l.run()
	}
}

func (l *limited) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left = l.limit; l.halts == 0 && l.err == nil {
		l.timer.Stop()
		l.run()
	}
}
