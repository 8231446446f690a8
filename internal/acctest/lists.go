// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package acctest

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Query is a list block: the filters, in Terraform's names, and how much it wants.
type Query struct {
	Config          map[string]any
	IncludeResource bool
	Limit           int64
}

// Listed is a result of a list resource.
type Listed struct {
	DisplayName string
	Address     map[string]string
	// Resource is there if it was asked for.
	Resource tftypes.Value

	identity *tfprotov6.ResourceIdentityData
}

// Lists asks a list resource as terraform query does, which Terraform before 1.14 cannot. Warned are the summaries of warnings.
func (c *Cluster) Lists(t *testing.T, typeName string, query Query) (found []Listed, warned []string) {
	t.Helper()
	o, schemas := protocol(t, typeName)
	schema := schemas.ListResourceSchemas[typeName]
	if schema == nil {
		t.Fatalf("there is no list resource %s", typeName)
	}
	config := o.dynamicOf(schema.ValueType(), filled(t, schema, query.Config))
	server, ok := o.server.(tfprotov6.ListResourceServer)
	if !ok {
		t.Fatal("the provider lists nothing")
	}
	validated, err := server.ValidateListResourceConfig(t.Context(), &tfprotov6.ValidateListResourceConfigRequest{TypeName: typeName, Config: config})
	o.check(err, validated.Diagnostics)
	stream, err := server.ListResource(t.Context(), &tfprotov6.ListResourceRequest{
		TypeName: typeName, Config: config, IncludeResource: query.IncludeResource, Limit: query.Limit,
	})
	if err != nil {
		t.Fatal(err)
	}
	for result := range stream.Results {
		o.check(nil, result.Diagnostics)
		if result.Identity == nil {
			continue
		}
		listed := Listed{DisplayName: result.DisplayName, identity: result.Identity, Address: o.parts(result.Identity)}
		if query.IncludeResource {
			listed.Resource = o.value(result.Resource)
		}
		found = append(found, listed)
	}
	return found, o.warned
}

// Adopts imports what was listed, by its address, with the configuration that Terraform generates from its resource: the plan
// must be empty.
func (c *Cluster) Adopts(t *testing.T, typeName string, listed Listed) {
	t.Helper()
	o, _ := protocol(t, typeName)
	imported, err := o.server.ImportResourceState(t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: typeName, Identity: listed.identity})
	o.check(err, imported.Diagnostics)
	o.private = imported.ImportedResources[0].Private
	answer, err := o.server.ReadResource(t.Context(), &tfprotov6.ReadResourceRequest{
		TypeName: typeName, CurrentState: imported.ImportedResources[0].State, Private: o.private, CurrentIdentity: imported.ImportedResources[0].Identity,
	})
	o.check(err, answer.Diagnostics)
	o.private = answer.Private
	prior := o.value(answer.NewState)
	// What is only observed may have changed by itself.
	if differences, err := o.generated(listed.Resource).Diff(o.generated(prior)); err != nil || len(differences) > 0 {
		t.Errorf("what %s lists is not what it imports: %v %v", typeName, differences, err)
	}
	config := o.generated(listed.Resource)
	validated, err := o.server.ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{TypeName: typeName, Config: o.dynamic(config)})
	o.check(err, validated.Diagnostics)
	planned, err := o.server.PlanResourceChange(t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: typeName, PriorState: o.dynamic(prior), ProposedNewState: o.dynamic(o.proposed(config, prior)), Config: o.dynamic(config),
		PriorPrivate: o.private, PriorIdentity: answer.NewIdentity,
	})
	o.check(err, planned.Diagnostics)
	if differences, err := o.value(planned.PlannedState).Diff(prior); err != nil || len(differences) > 0 || len(planned.RequiresReplace) > 0 {
		t.Errorf("the plan of the imported %s %v is not empty: %v %v %v", typeName, listed.Address, differences, planned.RequiresReplace, err)
	}
}

// protocol is the provider under test, configured for the sandbox.
func protocol(t *testing.T, typeName string) (*official, *tfprotov6.GetProviderSchemaResponse) {
	t.Helper()
	server, err := Factories["harvester"]()
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	o := &official{T: t, server: server, name: typeName, schema: schemas.ResourceSchemas[typeName]}
	o.configure(schemas.Provider)
	return o, schemas
}

// filled is a configuration with null for what is not given. Arguments are strings, numbers, booleans and maps of strings.
func filled(t *testing.T, schema *tfprotov6.Schema, given map[string]any) tftypes.Value {
	t.Helper()
	object, _ := schema.ValueType().(tftypes.Object)
	values := map[string]tftypes.Value{}
	for name, kind := range object.AttributeTypes {
		switch value := given[name].(type) {
		case map[string]string:
			elements := map[string]tftypes.Value{}
			for key, text := range value {
				elements[key] = tftypes.NewValue(tftypes.String, text)
			}
			values[name] = tftypes.NewValue(kind, elements)
		default:
			values[name] = tftypes.NewValue(kind, value)
		}
	}
	for name := range given {
		if object.AttributeTypes[name] == nil {
			t.Fatalf("there is no argument %s", name)
		}
	}
	return tftypes.NewValue(object, values)
}

func (o *official) dynamicOf(kind tftypes.Type, value tftypes.Value) *tfprotov6.DynamicValue {
	o.Helper()
	dynamic, err := tfprotov6.NewDynamicValue(kind, value)
	if err != nil {
		o.Fatal(err)
	}
	return &dynamic
}

// parts are the parts of a resource identity.
func (o *official) parts(identity *tfprotov6.ResourceIdentityData) map[string]string {
	o.Helper()
	schemas, err := o.server.GetResourceIdentitySchemas(o.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		o.Fatal(err)
	}
	value, err := identity.IdentityData.Unmarshal(schemas.IdentitySchemas[o.name].ValueType())
	if err != nil {
		o.Fatal(err)
	}
	found := map[string]string{}
	for name, part := range o.members(value) {
		var text string
		if err := part.As(&text); err != nil {
			o.Fatal(err)
		}
		found[name] = text
	}
	return found
}

// generated is the configuration that Terraform writes for a resource: without what is only computed, sensitive or
// deprecated, and without texts that are empty.
func (o *official) generated(resource tftypes.Value) tftypes.Value {
	o.Helper()
	return o.transformed(resource, func(attribute *tfprotov6.SchemaAttribute, value tftypes.Value, _ *tftypes.AttributePath) tftypes.Value {
		text := "unknown"
		if value.Type().Is(tftypes.String) && !value.IsNull() {
			_ = value.As(&text)
		}
		if attribute.Computed && !attribute.Optional || attribute.Sensitive || attribute.Deprecated || text == "" && attribute.Optional {
			return tftypes.NewValue(value.Type(), nil)
		}
		return value
	})
}

// proposed is the configuration with what is computed as the state has it.
func (o *official) proposed(config, prior tftypes.Value) tftypes.Value {
	o.Helper()
	return o.transformed(config, func(attribute *tfprotov6.SchemaAttribute, value tftypes.Value, at *tftypes.AttributePath) tftypes.Value {
		if !attribute.Computed || !value.IsNull() {
			return value
		}
		if old, _, err := tftypes.WalkAttributePath(prior, at); err == nil {
			if known, ok := old.(tftypes.Value); ok {
				return known
			}
		}
		return value
	})
}

func (o *official) transformed(value tftypes.Value, each func(*tfprotov6.SchemaAttribute, tftypes.Value, *tftypes.AttributePath) tftypes.Value) tftypes.Value {
	o.Helper()
	changed, err := tftypes.Transform(value, func(at *tftypes.AttributePath, value tftypes.Value) (tftypes.Value, error) {
		if attribute := attributeAt(o.schema.Block, at.Steps()); attribute != nil {
			return each(attribute, value, at), nil
		}
		return value, nil
	})
	if err != nil {
		o.Fatal(err)
	}
	return changed
}

// attributeAt is the attribute at that very path; nil if there is a block, or something in an attribute.
func attributeAt(block *tfprotov6.SchemaBlock, steps []tftypes.AttributePathStep) *tfprotov6.SchemaAttribute {
	if len(steps) == 0 {
		return nil
	}
	name, named := steps[0].(tftypes.AttributeName)
	if !named {
		return attributeAt(block, steps[1:])
	}
	for _, attribute := range block.Attributes {
		if attribute.Name == string(name) && len(steps) == 1 {
			return attribute
		}
	}
	for _, nested := range block.BlockTypes {
		if nested.TypeName == string(name) {
			return attributeAt(nested.Block, steps[1:])
		}
	}
	return nil
}
