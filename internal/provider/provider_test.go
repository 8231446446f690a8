// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	set := model{
		Kubeconfig: types.StringValue("file"), Kubecontext: types.StringValue(""), Host: types.StringValue("host"), Token: types.StringValue("token"),
		CACertificate: types.StringValue("ca"), Insecure: types.BoolValue(false), ProxyURL: types.StringValue("proxy"),
	}
	want := kube.Settings{
		kube.FieldKubeconfig: "file", kube.FieldKubecontext: "", kube.FieldHost: "host", kube.FieldToken: "token",
		kube.FieldCACertificate: "ca", kube.FieldInsecure: "false", kube.FieldProxyURL: "proxy",
	}
	if got := set.settings(); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := (model{}).settings(); len(got) > 0 {
		t.Errorf("an empty block sets %v", got)
	}
}

func TestEnvironmentIsValidated(t *testing.T) {
	t.Parallel()
	env := func(value string) func(string) string { return func(string) string { return value } }
	for value, want := range map[string]session.PlanChecks{"": session.ChecksError, "warn": session.ChecksWarn, "off": session.ChecksOff} {
		if got, diags := (model{}).planChecks(env(value)); got != want || diags.HasError() {
			t.Errorf("HARVESTER_PLAN_CHECKS=%q means %q (%v)", value, got, diags)
		}
	}
	if _, diags := (model{}).planChecks(env("loud")); !diags.HasError() {
		t.Error("HARVESTER_PLAN_CHECKS=loud is accepted")
	}
}

// TestContract holds every schema to the house rules.
func TestContract(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p := New("test")()
	var ps provider.SchemaResponse
	p.Schema(ctx, provider.SchemaRequest{}, &ps)
	if diags := ps.Schema.ValidateImplementation(ctx); diags.HasError() {
		t.Errorf("provider: %v", diags)
	}
	for _, secret := range []string{kube.FieldKubeconfig, kube.FieldToken} {
		if !ps.Schema.Attributes[secret].IsSensitive() {
			t.Errorf("the provider's %s is not sensitive", secret)
		}
	}
	for _, factory := range p.Resources(ctx) {
		checkResource(ctx, t, factory())
	}
	for _, factory := range p.DataSources(ctx) {
		checkDataSource(ctx, t, factory())
	}
}

func checkResource(ctx context.Context, t *testing.T, r resource.Resource) {
	t.Helper()
	var name resource.MetadataResponse
	r.Metadata(ctx, resource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
	var got resource.SchemaResponse
	r.Schema(ctx, resource.SchemaRequest{}, &got)
	if diags := got.Schema.ValidateImplementation(ctx); diags.HasError() {
		t.Errorf("%s: %v", name.TypeName, diags)
	}
	if !ours[name.TypeName] {
		checkTakesOver(t, name.TypeName, r, got.Schema)
	}
	if _, ok := r.(resource.ResourceWithImportState); !ok && name.TypeName != "harvester_image_download" && name.TypeName != "harvester_bootstrap" {
		t.Errorf("%s cannot be imported", name.TypeName)
	}
	if _, found := got.Schema.Blocks["timeouts"]; !found {
		t.Errorf("%s has no timeouts block", name.TypeName)
	}
	described(t, name.TypeName, got.Schema.MarkdownDescription)
	checkAttributes(t, name.TypeName, got.Schema.Attributes, got.Schema.Blocks)
}

// ours are the resources that the official provider does not have.
var ours = map[string]bool{"harvester_encrypted_image": true, "harvester_decrypted_image": true, "harvester_image_download": true}

// checkTakesOver wants states of the official provider to be upgraded.
func checkTakesOver(t *testing.T, name string, r resource.Resource, s schema.Schema) {
	t.Helper()
	if s.Version != tfbase.SchemaVersion {
		t.Errorf("%s has schema version %d, but the official provider's states must be upgraded", name, s.Version)
	}
	if _, ok := r.(resource.ResourceWithUpgradeState); !ok {
		t.Errorf("%s does not take over official states", name)
	}
}

func checkAttributes(t *testing.T, at string, attributes map[string]schema.Attribute, blocks map[string]schema.Block) {
	t.Helper()
	for name, attribute := range attributes {
		described(t, at+"."+name, attribute.GetMarkdownDescription())
	}
	for name, block := range blocks {
		described(t, at+"."+name, block.GetMarkdownDescription())
		switch block := block.(type) {
		case schema.ListNestedBlock:
			checkAttributes(t, at+"."+name, block.NestedObject.Attributes, block.NestedObject.Blocks)
		case schema.SetNestedBlock:
			checkAttributes(t, at+"."+name, block.NestedObject.Attributes, block.NestedObject.Blocks)
		case schema.SingleNestedBlock:
			checkAttributes(t, at+"."+name, block.Attributes, block.Blocks)
		default:
			t.Errorf("%s.%s: a block of kind %T, which state upgrades do not know", at, name, block)
		}
	}
}

func checkDataSource(ctx context.Context, t *testing.T, d datasource.DataSource) {
	t.Helper()
	var name datasource.MetadataResponse
	d.Metadata(ctx, datasource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
	var got datasource.SchemaResponse
	d.Schema(ctx, datasource.SchemaRequest{}, &got)
	if diags := got.Schema.ValidateImplementation(ctx); diags.HasError() {
		t.Errorf("%s: %v", name.TypeName, diags)
	}
	if _, found := got.Schema.Blocks["timeouts"]; !found {
		t.Errorf("the data source %s has no timeouts block", name.TypeName)
	}
	described(t, name.TypeName, got.Schema.MarkdownDescription)
	checkShown(t, name.TypeName, got.Schema.Attributes)
}

func checkShown(t *testing.T, at string, attributes map[string]dataschema.Attribute) {
	t.Helper()
	for name, attribute := range attributes {
		described(t, "data."+at+"."+name, attribute.GetMarkdownDescription())
		if !attribute.IsOptional() { // an argument of the data source itself may have a default
			statesFacts(t, "data."+at+"."+name, attribute.GetMarkdownDescription())
		}
		switch nested := attribute.(type) {
		case dataschema.ListNestedAttribute:
			checkShown(t, at+"."+name, nested.NestedObject.Attributes)
		case dataschema.SingleNestedAttribute:
			checkShown(t, at+"."+name, nested.Attributes)
		}
	}
}

// Each resource has its data source, save those whose object is no object of the cluster or is another kind's.
func TestEveryResourceHasItsDataSource(t *testing.T) {
	t.Parallel()
	ctx, p := context.Background(), New("test")()
	shown := map[string]bool{}
	for _, factory := range p.DataSources(ctx) {
		var name datasource.MetadataResponse
		factory().Metadata(ctx, datasource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
		shown[name.TypeName] = true
	}
	for _, factory := range p.Resources(ctx) {
		var name resource.MetadataResponse
		factory().Metadata(ctx, resource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
		if !shown[name.TypeName] && !ours[name.TypeName] && name.TypeName != "harvester_bootstrap" { // there is nothing to look up
			t.Errorf("there is no data source %s", name.TypeName)
		}
	}
}

// statesFacts wants no advice on configuring what a data source only shows.
func statesFacts(t *testing.T, at, description string) {
	t.Helper()
	for _, advice := range []string{"Default:", "A change replaces", "It stays unknown"} {
		if strings.Contains(description, advice) {
			t.Errorf("%s: the description %q gives advice on configuring; see tfbase.Advised", at, description)
		}
	}
}

func described(t *testing.T, at, description string) {
	t.Helper()
	if description = strings.TrimSpace(description); description == "" || !strings.HasSuffix(description, ".") {
		t.Errorf("%s: the description %q should be a sentence", at, description)
	}
}
