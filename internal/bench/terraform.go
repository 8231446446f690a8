// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/big"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// imageType is the resource that is measured.
const imageType = "harvester_image"

// terraform speaks to the provider as Terraform does, about one kind of resource.
type terraform struct {
	provider tfprotov6.ProviderServer
	schema   *tfprotov6.Schema
}

// instance is what Terraform keeps of a resource.
type instance struct {
	state   *tfprotov6.DynamicValue
	private []byte
}

// configure returns a provider that is connected to the cluster, with further arguments.
func configure(ctx context.Context, address, ca string, more map[string]string) (*terraform, error) {
	server := providerserver.NewProtocol6(provider.New("bench")())()
	schemas, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, err
	}
	arguments := map[string]string{"host": address, "token": "bench", "cluster_ca_certificate": ca}
	maps.Copy(arguments, more)
	config, err := dynamic(schemas.Provider, func(a *tfprotov6.SchemaAttribute) tftypes.Value { return text(a, arguments) })
	if err != nil {
		return nil, err
	}
	done, err := server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.11.4", Config: config})
	if err != nil {
		return nil, err
	}
	return &terraform{provider: server, schema: schemas.ResourceSchemas[imageType]}, diagnosed(done.Diagnostics)
}

// create plans and applies a new image; applying is called in between.
func (t *terraform) create(ctx context.Context, arguments map[string]string, applying func()) (instance, error) {
	planned, config, err := t.plan(ctx, arguments, instance{})
	if err != nil {
		return instance{}, err
	}
	applying()
	nothing, err := tfprotov6.NewDynamicValue(t.schema.ValueType(), tftypes.NewValue(t.schema.ValueType(), nil))
	if err != nil {
		return instance{}, err
	}
	applied, err := t.provider.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: imageType, PriorState: &nothing, PlannedState: planned.PlannedState, Config: config, PlannedPrivate: planned.PlannedPrivate,
	})
	if err != nil {
		return instance{}, err
	}
	return instance{applied.NewState, applied.Private}, diagnosed(applied.Diagnostics)
}

// refresh reads the image and plans again, as terraform plan does. It says
// whether anything would change.
func (t *terraform) refresh(ctx context.Context, arguments map[string]string, known instance) (changed bool, err error) {
	read, err := t.provider.ReadResource(ctx, &tfprotov6.ReadResourceRequest{TypeName: imageType, CurrentState: known.state, Private: known.private})
	if err != nil {
		return false, err
	}
	if err := diagnosed(read.Diagnostics); err != nil {
		return false, err
	}
	planned, _, err := t.plan(ctx, arguments, instance{read.NewState, read.Private})
	if err != nil {
		return false, err
	}
	before, err := read.NewState.Unmarshal(t.schema.ValueType())
	if err != nil {
		return false, err
	}
	after, err := planned.PlannedState.Unmarshal(t.schema.ValueType())
	return !after.Equal(before), err
}

// plan validates and plans; known is empty for a new image.
func (t *terraform) plan(ctx context.Context, arguments map[string]string, known instance) (*tfprotov6.PlanResourceChangeResponse, *tfprotov6.DynamicValue, error) {
	config, err := dynamic(t.schema, func(a *tfprotov6.SchemaAttribute) tftypes.Value { return text(a, arguments) })
	if err != nil {
		return nil, nil, err
	}
	valid, err := t.provider.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{TypeName: imageType, Config: config})
	if err != nil {
		return nil, nil, err
	}
	if err := diagnosed(valid.Diagnostics); err != nil {
		return nil, nil, err
	}
	prior, proposed, err := t.proposal(arguments, known)
	if err != nil {
		return nil, nil, err
	}
	planned, err := t.provider.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: imageType, PriorState: prior, ProposedNewState: proposed, Config: config, PriorPrivate: known.private,
	})
	if err != nil {
		return nil, nil, err
	}
	return planned, config, diagnosed(planned.Diagnostics)
}

// proposal is what Terraform itself makes of configuration and state: computed
// attributes keep their value, or are unknown for a new image.
func (t *terraform) proposal(arguments map[string]string, known instance) (prior, proposed *tfprotov6.DynamicValue, err error) {
	whole := t.schema.ValueType()
	state := tftypes.NewValue(whole, nil)
	if known.state != nil {
		if state, err = known.state.Unmarshal(whole); err != nil {
			return nil, nil, err
		}
	}
	var before map[string]tftypes.Value
	if err := state.As(&before); err != nil {
		return nil, nil, err
	}
	proposed, err = dynamic(t.schema, func(a *tfprotov6.SchemaAttribute) tftypes.Value {
		switch value := text(a, arguments); {
		case !value.IsNull() || !a.Computed:
			return value
		case known.state == nil:
			return tftypes.NewValue(a.ValueType(), tftypes.UnknownValue)
		}
		return before[a.Name]
	})
	if err != nil {
		return nil, nil, err
	}
	encoded, err := tfprotov6.NewDynamicValue(whole, state)
	return &encoded, proposed, err
}

// text is the argument of that name, a string or a number, or null.
func text(a *tfprotov6.SchemaAttribute, arguments map[string]string) tftypes.Value {
	value, found := arguments[a.Name]
	switch number, isNumber := new(big.Float).SetString(value); {
	case !found:
		return tftypes.NewValue(a.ValueType(), nil)
	case a.ValueType().Is(tftypes.Number) && isNumber:
		return tftypes.NewValue(tftypes.Number, number)
	}
	return tftypes.NewValue(tftypes.String, value)
}

// dynamic encodes an object with the attributes' values and without blocks.
func dynamic(schema *tfprotov6.Schema, value func(*tfprotov6.SchemaAttribute) tftypes.Value) (*tfprotov6.DynamicValue, error) {
	whole := schema.ValueType()
	values := map[string]tftypes.Value{}
	for _, a := range schema.Block.Attributes {
		values[a.Name] = value(a)
	}
	for _, b := range schema.Block.BlockTypes {
		values[b.TypeName] = tftypes.NewValue(b.ValueType(), nil)
	}
	encoded, err := tfprotov6.NewDynamicValue(whole, tftypes.NewValue(whole, values))
	return &encoded, err
}

// diagnosed turns error diagnostics into one error.
func diagnosed(diagnostics []*tfprotov6.Diagnostic) error {
	var failures []error
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			failures = append(failures, fmt.Errorf("%s: %s", d.Summary, d.Detail))
		}
	}
	return errors.Join(failures...)
}
