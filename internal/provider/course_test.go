// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// configured is a configuration with these arguments and no others.
func (c *course) configured(arguments map[string]any) tftypes.Value {
	c.Helper()
	return built(c.T, c.kind, arguments)
}

// built is a value of that type: maps are objects and maps, slices are lists, and what is absent is null.
func built(t *testing.T, kind tftypes.Type, from any) tftypes.Value {
	t.Helper()
	if from == nil {
		return tftypes.NewValue(kind, nil)
	}
	list := func(element tftypes.Type) (values []tftypes.Value) {
		for _, each := range from.([]any) {
			values = append(values, built(t, element, each))
		}
		return values
	}
	switch kind := kind.(type) {
	case tftypes.Object:
		values := map[string]tftypes.Value{}
		for name := range from.(map[string]any) {
			if kind.AttributeTypes[name] == nil {
				t.Fatalf("there is no attribute %s", name)
			}
		}
		for name, attribute := range kind.AttributeTypes {
			value, given := from.(map[string]any)[name]
			if _, isList := attribute.(tftypes.List); !given && isList {
				value = []any{} // as Terraform has a block that is not there
			}
			values[name] = built(t, attribute, value)
		}
		return tftypes.NewValue(kind, values)
	case tftypes.List:
		return tftypes.NewValue(kind, list(kind.ElementType))
	case tftypes.Set:
		return tftypes.NewValue(kind, list(kind.ElementType))
	case tftypes.Map:
		values := map[string]tftypes.Value{}
		for name, value := range from.(map[string]any) {
			values[name] = built(t, kind.ElementType, value)
		}
		return tftypes.NewValue(kind, values)
	}
	return tftypes.NewValue(kind, from)
}

// planFor plans what the configuration wants of the state, and returns the plan with the attributes for which
// another object is planned.
func (c *course) planFor(config tftypes.Value) (planned *tfprotov6.PlanResourceChangeResponse, replaced []string) {
	c.Helper()
	planned, err := c.server.PlanResourceChange(c.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: c.name, PriorState: c.dynamic(c.state), ProposedNewState: c.dynamic(c.proposed(config)), Config: c.dynamic(config), PriorPrivate: c.private,
		PriorIdentity: c.address,
	})
	if err != nil {
		c.Fatal(err)
	}
	state, private := c.state, c.private
	c.take(planned.PlannedState, private, planned.Diagnostics)
	c.state = state
	for _, at := range planned.RequiresReplace {
		replaced = append(replaced, at.String())
	}
	return planned, replaced
}

// proposed is the configuration with what is computed as the state has it, as Terraform proposes it.
func (c *course) proposed(config tftypes.Value) tftypes.Value {
	c.Helper()
	if c.state.IsNull() {
		return config
	}
	var known, wanted map[string]tftypes.Value
	if err := c.state.As(&known); err != nil {
		c.Fatal(err)
	}
	if err := config.As(&wanted); err != nil {
		c.Fatal(err)
	}
	wanted = maps.Clone(wanted)
	for _, attribute := range c.schema.Block.Attributes {
		if attribute.Computed && wanted[attribute.Name].IsNull() {
			wanted[attribute.Name] = known[attribute.Name]
		}
	}
	return tftypes.NewValue(c.kind, wanted)
}

// applyPlan carries a plan out.
func (c *course) applyPlan(config tftypes.Value, planned *tfprotov6.PlanResourceChangeResponse) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), 20*time.Second) // what waits in vain has failed
	defer cancel()
	answer, err := c.server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: c.name, PriorState: c.dynamic(c.state), PlannedState: planned.PlannedState, Config: c.dynamic(config), PlannedPrivate: planned.PlannedPrivate,
		PlannedIdentity: planned.PlannedIdentity,
	})
	if err != nil {
		c.Fatal(err)
	}
	c.address = answer.NewIdentity
	c.take(answer.NewState, answer.Private, answer.Diagnostics)
}

// begin is the state before anything was made.
func (c *course) begin() { c.state, c.private, c.address = tftypes.NewValue(c.kind, nil), nil, nil }
