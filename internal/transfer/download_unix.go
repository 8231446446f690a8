// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

//go:build linux || darwin || freebsd

package transfer

import (
	"os"
	"syscall"
)

// locks says that files under way are locked, and that open files can be renamed.
const locks = true

// noWait opens what would wait for somebody, such as a named pipe, at once.
const noWait = syscall.O_NONBLOCK

// lock marks a file as under way, until it is closed or its process ends in whatever way.
func lock(file *os.File) {
	_ = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // where there are no locks, nothing is swept
}

// removeAbandoned removes a file unless its download still runs.
func removeAbandoned(path string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		_ = os.Remove(path)
	}
}

// writable says why no file can be made in a folder.
func writable(folder string) error {
	const write, search = 2, 1
	if err := syscall.Access(folder, write|search); err != nil {
		return err
	}
	return nil
}

// freeBytes is what the user may still write into a folder; 0 if the system does not tell.
func freeBytes(folder string) int64 {
	var room syscall.Statfs_t
	if err := syscall.Statfs(folder, &room); err != nil {
		return 0
	}
	return int64(room.Bavail) * int64(room.Bsize) //nolint:unconvert // the types differ between systems
}
