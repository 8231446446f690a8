// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package functions holds the functions that configurations can call as provider::harvester::name. They read
// nothing of the cluster.
package functions

import "github.com/hashicorp/terraform-plugin-framework/function"

// All lists the functions.
func All() []func() function.Function {
	return []func() function.Function{
		func() function.Function { return parseID{} },
		func() function.Function { return imageInfo{} },
	}
}
