// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// What the cluster shows of an object, and nobody can set, is unknown in the plan of each change unless somebody says
// otherwise. Whatever refers to it would be planned anew then, down to provisioners of other resources. So a change plans
// it as the state has it, but for what that very change may move, and apply returns it as planned. If it has
// moved by itself in the meantime, the next refresh shows that.

// Observed names the attributes that only show something of an object. The id is no such thing: it never changes.
func Observed(s schema.Schema) (names []string) {
	for name, attribute := range s.Attributes {
		if attribute.IsComputed() && !attribute.IsOptional() && name != "id" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// KeepKnown is the first object with these attributes, where it does not know them, as the second has them.
func KeepKnown(object, from tftypes.Value, names []string) tftypes.Value {
	return overlay(object, from, names, func(value tftypes.Value) bool { return !value.IsKnown() })
}

// KeepPlanned is what was saved of an object, with these attributes as they were planned, where they were.
func KeepPlanned(saved, planned tftypes.Value, names []string) tftypes.Value {
	return overlay(saved, planned, names, func(tftypes.Value) bool { return true })
}

// Calm keeps known in the plan of a change what the cluster shows of the object, save the attributes that the change moves.
func Calm(plan *tfsdk.Plan, state tfsdk.State, s schema.Schema, moved []string) {
	still := slices.DeleteFunc(Observed(s), func(name string) bool { return slices.Contains(moved, name) })
	plan.Raw = KeepKnown(plan.Raw, state.Raw, still)
}

// overlay takes attributes over where the other object knows them, and the object itself has what gives way.
func overlay(object, other tftypes.Value, names []string, givesWay func(tftypes.Value) bool) tftypes.Value {
	var own, theirs map[string]tftypes.Value
	if object.IsNull() || other.IsNull() || object.As(&own) != nil || other.As(&theirs) != nil {
		return object
	}
	for _, name := range names {
		if value, found := theirs[name]; found && value.IsFullyKnown() && givesWay(own[name]) {
			own[name] = value
		}
	}
	return tftypes.NewValue(object.Type(), own)
}
