// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

func TestBootstrap(t *testing.T) {
	t.Parallel()
	for _, value := range []types.Bool{types.BoolNull(), types.BoolUnknown(), types.BoolValue(false)} {
		if diags := (model{Bootstrap: value}).checkBootstrap(); diags.HasError() {
			t.Errorf("%s: %v", value, diags)
		}
	}
	diags := model{Bootstrap: types.BoolValue(true)}.checkBootstrap()
	if !diags.HasError() || !strings.Contains(diags[0].Detail(), "remove bootstrap") {
		t.Errorf("true: %v", diags)
	}
}
