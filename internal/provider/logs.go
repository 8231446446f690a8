// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"cmp"
	"os"
	"slices"
	"strings"
)

// Environment variables with which Terraform and the plugin libraries set log levels.
const (
	envLog          = "TF_LOG"
	envLogProviders = "TF_LOG_PROVIDER"
	envLogOurs      = "TF_LOG_PROVIDER_HARVESTER"
	envLogLibraries = "TF_LOG_SDK"
)

// LogLevels sets the levels to log at for a process that Terraform runs. What the environment says of them stays.
func LogLevels() {
	for name, level := range logLevels(os.Getenv) {
		_ = os.Setenv(name, level) // fails for malformed names only
	}
}

// logLevels are the levels to log at, by environment variable, so that nothing is logged that Terraform drops. By themselves the
// libraries log all they can, whether anybody listens or not, and Terraform reads each line first.
func logLevels(getenv func(string) string) map[string]string {
	level := strings.ToUpper(cmp.Or(getenv(envLogProviders), getenv(envLog), "OFF"))
	if !slices.Contains([]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"}, level) {
		return nil // Terraform takes JSON, and what it does not know, for TRACE
	}
	levels := map[string]string{}
	for _, name := range []string{envLogLibraries, envLogOurs} {
		if getenv(name) == "" {
			levels[name] = level
		}
	}
	return levels
}
