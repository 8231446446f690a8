// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"maps"
	"slices"
	"strings"
	"testing"

	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

func TestDescriptionsOfDataSourcesGiveNoAdvice(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"The size.": "The size.",
		"The size, as in `1.5Gi`. Default: `10Gi`.":                             "The size, as in `1.5Gi`.",
		"The backend. Default: `cdi`. A change replaces the image.":             "The backend.",
		"Checked by Harvester. A change replaces the image; removing does not.": "Checked by Harvester.",
		"Default: `1`.": "Default: `1`.", // better than nothing
	} {
		if got := stated(given); got != want {
			t.Errorf("of %q stays %q, want %q", given, got, want)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	nested := schema.NestedBlockObject{Attributes: map[string]schema.Attribute{"name": schema.StringAttribute{Required: true}}}
	got := Shown(schema.Schema{
		Attributes: map[string]schema.Attribute{
			"text":   schema.StringAttribute{Required: true, Sensitive: true},
			"number": schema.Int64Attribute{Optional: true},
			"flag":   schema.BoolAttribute{Optional: true},
			"list":   schema.ListAttribute{Optional: true, ElementType: types.StringType},
			"map":    schema.MapAttribute{Optional: true, ElementType: types.StringType},
			"local":  schema.StringAttribute{Optional: true},
			"secret": schema.StringAttribute{Optional: true, WriteOnly: true},
		},
		Blocks: map[string]schema.Block{
			"disk":     schema.ListNestedBlock{NestedObject: nested},
			"one":      schema.SingleNestedBlock{Attributes: nested.Attributes},
			"timeouts": TimeoutsBlock(Limits{}),
		},
	}, "local")
	if names := strings.Join(slices.Sorted(maps.Keys(got)), " "); names != "disk flag list map number one text" {
		t.Errorf("shows %s", names)
	}
	for name, attribute := range got {
		if !attribute.IsComputed() || attribute.IsRequired() || attribute.IsOptional() {
			t.Errorf("%s is not just computed", name)
		}
	}
	if !got["text"].IsSensitive() {
		t.Error("a secret is shown")
	}
	if disk, ok := got["disk"].(dataschema.ListNestedAttribute); !ok || !disk.NestedObject.Attributes["name"].IsComputed() {
		t.Errorf("a block becomes %T", got["disk"])
	}
}
