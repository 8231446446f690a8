// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

//go:build !linux

package transfer

import "os"

// Other systems take no such advice through the standard interfaces.

func adviseSequential(*os.File) {}

func adviseDone(*os.File, int64, int64) {}

func adviseWriting(*os.File, int64, int64) {}
