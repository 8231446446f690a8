// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"os"
	"runtime/debug"
)

// collectAt is how much the heap grows between two collections of garbage, in percent of what is in use. A plan makes much garbage
// in a short life: with Go's own 100, 500 virtual machines take it a quarter longer.
const collectAt = 200

// CollectGarbage sets when the process collects garbage, unless GOGC says it.
func CollectGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
}
