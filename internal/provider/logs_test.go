// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"maps"
	"testing"
)

func TestLogLevels(t *testing.T) {
	t.Parallel()
	both := func(level string) map[string]string {
		return map[string]string{"TF_LOG_SDK": level, "TF_LOG_PROVIDER_HARVESTER": level}
	}
	for name, test := range map[string]struct {
		environment map[string]string
		want        map[string]string
	}{
		"nobody listens":              {nil, both("OFF")},
		"to Terraform itself only":    {map[string]string{"TF_LOG_CORE": "TRACE"}, both("OFF")},
		"to everything":               {map[string]string{"TF_LOG": "debug"}, both("DEBUG")},
		"to providers":                {map[string]string{"TF_LOG_PROVIDER": "INFO"}, both("INFO")},
		"to providers more than that": {map[string]string{"TF_LOG": "ERROR", "TF_LOG_PROVIDER": "TRACE"}, both("TRACE")},
		"to all but providers":        {map[string]string{"TF_LOG": "TRACE", "TF_LOG_PROVIDER": "off"}, both("OFF")},
		"as JSON":                     {map[string]string{"TF_LOG": "JSON"}, nil},
		"at no level there is":        {map[string]string{"TF_LOG": "1"}, nil},
		"with a level of its own for this provider": {
			map[string]string{"TF_LOG": "TRACE", "TF_LOG_PROVIDER_HARVESTER": "INFO"}, map[string]string{"TF_LOG_SDK": "TRACE"},
		},
		"with a level of their own for the libraries": {
			map[string]string{"TF_LOG_SDK": "WARN"}, map[string]string{"TF_LOG_PROVIDER_HARVESTER": "OFF"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := logLevels(func(name string) string { return test.environment[name] })
			if !maps.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
