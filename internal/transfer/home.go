// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

import (
	"os"
	"path/filepath"
	"strings"
)

// Home returns the path with the home directory in the place of a ~ that it begins with. Terraform itself
// leaves that to its function pathexpand. Without a home directory the path stays as it is.
func Home(path string) string {
	rest, found := strings.CutPrefix(path, "~")
	if !found || rest != "" && !os.IsPathSeparator(rest[0]) { // ~user is a name like any other
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}
