// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Server makes the provider as Terraform speaks to it. Interrupted is called when Terraform is told to end, before the
// operations that run are.
func Server(version string, interrupted func()) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		return heeding{providerserver.NewProtocol6(New(version)())().(whole), interrupted}
	}
}

// whole is all of the protocol: lists and actions are interfaces of their own yet.
type whole interface {
	tfprotov6.ProviderServerWithListResource
	tfprotov6.ProviderServerWithActions
	tfprotov6.ProviderServerWithStateStores
}

type heeding struct {
	whole
	interrupted func()
}

func (h heeding) StopProvider(ctx context.Context, request *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	h.interrupted()
	return h.whole.StopProvider(ctx, request)
}
