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

func TestAdviceIsForResourcesAlone(t *testing.T) {
	t.Parallel()
	const what, advice = "The size, as in `1.5Gi`.", "Default: `10Gi`. A change replaces the disk."
	attributes := map[string]schema.Attribute{
		"text":   schema.StringAttribute{Optional: true, MarkdownDescription: what},
		"flag":   schema.BoolAttribute{Optional: true, MarkdownDescription: what},
		"number": schema.Int64Attribute{Optional: true, MarkdownDescription: what},
		"map":    schema.MapAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: what},
		"list":   schema.ListAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: what},
		"set":    schema.SetAttribute{Optional: true, ElementType: types.StringType, MarkdownDescription: what},
	}
	resource := schema.Schema{
		Attributes: map[string]schema.Attribute{},
		Blocks:     map[string]schema.Block{"block": AdvisedBlock(schema.ListNestedBlock{MarkdownDescription: what}, advice)},
	}
	for name, plain := range attributes {
		if fact(plain) != what {
			t.Errorf("%s without advice: the fact is %q", name, fact(plain))
		}
		advised := Advised(plain, advice)
		if !advised.GetType().Equal(plain.GetType()) || !advised.IsOptional() {
			t.Errorf("%s becomes %#v", name, advised)
		}
		if got := advised.GetMarkdownDescription(); got != what+" "+advice {
			t.Errorf("the resource's %s is described by %q", name, got)
		}
		resource.Attributes[name] = advised
	}
	if got := resource.Blocks["block"].GetMarkdownDescription(); got != what+" "+advice {
		t.Errorf("the resource's block is described by %q", got)
	}
	for name, shown := range Shown(resource) {
		if got := shown.GetMarkdownDescription(); got != what {
			t.Errorf("the data source's %s is described by %q", name, got)
		}
	}
}

func TestAdvisedRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("advice was lost in silence")
		}
	}()
	Advised(schema.Float64Attribute{}, "Default: `1`.")
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
