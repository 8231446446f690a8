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
		server, ok := providerserver.NewProtocol6(New(version)())().(whole)
		if !ok {
			panic("the framework does not serve the whole protocol")
		}
		return heeding{server, interrupted}
	}
}

// whole is all of the protocol that the framework serves: what is new has interfaces of its own until it joins the first.
type whole interface {
	tfprotov6.ProviderServer
	tfprotov6.ListResourceServer
	tfprotov6.ActionServer
	tfprotov6.StateStoreServer
}

type heeding struct {
	whole
	interrupted func()
}

func (h heeding) StopProvider(ctx context.Context, request *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	h.interrupted()
	return h.whole.StopProvider(ctx, request)
}
