// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Actions keep to the house rules.
func TestActions(t *testing.T) {
	t.Parallel()
	for _, factory := range (&Provider{version: "test"}).Actions(t.Context()) {
		var name action.MetadataResponse
		made := factory()
		made.Metadata(t.Context(), action.MetadataRequest{ProviderTypeName: "harvester"}, &name)
		if _, complete := made.(tfbase.CompleteAction); !complete {
			t.Errorf("%s lacks a step", name.TypeName)
		}
		var got action.SchemaResponse
		made.Schema(t.Context(), action.SchemaRequest{}, &got)
		if diags := got.Schema.ValidateImplementation(t.Context()); diags.HasError() {
			t.Errorf("%s: %v", name.TypeName, diags)
		}
		described(t, "action."+name.TypeName, got.Schema.MarkdownDescription)
		for attribute, kind := range got.Schema.Attributes {
			described(t, "action."+name.TypeName+"."+attribute, kind.GetMarkdownDescription())
		}
		if text, err := os.ReadFile("../../examples/actions/" + name.TypeName + "/action.tf"); err != nil || !strings.Contains(string(text), `action "`+name.TypeName+`"`) {
			t.Errorf("%s has no example: %v", name.TypeName, err)
		}
	}
}

// Every resource that has an identity has a list resource.
func TestEveryKindIsListed(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), &Provider{version: "test"}
	listed := map[string]bool{}
	for _, factory := range p.ListResources(ctx) {
		var name resource.MetadataResponse
		made := factory()
		made.Metadata(ctx, resource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
		var got list.ListResourceSchemaResponse
		made.ListResourceConfigSchema(ctx, list.ListResourceSchemaRequest{}, &got)
		if diags := got.Schema.ValidateImplementation(ctx); diags.HasError() {
			t.Errorf("%s: %v", name.TypeName, diags)
		}
		described(t, "list."+name.TypeName, got.Schema.MarkdownDescription)
		for attribute, kind := range got.Schema.Attributes {
			described(t, "list."+name.TypeName+"."+attribute, kind.GetMarkdownDescription())
		}
		listed[name.TypeName] = true
	}
	for _, factory := range p.Resources(ctx) {
		var name resource.MetadataResponse
		factory().Metadata(ctx, resource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
		if listed[name.TypeName] == (addressless[name.TypeName] != "") {
			t.Errorf("%s is listed: %t", name.TypeName, listed[name.TypeName])
		}
	}
}

// query asks a list resource.
func (c *course) query(ctx context.Context, arguments map[string]any, include bool, limit int64) (found []tfprotov6.ListResourceResult, said []string) {
	c.Helper()
	schemas, err := c.server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		c.Fatal(err)
	}
	kind := schemas.ListResourceSchemas[c.name].ValueType()
	config, err := tfprotov6.NewDynamicValue(kind, built(c.T, kind, arguments))
	if err != nil {
		c.Fatal(err)
	}
	stream, err := c.server.(tfprotov6.ListResourceServer).ListResource(ctx, &tfprotov6.ListResourceRequest{
		TypeName: c.name, Config: &config, IncludeResource: include, Limit: limit,
	})
	if err != nil {
		c.Fatal(err)
	}
	for result := range stream.Results {
		for _, d := range result.Diagnostics {
			said = append(said, d.Summary+": "+d.Detail)
		}
		if result.Identity != nil {
			found = append(found, result)
		}
	}
	return found, said
}

// Each kind lists its object with the resource that an import ends with.
func TestListedAsImported(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := courseIn(t, name, newWorld(map[string]string{kind.path: kind.object}), nil)
			c.importID(kind.id)
			config := map[string]any{}
			if namespace := namespaceOf(kind.path); namespace != "" {
				config["namespace"] = namespace // this world has no list of all namespaces
			}
			found, said := c.query(t.Context(), config, true, 0)
			if len(found) != 1 || len(said) > 0 {
				t.Fatalf("it lists %d, and says %q", len(found), said)
			}
			imported, address := c.state, c.parts()
			c.address = found[0].Identity
			shown, err := found[0].Resource.Unmarshal(c.kind)
			for _, attribute := range c.schema.Block.Attributes { // the sensitive ones of all kinds are at the top; see TestSensitive
				if attribute.Sensitive {
					imported = withNull(t, imported, attribute)
				}
			}
			if differences, _ := shown.Diff(imported); err != nil || len(differences) > 0 {
				t.Errorf("it is listed otherwise than imported: %v %v", differences, err)
			}
			if got := c.parts(); got["name"] != "a" || len(got) != len(address) || !strings.HasPrefix(found[0].DisplayName, strings.TrimPrefix(got["namespace"]+"/a", "/")) {
				t.Errorf("it is listed as %q, %v", found[0].DisplayName, got)
			}
		})
	}
}

func withNull(t *testing.T, from tftypes.Value, attribute *tfprotov6.SchemaAttribute) tftypes.Value {
	t.Helper()
	var values map[string]tftypes.Value
	if err := from.Copy().As(&values); err != nil {
		t.Fatal(err)
	}
	values[attribute.Name] = tftypes.NewValue(attribute.Type, nil)
	return tftypes.NewValue(from.Type(), values)
}

// many is a cluster with so many SSH keys, which it gives out in pages.
type many struct {
	count   int
	expired atomic.Bool // the next page but the first is refused, once
	pages   atomic.Int32
}

func (m *many) ServeHTTP(to http.ResponseWriter, req *http.Request) {
	to.Header().Set("Content-Type", "application/json")
	m.pages.Add(1)
	start, _ := strconv.Atoi(req.URL.Query().Get("continue"))
	size, _ := strconv.Atoi(req.URL.Query().Get("limit"))
	if start > 0 && m.expired.Swap(false) {
		to.WriteHeader(http.StatusGone)
		_, answer := failure(http.StatusGone, "Expired")
		_ = json.NewEncoder(to).Encode(answer)
		return
	}
	items := []string{}
	for i := start; i < min(start+size, m.count); i++ {
		items = append(items, fmt.Sprintf(`{"metadata":{"namespace":"default","name":"k%06d","uid":"%d"},%s}`, i, i, kinds["harvester_ssh_key"].object))
	}
	next := ""
	if start+size < m.count {
		next = strconv.Itoa(start + size)
	}
	_, _ = fmt.Fprintf(to, `{"kind":"List","apiVersion":"v1","metadata":{"continue":%q},"items":[%s]}`, next, strings.Join(items, ","))
}

// A long list is read in pages, no further than it is wanted, and to its end although a page expires.
func TestListInPages(t *testing.T) {
	t.Parallel()
	cluster := &many{count: 1100}
	c := courseIn(t, "harvester_ssh_key", cluster, nil)
	cluster.pages.Store(0)
	if found, said := c.query(t.Context(), map[string]any{}, true, 600); len(found) != 600 || len(said) > 0 || cluster.pages.Load() != 2 {
		t.Errorf("with a limit of 600 it lists %d after %d pages, and says %q", len(found), cluster.pages.Load(), said)
	}
	cluster.expired.Store(true)
	found, said := c.query(t.Context(), map[string]any{}, false, 0)
	if len(found) != 1100 || len(said) > 0 {
		t.Errorf("it lists %d, and says %q", len(found), said)
	}
	var names []string
	for _, one := range found {
		names = append(names, one.DisplayName)
	}
	if slices.Sort(names); len(slices.Compact(names)) != 1100 {
		t.Error("it lists some twice")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found, said := c.query(ctx, map[string]any{}, false, 0); len(found) > 0 || len(said) != 1 || !strings.HasPrefix(said[0], "Interrupted") {
		t.Errorf("when it is cancelled it lists %d, and says %q", len(found), said)
	}
}

// What is wrong with a list is told: filters that match nothing ever, no right to list, a kind that the cluster does not know.
func TestListTrouble(t *testing.T) {
	t.Parallel()
	kind := kinds["harvester_ssh_key"]
	c := newCourse(t, "harvester_ssh_key", kind.path, kind.object)
	if _, said := c.query(t.Context(), map[string]any{"labels": map[string]any{"a b": "c"}}, false, 0); len(said) != 1 || !strings.HasPrefix(said[0], "Invalid labels") {
		t.Errorf("bad labels: %q", said)
	}
	c.cluster.set("A", http.StatusForbidden)
	if _, said := c.query(t.Context(), map[string]any{"namespace": "default"}, false, 0); len(said) != 1 || !strings.HasPrefix(said[0], "Not allowed") {
		t.Errorf("without the right: %q", said)
	}
	c.cluster.set("A", 0)
	c.cluster.unserved = true
	if _, said := c.query(t.Context(), map[string]any{"namespace": "default"}, false, 0); len(said) != 1 || !strings.HasPrefix(said[0], "Kind not known") {
		t.Errorf("without the kind: %q", said)
	}
	other := courseIn(t, "harvester_ssh_key", c.cluster, map[string]tftypes.Value{"host": tftypes.NewValue(tftypes.String, tftypes.UnknownValue)})
	if _, said := other.query(t.Context(), map[string]any{}, false, 0); len(said) != 1 || !strings.HasPrefix(said[0], "Provider not configured") {
		t.Errorf("without a cluster: %q", said)
	}
}
