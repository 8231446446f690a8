// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/defaults"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// SchemaVersion is the version of the schemas here. The official provider's are
// at 0, so its states pass through FromOfficial when people switch.
const SchemaVersion = 1

// FromOfficial upgrades the state that the official provider wrote. It was built on
// an SDK that stores "", 0, [] and {} for what is not set; for an optional
// argument without a default those mean null here, or the first plan would show differences,
// and replace objects where the argument is immutable.
//
// Clean, if there is one, prepares the state first. The attribute state, by which what was read once is told
// from an import, is never null.
func FromOfficial(current schema.Schema, clean func(state map[string]any)) map[int64]resource.StateUpgrader {
	return map[int64]resource.StateUpgrader{0: {
		StateUpgrader: func(ctx context.Context, req resource.UpgradeStateRequest, resp *resource.UpgradeStateResponse) {
			upgraded, err := upgradeOfficial(ctx, current, clean, req.RawState)
			if err != nil {
				resp.Diagnostics.AddError("Cannot take over the state",
					fmt.Sprintf("The state written by the official provider cannot be read: %s. Please report this to the provider's developers.", err))
				return
			}
			resp.DynamicValue = upgraded
		},
	}}
}

func upgradeOfficial(ctx context.Context, current schema.Schema, clean func(map[string]any), raw *tfprotov6.RawState) (*tfprotov6.DynamicValue, error) {
	var state map[string]any
	if err := json.Unmarshal(raw.JSON, &state); err != nil {
		return nil, err
	}
	if clean != nil {
		clean(state)
	}
	for _, name := range []string{"state", "message"} {
		if _, known := current.Attributes[name]; known && state[name] == nil {
			state[name] = ""
		}
	}
	dropControllersLabels(state)
	normalize(state, current.Attributes, current.Blocks)
	cleaned, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	target := current.Type().TerraformType(ctx)
	value, err := (&tfprotov6.RawState{JSON: cleaned}).UnmarshalWithOpts(target, tfprotov6.UnmarshalOpts{
		ValueFromJSONOpts: tftypes.ValueFromJSONOpts{IgnoreUndefinedAttributes: true},
	})
	if err != nil {
		return nil, err
	}
	dynamic, err := tfprotov6.NewDynamicValue(target, value)
	return &dynamic, err
}

// dropControllersLabels drops the labels of Harvester's controllers, such as network.harvesterhci.io/ready. The
// official provider takes them for labels of the user's, so that its next plan would take them off the object.
func dropControllersLabels(state map[string]any) {
	labels, _ := state["labels"].(map[string]any)
	maps.DeleteFunc(labels, func(key string, _ any) bool { return api.ReservedLabel(key) })
}

// normalize turns the SDK's zero values into null, in place, and adds what the official schema lacks: its
// default, so that the first plan has nothing to set, or null.
func normalize(object map[string]any, attributes map[string]schema.Attribute, blocks map[string]schema.Block) {
	for name, attribute := range attributes {
		if value, found := object[name]; !found {
			object[name] = fallback(attribute)
		} else if unset(attribute, value) {
			object[name] = nil
		}
	}
	for name, block := range blocks {
		switch block := block.(type) {
		case schema.ListNestedBlock:
			normalizeEach(object, name, block.NestedObject.Attributes, block.NestedObject.Blocks)
		case schema.SetNestedBlock:
			normalizeEach(object, name, block.NestedObject.Attributes, block.NestedObject.Blocks)
		case schema.SingleNestedBlock:
			if inner, ok := object[name].(map[string]any); ok {
				normalize(inner, block.Attributes, block.Blocks)
			} else {
				object[name] = nil
			}
		}
	}
}

func normalizeEach(object map[string]any, name string, attributes map[string]schema.Attribute, blocks map[string]schema.Block) {
	items, _ := object[name].([]any)
	if items == nil {
		object[name] = []any{} // such a block is never null
	}
	for _, item := range items {
		if inner, ok := item.(map[string]any); ok {
			normalize(inner, attributes, blocks)
		}
	}
}

// fallback is the default of an attribute as a state has it, nil without one.
func fallback(attribute schema.Attribute) any {
	ctx := context.Background() // static values need none
	switch attribute := attribute.(type) {
	case schema.BoolAttribute:
		if attribute.Default != nil {
			var resp defaults.BoolResponse
			attribute.Default.DefaultBool(ctx, defaults.BoolRequest{}, &resp)
			return resp.PlanValue.ValueBool()
		}
	case schema.Int64Attribute:
		if attribute.Default != nil {
			var resp defaults.Int64Response
			attribute.Default.DefaultInt64(ctx, defaults.Int64Request{}, &resp)
			return resp.PlanValue.ValueInt64()
		}
	case schema.StringAttribute:
		if attribute.Default != nil {
			var resp defaults.StringResponse
			attribute.Default.DefaultString(ctx, defaults.StringRequest{}, &resp)
			return resp.PlanValue.ValueString()
		}
	}
	return nil
}

// unset says that a stored value stands for "not configured".
func unset(attribute schema.Attribute, value any) bool {
	if !attribute.IsOptional() || attribute.IsComputed() {
		return false
	}
	switch value := value.(type) {
	case string:
		return value == ""
	case float64:
		return value == 0
	case bool:
		return !value
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}
