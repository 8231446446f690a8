// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"os"

	"golang.org/x/sys/unix"
)

// adviseSequential lets the system read further ahead.
func adviseSequential(file *os.File) { advise(file, 0, 0, unix.FADV_SEQUENTIAL) }

// adviseDone lets the system forget a part of the file.
func adviseDone(file *os.File, offset, length int64) {
	advise(file, offset, length, unix.FADV_DONTNEED)
}

// adviseWriting lets the system begin to write a part of the file to its disk, which it would else leave for later.
func adviseWriting(file *os.File, offset, length int64) {
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SyncFileRange(int(fd), offset, length, unix.SYNC_FILE_RANGE_WRITE) })
	}
}

// advise tells the system; it is free to ignore it.
func advise(file *os.File, offset, length int64, advice int) {
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), offset, length, advice) })
	}
}
