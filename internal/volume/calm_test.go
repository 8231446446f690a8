// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// What a change does not move of what the cluster shows stays known in its plan.
func TestPlanStaysCalm(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		state   string
		change  func(*model)
		unknown string
	}{
		"description":                 {stateInUse, func(m *model) { m.Description = types.StringValue("new") }, ""},
		"a larger size":               {stateReady, func(m *model) { m.Size = types.StringValue("2Gi") }, "message"},
		"on its way":                  {statePending, func(m *model) { m.Description = types.StringValue("new") }, "attached_vm message phase state"},
		"another volume in its place": {stateReady, func(m *model) { m.AccessMode = types.StringValue("ReadWriteOnce") }, "attached_vm message phase state"},
	} {
		state := &model{
			Size: types.StringValue("1Gi"), StorageClassName: types.StringValue("lh"), VolumeMode: types.StringValue("Block"), AccessMode: types.StringValue("ReadWriteMany"),
			ForceDetach: types.BoolValue(false), Phase: types.StringValue("Bound"), AttachedVM: types.StringValue("default/vm"),
		}
		state.Name, state.Namespace, state.ID, state.State, state.Message = types.StringValue("a"), types.StringValue("default"), types.StringValue("default/a"), types.StringValue(test.state), types.StringValue("")
		state.Tags, state.Labels = types.MapNull(types.StringType), types.MapNull(types.StringType)
		plan := *state
		plan.State, plan.Message, plan.Phase, plan.AttachedVM = types.StringUnknown(), types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
		test.change(&plan)
		config := plan
		config.State, config.Message, config.Phase, config.AttachedVM = types.StringNull(), types.StringNull(), types.StringNull(), types.StringNull()

		s := volumeSchema()
		raw := func(m *model) tftypes.Value {
			object := tfsdk.Plan{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(t.Context()), nil)}
			if diags := object.Set(t.Context(), m); diags.HasError() {
				t.Fatal(diags)
			}
			return object.Raw
		}
		req := resource.ModifyPlanRequest{
			Plan: tfsdk.Plan{Schema: s, Raw: raw(&plan)}, State: tfsdk.State{Schema: s, Raw: raw(state)}, Config: tfsdk.Config{Schema: s, Raw: raw(&config)},
		}
		resp := &resource.ModifyPlanResponse{Plan: req.Plan}
		Kind.NewResource().(resource.ResourceWithModifyPlan).ModifyPlan(t.Context(), req, resp)
		var planned map[string]tftypes.Value
		if err := resp.Plan.Raw.As(&planned); err != nil || resp.Diagnostics.HasError() {
			t.Fatal(name, err, resp.Diagnostics)
		}
		var unknown []string
		for attribute, value := range planned {
			if !value.IsKnown() {
				unknown = append(unknown, attribute)
			}
		}
		slices.Sort(unknown)
		if !slices.Equal(unknown, strings.Fields(test.unknown)) {
			t.Errorf("%s: unknown are %q, want %q", name, unknown, test.unknown)
		}
	}
}
