// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import "testing"

func TestBackingImageAwaitsData(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		states []string
		want   bool
	}{
		"no disk chosen yet":    {nil, false},
		"waits":                 {[]string{"pending"}, true},
		"has begun":             {[]string{"starting"}, false},
		"one of two has begun":  {[]string{"pending", "in-progress"}, false},
		"does not say":          {[]string{""}, false},
		"has failed":            {[]string{"failed"}, false},
		"has all of it already": {[]string{"ready"}, false},
	} {
		image := BackingImage{Status: BackingImageStatus{DiskFileStatusMap: map[string]DiskFileStatus{}}}
		for _, state := range test.states {
			image.Status.DiskFileStatusMap["disk of "+state] = DiskFileStatus{State: state}
		}
		if got := image.AwaitsData(); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
}
