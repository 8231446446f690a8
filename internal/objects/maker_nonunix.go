// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

//go:build !unix

package objects

// present is asked only where the machine is known, which it is not here.
func present(int) bool { return true }
