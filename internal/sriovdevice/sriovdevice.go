// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package sriovdevice is the resource and data source harvester_sriov_network_device: the virtual functions of a network card
// of a node. The card's object is the node's; the resource sets a number in it.
package sriovdevice

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_sriov_network_device"

// Kind declares them.
var Kind = &tfbase.Device[model, *model, *api.SRIOVNetworkDevice]{
	TypeName: Type, What: what,
	Resource: api.SRIOVNetworkDevices, Addon: "pcidevices-controller",
	Schema: cardSchema(), Limits: limits,
	Offers: hasFunctions, Note: "So are cards without virtual functions.",
	Look: func(ctx context.Context, s *session.Session, name string) (*api.SRIOVNetworkDevice, error) {
		return cardsOf(s).Get(ctx, "", name)
	},
	Missing: missing, Check: check,
	Switch: divide, Restore: restore,
}

func cardsOf(s *session.Session) kube.Resource[api.SRIOVNetworkDevice] {
	return kube.For[api.SRIOVNetworkDevice](s.Client, api.SRIOVNetworkDevices, "SRIOVNetworkDevice")
}

func hasFunctions(_ context.Context, _ *session.Session, object *unstructured.Unstructured) (bool, error) {
	card, err := kube.Decode[api.SRIOVNetworkDevice](object)
	return err == nil && card.Spec.NumVFs > 0, err
}

// keyFound notes that the card had its virtual functions before: they stay when the resource goes.
const keyFound = "found"

func found(ctx context.Context, private tfbase.PrivateReader) bool {
	text, _ := private.GetKey(ctx, keyFound)
	return string(text) == "true"
}

// divide sets the number of virtual functions as configured. The card is in the state before the wait begins.
func divide(ctx context.Context, s *switching) (diags diag.Diagnostics) {
	card, wanted := s.Seen, s.Plan.VirtualFunctions
	leave := wanted.IsNull() || wanted.IsUnknown()
	switch {
	case s.State == nil && (leave || wanted.ValueInt64() == card.Spec.NumVFs):
		diags.Append(s.Private.SetKey(ctx, keyFound, []byte("true"))...)
	case !leave && wanted.ValueInt64() != card.Spec.NumVFs:
		diags.Append(s.Private.SetKey(ctx, keyFound, nil)...)
	}
	card, more := describe(ctx, s, card)
	diags.Append(more...)
	diags.Append(s.Save(ctx)...)
	if leave || diags.HasError() {
		return diags
	}
	return append(diags, reach(ctx, s.Session, s.Plan, card, wanted.ValueInt64())...)
}

// restore removes the virtual functions, if this resource, or the official provider, made them.
func restore(ctx context.Context, s *session.Session, state *model, private tfbase.PrivateReader) diag.Diagnostics {
	if found(ctx, private) || state.VirtualFunctions.ValueInt64() == 0 {
		return nil
	}
	card, err := cardsOf(s).Get(ctx, "", state.Name.ValueString())
	switch {
	case apierrors.IsNotFound(err): // with its node, or the add-on
		return nil
	case err != nil:
		return diag.Diagnostics{diagnose.API("look at", state.title(), "It was left as it was.", err)}
	case card.Spec.NumVFs != 0 || !settled(card, 0):
		return set(ctx, s, state, 0)
	}
	return nil
}
