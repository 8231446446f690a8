// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package wait

import "testing"

// BenchmarkUntil is what a wait costs beside the server's time: one list, one
// watch, one look at an object that is there already.
func BenchmarkUntil(b *testing.B) {
	h := newHarness(object("a", "uid-a", "Active"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Until(b.Context(), target("a"), active, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
