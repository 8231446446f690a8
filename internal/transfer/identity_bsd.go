// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

//go:build darwin || freebsd

package transfer

import (
	"io/fs"
	"syscall"
	"time"
)

// identity is what tells a file from another of the same name, size and time: its
// inode, and when that changed last, which nobody can set.
func identity(info fs.FileInfo) (inode uint64, changed time.Time) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ino, time.Unix(stat.Ctimespec.Unix())
	}
	return 0, time.Time{}
}
