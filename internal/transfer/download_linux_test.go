// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// Zeros take no space.
func TestReceiveLeavesHoles(t *testing.T) {
	t.Parallel()
	content := make([]byte, 32<<20)
	content[16<<20] = 1
	d := &transfer.Download{Packed: true}
	received, err := fetch(t, d, sends(gzipped(content)))
	if err != nil || received.Commit() != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(d.Target.Path)
	if err != nil {
		t.Fatal(err)
	}
	if used := info.Sys().(*syscall.Stat_t).Blocks * 512; info.Size() != 32<<20 || used > 1<<20 {
		t.Errorf("%d bytes take %d", info.Size(), used)
	}
}

// A disk that is full says so, and keeps nothing.
func TestReceiveOnAFullDisk(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(folder, 0) })
	content := make([]byte, 4<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content)
	for _, keep := range []bool{false, true} {
		d := &transfer.Download{Packed: true, Keep: keep, Target: transfer.Target{Path: filepath.Join(folder, "disk.img"), FileMode: 0o600}}
		_, err := fetch(t, d, sends(gzipped(content)))
		var target *transfer.TargetError
		if !errors.As(err, &target) || !strings.Contains(err.Error(), "the disk is full after") || transfer.Again(err, 1) {
			t.Errorf("got %v", err)
		}
		if names := files(t, d.Target); len(names) > 0 {
			t.Errorf("it leaves %q", names)
		}
	}
}
