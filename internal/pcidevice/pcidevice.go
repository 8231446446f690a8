// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package pcidevice is the resource and data source harvester_pcidevice: the passthrough of a device of a node. The device
// is the node's; what the resource makes is its claim.
package pcidevice

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_pcidevice"

// Kind declares them.
var Kind = &tfbase.Device[model, *model, *sight]{
	TypeName: Type, What: what,
	Resource: api.PCIDevices, Addon: "pcidevices-controller",
	Schema: deviceSchema(), Limits: limits,
	Omit:   []string{"description", "tags", "labels"},
	Offers: passedThrough, Note: "So are devices that are not passed through.",
	Look: look, Settle: settle, Missing: missing, Check: check,
	Switch: passThrough, Restore: restore,
}

func passedThrough(ctx context.Context, s *session.Session, object *unstructured.Unstructured) (bool, error) {
	claims, err := claimsOf(s).RecentAll(ctx, "")
	return slices.ContainsFunc(claims, func(c api.PCIDeviceClaim) bool { return c.Name == object.GetName() && c.DeletionTimestamp == nil }), err
}

// passThrough switches the passthrough as configured.
func passThrough(ctx context.Context, s *switching) diag.Diagnostics {
	wanted := s.Plan.PassthroughEnabled
	switch {
	case wanted.IsNull() || wanted.IsUnknown():
		return nil // it is left as it is
	case wanted.ValueBool():
		return enable(ctx, s)
	}
	diags := disable(ctx, s.Session, s.Plan, "")
	if !diags.HasError() {
		diags.Append(madeWith(ctx, s.Private, maker{})...)
	}
	return diags
}

// restore switches the passthrough off, if this resource, or the official provider, switched it on.
func restore(ctx context.Context, s *session.Session, state *model, private tfbase.PrivateReader) diag.Diagnostics {
	made := madeBy(ctx, private)
	if made.Foreign || !state.PassthroughEnabled.ValueBool() {
		return nil
	}
	return disable(ctx, s, state, made.UID)
}
