// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package acctest

import (
	"encoding/json"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// TakesOver upgrades a state of the official provider, in JSON, reads it anew and plans it with a configuration, also in
// JSON, as Terraform does after terraform state replace-provider: the plan must be empty. Warned are the summaries of
// warnings that come with it.
func (c *Cluster) TakesOver(t *testing.T, typeName, state, config string) (warned []string) {
	t.Helper()
	o, _ := protocol(t, typeName)
	prior := o.read(o.upgrade(state))
	planned := o.plan(prior, o.configuration(config))
	if differences, err := planned.Diff(prior); err != nil || len(differences) > 0 {
		t.Errorf("the plan is not empty: %v %v", differences, err)
	}
	return o.warned
}

type official struct {
	*testing.T
	server  tfprotov6.ProviderServer
	name    string
	schema  *tfprotov6.Schema
	private []byte
	warned  []string
}

func (o *official) configure(schema *tfprotov6.Schema) {
	o.Helper()
	object, _ := schema.ValueType().(tftypes.Object)
	values := map[string]tftypes.Value{}
	for name, kind := range object.AttributeTypes {
		values[name] = tftypes.NewValue(kind, nil)
	}
	value, err := tfprotov6.NewDynamicValue(object, tftypes.NewValue(object, values))
	if err != nil {
		o.Fatal(err)
	}
	answer, err := o.server.ConfigureProvider(o.Context(), &tfprotov6.ConfigureProviderRequest{Config: &value})
	o.check(err, answer.Diagnostics)
}

func (o *official) upgrade(state string) tftypes.Value {
	o.Helper()
	answer, err := o.server.UpgradeResourceState(o.Context(), &tfprotov6.UpgradeResourceStateRequest{TypeName: o.name, RawState: &tfprotov6.RawState{JSON: []byte(state)}})
	o.check(err, answer.Diagnostics)
	return o.value(answer.UpgradedState)
}

func (o *official) read(state tftypes.Value) tftypes.Value {
	o.Helper()
	answer, err := o.server.ReadResource(o.Context(), &tfprotov6.ReadResourceRequest{TypeName: o.name, CurrentState: o.dynamic(state)})
	o.check(err, answer.Diagnostics)
	o.private = answer.Private
	return o.value(answer.NewState)
}

// configuration is the configuration with null for what it does not set.
func (o *official) configuration(config string) tftypes.Value {
	o.Helper()
	var set map[string]any
	if err := json.Unmarshal([]byte(config), &set); err != nil {
		o.Fatal(err)
	}
	object, _ := o.schema.ValueType().(tftypes.Object)
	for name, kind := range object.AttributeTypes {
		if _, found := set[name]; !found && kind.Is(tftypes.List{}) && o.schema.Block != nil && o.block(name) {
			set[name] = []any{} // a list block is never null
		} else if !found {
			set[name] = nil
		}
	}
	text, _ := json.Marshal(set)
	value, err := (&tfprotov6.RawState{JSON: text}).Unmarshal(object)
	if err != nil {
		o.Fatal(err)
	}
	return value
}

func (o *official) block(name string) bool {
	for _, block := range o.schema.Block.BlockTypes {
		if block.TypeName == name {
			return true
		}
	}
	return false
}

func (o *official) plan(prior, config tftypes.Value) tftypes.Value {
	o.Helper()
	var before, proposed map[string]tftypes.Value
	if before, proposed = o.members(prior), o.members(config); prior.IsNull() {
		o.Fatal("the object is not there")
	}
	for _, attribute := range o.schema.Block.Attributes {
		if attribute.Computed && proposed[attribute.Name].IsNull() {
			proposed[attribute.Name] = before[attribute.Name]
		}
	}
	answer, err := o.server.PlanResourceChange(o.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: o.name, PriorState: o.dynamic(prior), ProposedNewState: o.dynamic(tftypes.NewValue(config.Type(), proposed)),
		Config: o.dynamic(config), PriorPrivate: o.private,
	})
	o.check(err, answer.Diagnostics)
	if len(answer.RequiresReplace) > 0 {
		o.Errorf("it would be replaced for %v", answer.RequiresReplace)
	}
	return o.value(answer.PlannedState)
}

func (o *official) members(value tftypes.Value) map[string]tftypes.Value {
	o.Helper()
	var members map[string]tftypes.Value
	if err := value.Copy().As(&members); err != nil {
		o.Fatal(err)
	}
	return members
}

func (o *official) value(dynamic *tfprotov6.DynamicValue) tftypes.Value {
	o.Helper()
	value, err := dynamic.Unmarshal(o.schema.ValueType())
	if err != nil {
		o.Fatal(err)
	}
	return value
}

func (o *official) dynamic(value tftypes.Value) *tfprotov6.DynamicValue {
	o.Helper()
	dynamic, err := tfprotov6.NewDynamicValue(o.schema.ValueType(), value)
	if err != nil {
		o.Fatal(err)
	}
	return &dynamic
}

func (o *official) check(err error, found []*tfprotov6.Diagnostic) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
	for _, d := range found {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			o.Fatalf("%s: %s", d.Summary, d.Detail)
		}
		o.warned = append(o.warned, d.Summary)
	}
}
