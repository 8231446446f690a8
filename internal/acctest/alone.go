// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package acctest

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Alone waits until no other test, of this package or another, uses what the cluster has only one of, and keeps them away from
// it until the end of this one.
func (c *Cluster) Alone(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(filepath.Join(c.Dir, "alone-"+name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // which gives the lock back, as the end of the process does
	Eventually(t, name+" is free", func(context.Context) bool {
		return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
	})
}
