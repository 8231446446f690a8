// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"net/http"
	"strings"
	"testing"
)

// A webhook that cannot be called is asked again, whatever the kind. What one denies is final, even with a 500.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		for label, test := range map[string]struct {
			says      string
			deletions int
			failed    string
		}{
			"out of reach": {`failed calling webhook \"validator.harvesterhci.io\": connection refused`, 2, ""},
			"denies":       {`admission webhook \"validator.harvesterhci.io\" denied the request: not today`, 1, "Rejected by the cluster"},
		} {
			t.Run(name+" "+label, func(t *testing.T) {
				t.Parallel()
				c := newCourse(t, name, kind.path, kind.object)
				c.importID(kind.id)
				c.cluster.refuse(test.says)
				c.destroy()
				if got := strings.Count(c.cluster.deletions(), http.MethodDelete+" "); got != test.deletions || c.failed != test.failed {
					t.Errorf("%d deletions, want %d; it ends with %q, want %q", got, test.deletions, c.failed, test.failed)
				}
			})
		}
	}
}
