// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"slices"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

func TestObserved(t *testing.T) {
	t.Parallel()
	if got := Observed(schema.Schema{Attributes: Namespaced("thing")}); !slices.Equal(got, []string{"message", "state"}) {
		t.Errorf("got %v", got)
	}
}

func TestOverlays(t *testing.T) {
	t.Parallel()
	object := func(a, b any) tftypes.Value {
		return tftypes.NewValue(tftypes.Object{AttributeTypes: map[string]tftypes.Type{"a": tftypes.String, "b": tftypes.String}}, map[string]tftypes.Value{
			"a": tftypes.NewValue(tftypes.String, a), "b": tftypes.NewValue(tftypes.String, b),
		})
	}
	unknown := tftypes.UnknownValue
	null := tftypes.NewValue(object("", "").Type(), nil)
	for name, test := range map[string]struct{ got, want tftypes.Value }{
		"an unknown one is kept":      {KeepKnown(object(unknown, unknown), object("1", "2"), []string{"a"}), object("1", unknown)},
		"null is kept too":            {KeepKnown(object(unknown, "2"), object(nil, nil), []string{"a", "b"}), object(nil, "2")},
		"a known one is not":          {KeepKnown(object("new", unknown), object("1", "2"), []string{"a"}), object("new", unknown)},
		"nothing to keep":             {KeepKnown(object(unknown, "2"), null, []string{"a"}), object(unknown, "2")},
		"planned as known":            {KeepPlanned(object("now", "now"), object("1", unknown), []string{"a", "b"}), object("1", "now")},
		"planned, but no such object": {KeepPlanned(null, object("1", "2"), []string{"a", "b"}), null},
	} {
		if !test.got.Equal(test.want) {
			t.Errorf("%s: got %s, want %s", name, test.got, test.want)
		}
	}
}
