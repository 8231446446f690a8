// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package arg

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// EmptyOr lets "" pass, which configurations for the official provider use for
// "not set", and leaves all else to the rule.
func EmptyOr(rule validator.String) validator.String { return optional{rule} }

type optional struct{ validator.String }

func (o optional) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.ValueString() != "" {
		o.String.ValidateString(ctx, req, resp)
	}
}

// Reference accepts namespace/name and name.
func Reference() validator.String {
	return tfbase.Rule("Invalid reference", "must be namespace/name or name", func(value string) []string {
		if _, _, err := tfbase.ParseReference(value, tfbase.DefaultNamespace); err != nil {
			return []string{err.Error()}
		}
		return nil
	})
}

// DeviceName accepts names of disks and network interfaces.
func DeviceName() validator.String {
	return tfbase.Rule("Invalid name", "must be lower case letters, digits and -", validation.IsDNS1123Label)
}
