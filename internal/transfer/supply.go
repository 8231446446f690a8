// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import "context"

// How many blocks are under way, each of one buffer. They are all the memory that files take, however large.
const (
	// blocks is the most for one file.
	blocks = 8
	// fewest is what each file may have, however many there are.
	fewest = 1
)

// shared are the blocks beyond the fewest that all files together may have. One core or two hash no faster for having more, and
// thirty uploads at once do with 46 MiB.
var shared = make(chan struct{}, 2*blocks)

// supply is the blocks of one file. It is for one goroutine, all but its free ones.
type supply struct {
	// free are those that nobody uses at the moment.
	free chan *block
	held int
	// shared has a place taken for each block that is held beyond the fewest.
	shared chan struct{}
}

func newSupply(shared chan struct{}) *supply {
	return &supply{free: make(chan *block, blocks), shared: shared}
}

// next returns a block to fill: a free one, else one more as long as that is allowed, else it waits until one is free. The
// error is the cause of the context's end.
func (s *supply) next(ctx context.Context) (*block, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case free := <-s.free:
		return free, nil
	default:
	}
	if s.more() {
		s.held++
		return &block{data: borrow()}, nil
	}
	select {
	case free := <-s.free:
		return free, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// more says whether there may be one more block, and takes the place for it.
func (s *supply) more() bool {
	switch {
	case s.held < fewest:
		return true
	case s.held == blocks:
		return false
	}
	select {
	case s.shared <- struct{}{}:
		return true
	default:
		return false
	}
}

// close gives all blocks back, when each has been freed or is about to be.
func (s *supply) close() {
	for ; s.held > 0; s.held-- {
		giveBack((<-s.free).data)
		if s.held > fewest {
			<-s.shared
		}
	}
}
