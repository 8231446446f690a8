// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
)

// In bootstrap mode there is no cluster to connect to, and how to reach it is said all the same.
func TestBootstrap(t *testing.T) {
	t.Parallel()
	mode, diags := model{Bootstrap: types.BoolValue(true), Insecure: types.BoolValue(true), ProxyURL: types.StringValue("http://127.0.0.1:1")}.bootstrap()
	if diags.HasError() || !mode.Insecure || mode.ProxyURL != "http://127.0.0.1:1" {
		t.Errorf("got %+v, %v", mode, diags)
	}
	for name, m := range map[string]model{
		"kubeconfig": {Kubeconfig: types.StringValue("a")}, "kubecontext": {Kubecontext: types.StringValue("a")},
		"host": {Host: types.StringValue("https://a")}, "token": {Token: types.StringValue("a")},
	} {
		if _, diags := m.bootstrap(); diags.ErrorsCount() != 1 {
			t.Errorf("%s: got %v", name, diags)
		}
	}
}
