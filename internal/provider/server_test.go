// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"runtime"
	"testing"
	"weak"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

func TestServerHeedsAnInterrupt(t *testing.T) {
	t.Parallel()
	interrupts := 0
	server := Server("test", func() { interrupts++ })()
	if _, err := server.StopProvider(t.Context(), &tfprotov6.StopProviderRequest{}); err != nil || interrupts != 1 {
		t.Errorf("%d interrupts were noticed, %v", interrupts, err)
	}
	metadata, err := server.GetMetadata(t.Context(), &tfprotov6.GetMetadataRequest{})
	if err != nil || len(metadata.ListResources) == 0 || len(metadata.Actions) == 0 {
		t.Errorf("%d list resources, %d actions: %v", len(metadata.ListResources), len(metadata.Actions), err)
	}
}

type note struct{}

// The framework keeps the contexts of all requests. What they hold has to go nevertheless.
func TestServerForgetsRequests(t *testing.T) {
	t.Parallel()
	server := Server("test", func() {})()
	ask := func() weak.Pointer[[1 << 20]byte] {
		held := &[1 << 20]byte{}
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), note{}, held))
		defer cancel() // as a request ends
		response, err := server.UpgradeResourceState(ctx, &tfprotov6.UpgradeResourceStateRequest{
			TypeName: "harvester_ssh_key", RawState: &tfprotov6.RawState{JSON: []byte(`{"id":"default/a"}`)},
		})
		if err != nil || len(response.Diagnostics) > 0 {
			t.Fatal(err, response)
		}
		return weak.Make(held)
	}
	held := ask()
	runtime.GC()
	if held.Value() != nil {
		t.Error("what a request held is there after its end")
	}
	runtime.KeepAlive(server)
}

func TestLentEnds(t *testing.T) {
	t.Parallel()
	outer, cancel := context.WithCancel(context.WithValue(t.Context(), note{}, "here"))
	var kept context.Context
	_, _ = during(outer, 0, func(ctx context.Context, _ int) (int, error) {
		inner, stop := context.WithCancel(ctx)
		t.Cleanup(stop)
		kept = inner //nolint:fatcontext // that is what the framework does
		if inner.Value(note{}) != "here" || inner.Err() != nil {
			t.Errorf("within the request the context has %v, %v", inner.Value(note{}), inner.Err())
		}
		cancel()
		<-inner.Done() // what ends the request ends what is made from its context
		return 0, nil
	})
	if kept.Value(note{}) != nil || kept.Err() == nil {
		t.Errorf("after the request the context has %v, %v", kept.Value(note{}), kept.Err())
	}
}
