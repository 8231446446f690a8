// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Docschema writes the provider's schemas as terraform providers schema -json does, for the documentation generator. An
// older Terraform leaves out what it does not know: identities, list resources and actions.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// address is what the generator takes the provider for.
const address = "registry.terraform.io/hashicorp/harvester"

type object = map[string]any

func main() {
	if err := write(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(ctx context.Context) error {
	server, err := providerserver.NewProtocol6WithError(provider.New("docs")())()
	if err != nil {
		return err
	}
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return err
	}
	identities, err := server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{})
	if err != nil {
		return err
	}
	actions := object{}
	for name, action := range schemas.ActionSchemas {
		actions[name] = schemaOf(action.Schema)
	}
	return json.NewEncoder(os.Stdout).Encode(object{"format_version": "1.0", "provider_schemas": object{address: object{
		"provider":                  schemaOf(schemas.Provider),
		"resource_schemas":          each(schemas.ResourceSchemas, schemaOf),
		"data_source_schemas":       each(schemas.DataSourceSchemas, schemaOf),
		"list_resource_schemas":     each(schemas.ListResourceSchemas, schemaOf),
		"resource_identity_schemas": each(identities.IdentitySchemas, identityOf),
		"functions":                 each(schemas.Functions, functionOf),
		"action_schemas":            actions,
	}}})
}

func each[T any](all map[string]T, of func(T) object) object {
	written := object{}
	for name, one := range all {
		written[name] = of(one)
	}
	return written
}

func schemaOf(s *tfprotov6.Schema) object {
	return object{"version": s.Version, "block": blockOf(s.Block)}
}

func blockOf(b *tfprotov6.SchemaBlock) object {
	blocks := object{}
	for _, nested := range b.BlockTypes {
		blocks[nested.TypeName] = object{
			"nesting_mode": strings.ToLower(nested.Nesting.String()), "block": blockOf(nested.Block),
			"min_items": nested.MinItems, "max_items": nested.MaxItems,
		}
	}
	block := object{"attributes": attributesOf(b.Attributes), "block_types": blocks, "deprecated": b.Deprecated}
	describe(block, b.Description, b.DescriptionKind)
	return block
}

func attributesOf(attributes []*tfprotov6.SchemaAttribute) object {
	written := object{}
	for _, a := range attributes {
		attribute := object{
			"required": a.Required, "optional": a.Optional, "computed": a.Computed, "sensitive": a.Sensitive, "deprecated": a.Deprecated, "write_only": a.WriteOnly,
		}
		if a.NestedType != nil {
			attribute["nested_type"] = object{"attributes": attributesOf(a.NestedType.Attributes), "nesting_mode": strings.ToLower(a.NestedType.Nesting.String())}
		} else {
			attribute["type"] = a.Type
		}
		describe(attribute, a.Description, a.DescriptionKind)
		written[a.Name] = attribute
	}
	return written
}

func describe(into object, text string, kind tfprotov6.StringKind) {
	if text != "" {
		into["description"] = text
	}
	into["description_kind"] = strings.ToLower(kind.String())
}

func identityOf(s *tfprotov6.ResourceIdentitySchema) object {
	attributes := object{}
	for _, a := range s.IdentityAttributes {
		attributes[a.Name] = object{
			"type": a.Type, "description": a.Description, "required_for_import": a.RequiredForImport, "optional_for_import": a.OptionalForImport,
		}
	}
	return object{"version": s.Version, "attributes": attributes}
}

func functionOf(f *tfprotov6.Function) object {
	function := object{"description": f.Description, "summary": f.Summary, "return_type": f.Return.Type}
	var parameters []object
	for _, p := range f.Parameters {
		parameters = append(parameters, parameterOf(p))
	}
	if parameters != nil {
		function["parameters"] = parameters
	}
	if f.VariadicParameter != nil {
		function["variadic_parameter"] = parameterOf(f.VariadicParameter)
	}
	return function
}

func parameterOf(p *tfprotov6.FunctionParameter) object {
	return object{"name": p.Name, "description": p.Description, "is_nullable": p.AllowNullValue, "type": p.Type}
}
