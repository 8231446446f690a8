// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"testing"
	"testing/synctest"
	"time"
)

// A finished creation keeps its mark until Terraform can be expected to have written its state, or ends the provider.
func TestMarksAreKept(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lasting, ended, gone time.Duration
	}{
		"not at all":                {0, time.Hour, 0},
		"for their time":            {StateKept, time.Hour, StateKept},
		"until Terraform is done":   {StateKept, time.Second, time.Second},
		"not after Terraform's end": {StateKept, -time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				k := &keeping{lasting: test.lasting, end: make(chan struct{})}
				if test.ended < 0 {
					k.over()
				} else {
					time.AfterFunc(test.ended, k.over)
				}
				start, gone := time.Now(), make(chan time.Duration, 1)
				k.later(func() { gone <- time.Since(start) })
				if after := <-gone; after != test.gone {
					t.Errorf("the mark goes after %s, want %s", after, test.gone)
				}
				time.Sleep(2 * time.Hour)
			})
		})
	}
}

// Nobody knows whether an interrupted Terraform writes its state.
func TestMarksStayAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := &keeping{lasting: StateKept, end: make(chan struct{})}
		k.later(func() { t.Error("the mark of before the interrupt is gone") })
		time.Sleep(time.Second)
		k.interrupted()
		k.later(func() { t.Error("the mark of after it is gone") })
		time.Sleep(time.Hour)
		k.over()
	})
}
