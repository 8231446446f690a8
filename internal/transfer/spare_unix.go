// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

//go:build unix

package transfer

import "golang.org/x/sys/unix"

func newBlock() []byte {
	block, err := unix.Mmap(-1, 0, buffer, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]byte, buffer)
	}
	return block
}

// freeBlock does nothing to a block of Go's heap, which unix.Munmap does not know.
func freeBlock(block []byte) { _ = unix.Munmap(block) }
