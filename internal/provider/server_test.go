// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"testing"

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
