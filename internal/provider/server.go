// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"sync/atomic"
	"time"

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
		return &heeding{server, interrupted}
	}
}

// whole is all of the protocol that the framework serves: what is new has interfaces of its own until it joins the first.
type whole interface {
	tfprotov6.ProviderServer
	tfprotov6.ListResourceServer
	tfprotov6.ActionServer
	tfprotov6.StateStoreServer
}

// heeding is a server that tells of an interrupt, and remembers nothing of requests that are over.
type heeding struct {
	whole
	interrupted func()
}

func (h *heeding) StopProvider(ctx context.Context, request *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	h.interrupted()
	return h.whole.StopProvider(ctx, request)
}

// What a plan asks for each resource. What an apply begins may outlive its request, which is why it is not here.

func (h *heeding) ValidateResourceConfig(ctx context.Context, request *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return during(ctx, request, h.whole.ValidateResourceConfig)
}

func (h *heeding) UpgradeResourceState(ctx context.Context, request *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	return during(ctx, request, h.whole.UpgradeResourceState)
}

func (h *heeding) UpgradeResourceIdentity(ctx context.Context, request *tfprotov6.UpgradeResourceIdentityRequest) (*tfprotov6.UpgradeResourceIdentityResponse, error) {
	return during(ctx, request, h.whole.UpgradeResourceIdentity)
}

func (h *heeding) ReadResource(ctx context.Context, request *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return during(ctx, request, h.whole.ReadResource)
}

func (h *heeding) PlanResourceChange(ctx context.Context, request *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	return during(ctx, request, h.whole.PlanResourceChange)
}

func (h *heeding) ReadDataSource(ctx context.Context, request *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	return during(ctx, request, h.whole.ReadDataSource)
}

func during[Q, A any](ctx context.Context, request Q, serve func(context.Context, Q) (A, error)) (A, error) {
	lent := &lent{}
	lent.context.Store(&ctx)
	defer lent.context.Store(nil)
	return serve(lent, request)
}

// lent is a context for as long as its request takes. The framework keeps the contexts of all requests (proto6server,
// registerContext) to cancel them when Terraform stops the provider, and with them what they hold: a plan of 5000 resources
// had 250 MiB of that in the end.
type lent struct {
	context atomic.Pointer[context.Context]
}

var over = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func (l *lent) now() context.Context {
	if ctx := l.context.Load(); ctx != nil {
		return *ctx
	}
	return over
}

func (l *lent) Deadline() (time.Time, bool) { return l.now().Deadline() }
func (l *lent) Done() <-chan struct{}       { return l.now().Done() }
func (l *lent) Err() error                  { return l.now().Err() }
func (l *lent) Value(key any) any           { return l.now().Value(key) }
