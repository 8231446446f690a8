// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package netstate

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// MTU accepts what the server does (pkg/webhook/vlanconfig/validator.go in its source).
func MTU() validator.Int64 { return mtu{} }

type mtu struct{}

func (mtu) Description(context.Context) string {
	return fmt.Sprintf("must be %d to %d, or 0 for the default", api.MinMTU, api.MaxMTU)
}

func (m mtu) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

func (m mtu) ValidateInt64(ctx context.Context, req validator.Int64Request, resp *validator.Int64Response) {
	value := req.ConfigValue.ValueInt64() // 0 if it is null or unknown
	if value != 0 && (value < api.MinMTU || value > api.MaxMTU) {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid MTU", fmt.Sprintf("%d is not usable here: an MTU %s.", value, m.Description(ctx)))
	}
}

// EffectiveMTU is the MTU in force: 0 means the default.
func EffectiveMTU(mtu int64) int64 {
	if mtu == 0 {
		return api.DefaultMTU
	}
	return mtu
}
