// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package transfer

// CheckQCOW2 is what Preflight does with a qcow2 image.
var CheckQCOW2 = checkQCOW2
