// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"errors"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	groups "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

func TestLoaded(t *testing.T) {
	t.Parallel()
	wrong := diag.Diagnostics{diag.NewErrorDiagnostic("Wrong", "")}
	connected := Base{Session: &session.Session{}}
	for name, test := range map[string]struct {
		base  Base
		loads []diag.Diagnostics
		want  bool
	}{
		"loaded":        {connected, []diag.Diagnostics{nil, nil}, true},
		"not loaded":    {connected, []diag.Diagnostics{nil, wrong}, false},
		"not connected": {Base{}, []diag.Diagnostics{nil}, false},
	} {
		var diags diag.Diagnostics
		if got := test.base.Loaded(&diags, test.loads...); got != test.want || diags.HasError() == got {
			t.Errorf("%s: %t, %v", name, got, diags)
		}
	}
}

// Only a NotFound removes the state.
func TestFound(t *testing.T) {
	t.Parallel()
	object := tftypes.Object{AttributeTypes: map[string]tftypes.Type{"id": tftypes.String}}
	for name, test := range map[string]struct {
		err                    error
		found, removed, failed bool
	}{
		"found":   {nil, true, false, false},
		"gone":    {apierrors.NewNotFound(groups.GroupResource{}, "a"), false, true, false},
		"trouble": {errors.New("connection refused"), false, false, true},
	} {
		resp := &resource.ReadResponse{State: tfsdk.State{
			Schema: schema.Schema{Attributes: map[string]schema.Attribute{"id": schema.StringAttribute{Computed: true}}},
			Raw:    tftypes.NewValue(object, map[string]tftypes.Value{"id": tftypes.NewValue(tftypes.String, "a")}),
		}}
		found := Found(t.Context(), "thing", test.err, resp)
		if found != test.found || resp.State.Raw.IsNull() != test.removed || resp.Diagnostics.HasError() != test.failed {
			t.Errorf("%s: %t, %v, %v", name, found, resp.State.Raw, resp.Diagnostics)
		}
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	inside := types.MapValueMust(types.StringType, map[string]attr.Value{"a": types.StringUnknown()})
	if !Known(types.StringNull(), types.BoolValue(true), types.MapNull(types.StringType)) || Known(types.StringUnknown()) || Known(types.StringNull(), inside) {
		t.Error("what is known is taken for unknown, or the other way round")
	}
}
