// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"sync"
	"time"
)

// StateKept is how long an object keeps the mark of its creation after it was handed to Terraform. Until Terraform has
// written its state, a kill loses what was made; to a remote backend it writes every 20 seconds only
// (TF_STATE_PERSIST_INTERVAL).
const StateKept = 30 * time.Second

// marks are those of the creations that this process has finished.
var marks = keeping{end: make(chan struct{})}

// KeepMarks lets finished creations keep their marks for a while. The returned function takes all that are left off, and
// is to be called when Terraform ends the provider. Without it marks go as soon as the object is handed to Terraform.
func KeepMarks(lasting time.Duration) (end func()) {
	marks.lasting = lasting
	return marks.over
}

// Interrupted says that Terraform was told to end. Asked once it writes its state first, asked twice it does not, and the
// provider cannot tell. So the marks stay on: of an object in the state the next Read takes it off, and what is in no
// state is taken over by the next apply.
func Interrupted() { marks.interrupted() }

// keeping are creations that are finished and keep their marks until their time is over, or the process ends.
type keeping struct {
	lasting time.Duration

	sync.Mutex
	ended     bool
	stay      bool
	end       chan struct{}
	finishing sync.WaitGroup
}

// later takes a mark off by finish, at once if marks are not kept, or not any more.
func (k *keeping) later(finish func()) {
	if !k.keeps(finish) {
		finish()
	}
}

func (k *keeping) keeps(finish func()) bool {
	k.Lock()
	defer k.Unlock()
	if k.lasting == 0 || k.ended {
		return false
	}
	k.finishing.Go(func() {
		select {
		case <-time.After(k.lasting):
		case <-k.end:
		}
		if !k.stays() {
			finish()
		}
	})
	return true
}

func (k *keeping) interrupted() {
	k.Lock()
	defer k.Unlock()
	k.stay = true
}

func (k *keeping) stays() bool {
	k.Lock()
	defer k.Unlock()
	return k.stay
}

// over takes all marks off that are to go, and returns when they are.
func (k *keeping) over() {
	k.Lock()
	k.ended = true
	close(k.end)
	k.Unlock()
	k.finishing.Wait()
}
