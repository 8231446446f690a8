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

// advise tells the system; it is free to ignore it.
func advise(file *os.File, offset, length int64, advice int) {
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Fadvise(int(fd), offset, length, advice) })
	}
}
