// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

//go:build !linux && !darwin && !freebsd

package transfer

import "os"

// locks says that files under way are locked, and that open files can be renamed.
const locks = false

// noWait has no meaning.
const noWait = 0

func lock(*os.File) {}

// removeAbandoned removes a file. Windows refuses that while it is open.
func removeAbandoned(path string) { _ = os.Remove(path) }

// writable leaves it to the writing.
func writable(string) error { return nil }

// freeBytes does not tell.
func freeBytes(string) int64 { return 0 }
