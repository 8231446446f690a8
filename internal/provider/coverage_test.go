// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
)

// uncovered are the arguments that testdata/coverage cannot set, and unchanged those that it cannot change, with the reason.
var (
	uncovered = map[string]string{
		"harvester_clusternetwork.mtu": onlyMgmt,
	}
	unchanged = map[string]string{
		"harvester_clusternetwork.mtu":      onlyMgmt,
		"harvester_storageclass.is_default": "a cluster has one default, which other tests use: TestAccStorageClass_switchDefault changes it",

		"harvester_virtualmachine.disk.access_mode":        otherMachine,
		"harvester_virtualmachine.disk.storage_class_name": otherMachine,
		"harvester_virtualmachine.disk.volume_mode":        otherMachine,
		"harvester_virtualmachine.input.type":              "there is one type",

		"harvester_virtualmachine.node_affinity.preferred.preference.match_fields.key":        oneField,
		"harvester_virtualmachine.node_affinity.required.node_selector_term.match_fields.key": oneField,
	}
)

const (
	onlyMgmt     = "only mgmt takes one, which nobody can make: TestAccClusterNetwork_management imports it"
	otherMachine = "it replaces the machine"
	oneField     = "Kubernetes has one field of nodes to select by"
)

// Every argument of every kind is set by a configuration in testdata/coverage, which TestAccCoverage applies. What does not
// replace the object is also changed by the one after it.
func TestCoverage(t *testing.T) {
	t.Parallel()
	set, changed := map[string]bool{}, map[string]bool{}
	folders, err := filepath.Glob("testdata/coverage/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range folders {
		w := walk{set: set, changed: changed}
		before, after := w.resources(t, filepath.Join(folder, "before.tf")), w.resources(t, filepath.Join(folder, "after.tf"))
		for address, body := range before {
			w.body(strings.Split(address, ".")[0], body, after[address])
		}
	}
	for _, factory := range New("test")().Resources(t.Context()) {
		var name resource.MetadataResponse
		factory().Metadata(t.Context(), resource.MetadataRequest{ProviderTypeName: "harvester"}, &name)
		var got resource.SchemaResponse
		factory().Schema(t.Context(), resource.SchemaRequest{}, &got)
		for argument, replaces := range settable(t.Context(), name.TypeName, got.Schema.Attributes, got.Schema.Blocks, false) {
			excused(t, argument, "set", set[argument], uncovered[argument])
			if !replaces {
				excused(t, argument, "changed", changed[argument], unchanged[argument])
			}
		}
	}
}

func excused(t *testing.T, argument, what string, done bool, reason string) {
	t.Helper()
	switch {
	case !done && reason == "":
		t.Errorf("%s is not %s by testdata/coverage/%s", argument, what, strings.TrimPrefix(strings.Split(argument, ".")[0], "harvester_"))
	case done && reason != "":
		t.Errorf("%s is %s, although it is said that it cannot be: %s", argument, what, reason)
	}
}

// settable are the arguments and blocks below a place, but timeouts, and whether a change of them replaces the object.
func settable(ctx context.Context, at string, attributes map[string]schema.Attribute, blocks map[string]schema.Block, within bool) map[string]bool {
	found := map[string]bool{}
	for name, attribute := range attributes {
		if attribute.IsOptional() || attribute.IsRequired() {
			found[at+"."+name] = within || replaces(ctx, attribute)
		}
	}
	for name, block := range blocks {
		if name == "timeouts" {
			continue
		}
		here, below := within || replaces(ctx, block), at+"."+name
		found[below] = here
		switch block := block.(type) {
		case schema.ListNestedBlock:
			maps.Copy(found, settable(ctx, below, block.NestedObject.Attributes, block.NestedObject.Blocks, here))
		case schema.SetNestedBlock:
			maps.Copy(found, settable(ctx, below, block.NestedObject.Attributes, block.NestedObject.Blocks, here))
		}
	}
	return found
}

// replaces says whether a plan modifier replaces the object when this changes.
func replaces(ctx context.Context, from any) bool {
	var modifiers []planmodifier.Describer
	switch from := from.(type) {
	case interface{ StringPlanModifiers() []planmodifier.String }:
		modifiers = describers(from.StringPlanModifiers())
	case interface{ MapPlanModifiers() []planmodifier.Map }:
		modifiers = describers(from.MapPlanModifiers())
	case interface{ ListPlanModifiers() []planmodifier.List }:
		modifiers = describers(from.ListPlanModifiers())
	case interface{ SetPlanModifiers() []planmodifier.Set }:
		modifiers = describers(from.SetPlanModifiers())
	}
	return slices.ContainsFunc(modifiers, func(m planmodifier.Describer) bool {
		said := m.Description(ctx)
		return strings.Contains(said, "destroy and recreate") || strings.Contains(said, "replaces")
	})
}

func describers[M planmodifier.Describer](modifiers []M) (all []planmodifier.Describer) {
	for _, m := range modifiers {
		all = append(all, m)
	}
	return all
}

// walk finds what configurations set, by the names in them, and what differs from one to the next.
type walk struct {
	set, changed map[string]bool
	sources      map[string][]byte
}

// resources are the resource blocks of a file by their address.
func (w *walk) resources(t *testing.T, file string) map[string]*hclsyntax.Body {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed, diags := hclsyntax.ParseConfig(source, file, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if w.sources == nil {
		w.sources = map[string][]byte{}
	}
	w.sources[file] = source
	found := map[string]*hclsyntax.Body{}
	for _, block := range parsed.Body.(*hclsyntax.Body).Blocks {
		if block.Type == "resource" {
			found[strings.Join(block.Labels, ".")] = block.Body
		}
	}
	return found
}

// body compares what is in a block before and after; of repeated blocks the first with the first.
func (w *walk) body(at string, before, after *hclsyntax.Body) {
	was, is := w.texts(before), w.texts(after)
	for name := range merged(was, is) {
		w.set[at+"."+name] = true
		w.changed[at+"."+name] = w.changed[at+"."+name] || before != nil && after != nil && was[name] != is[name]
	}
	beforeBlocks, afterBlocks := blocksOf(before), blocksOf(after)
	for name := range merged(beforeBlocks, afterBlocks) {
		w.body(at+"."+name[:strings.LastIndex(name, " ")], beforeBlocks[name], afterBlocks[name])
	}
}

func merged[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// texts are the expressions of a block by argument, and the whole of each block in it by its name.
func (w *walk) texts(body *hclsyntax.Body) map[string]string {
	texts := map[string]string{}
	if body == nil {
		return texts
	}
	for name, attribute := range body.Attributes {
		texts[name] = string(attribute.Expr.Range().SliceBytes(w.sources[attribute.SrcRange.Filename]))
	}
	for _, block := range body.Blocks {
		texts[block.Type] += string(block.Body.Range().SliceBytes(w.sources[block.Body.SrcRange.Filename]))
	}
	return texts
}

// blocksOf are the blocks within a block by their name and place.
func blocksOf(body *hclsyntax.Body) map[string]*hclsyntax.Body {
	found, seen := map[string]*hclsyntax.Body{}, map[string]int{}
	if body == nil {
		return found
	}
	for _, block := range body.Blocks {
		found[fmt.Sprintf("%s %d", block.Type, seen[block.Type])] = block.Body
		seen[block.Type]++
	}
	return found
}
