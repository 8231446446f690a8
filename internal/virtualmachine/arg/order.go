// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package arg

import (
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// BootOrder is a place in the boot order as KubeVirt has it: nil for none.
func BootOrder(order int64) *uint {
	if order <= 0 {
		return nil
	}
	place := uint(order)
	return &place
}

// KeepOrder keeps null and 0 apart as the prior value does: both mean no order.
func KeepOrder(prior types.Int64, order *uint) types.Int64 {
	switch {
	case order != nil && *order > 0:
		return types.Int64Value(int64(*order))
	case Known(prior):
		return types.Int64Value(0)
	}
	return types.Int64Null()
}
