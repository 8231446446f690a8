// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// delayed listens and passes every connection on to the address, each byte after
// half the round trip. It ends TCP on both sides, so it shows what waiting
// for answers costs, not what TCP makes of distance.
func delayed(ctx context.Context, address string, roundTrip time.Duration) (net.Listener, error) {
	listener, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(ctx, near, address, roundTrip/2)
		}
	}()
	return listener, nil
}

func listen(ctx context.Context) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}

func relay(ctx context.Context, near net.Conn, address string, delay time.Duration) {
	defer func() { _ = near.Close() }()
	far, err := dial(ctx, address)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	done := make(chan struct{}, 2)
	pass := func(to, from net.Conn) {
		carry(to, from, delay)
		done <- struct{}{}
	}
	go pass(far, near)
	go pass(near, far)
	<-done // one side has hung up
}

// chunk is some bytes and when they are due.
type chunk struct {
	buffer *[chunkSize]byte
	size   int
	due    time.Time
}

// inFlight bounds the chunks under way in one direction: 32 MiB, more than any
// link here holds.
const inFlight, chunkSize = 128, 256 << 10

var buffers = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// carry copies with a delay until either side ends.
func carry(to io.Writer, from io.Reader, delay time.Duration) {
	flight := make(chan chunk, inFlight)
	go receive(flight, from, delay)
	var err error
	for next := range flight {
		if wait := time.Until(next.due); wait > 0 {
			<-time.After(wait)
		}
		if err == nil { // else let the reader end
			_, err = to.Write(next.buffer[:next.size])
		}
		buffers.Put(next.buffer)
	}
}

func receive(flight chan<- chunk, from io.Reader, delay time.Duration) {
	defer close(flight)
	for {
		buffer, _ := buffers.Get().(*[chunkSize]byte)
		n, err := from.Read(buffer[:])
		if err != nil {
			return
		}
		flight <- chunk{buffer, n, time.Now().Add(delay)}
	}
}
