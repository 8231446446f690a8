// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

//go:build !unix

package transfer

func newBlock() []byte { return make([]byte, buffer) }

func freeBlock([]byte) {}
