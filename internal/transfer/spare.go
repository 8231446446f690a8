// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

// buffer is how much is read and hashed at a time, in bytes.
const buffer = 1 << 20

// spare are blocks of one buffer that nobody uses, for whoever needs one next.
var spare = make(chan []byte, blocks)

// borrow returns a block of one buffer. What it holds is of no meaning. Where the system allows it, it does not lie on Go's heap: that
// is collected only when it has grown to a multiple of what is in use.
func borrow() []byte {
	select {
	case block := <-spare:
		return block
	default:
		return newBlock()
	}
}

// giveBack ends the use of a borrowed block, of which it may be given a part that begins it. Nobody may look at it any more.
func giveBack(block []byte) {
	block = block[:buffer]
	select {
	case spare <- block:
	default:
		freeBlock(block)
	}
}
