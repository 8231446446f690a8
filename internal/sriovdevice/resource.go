// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package sriovdevice is the resource and data source harvester_sriov_network_device: the virtual functions of a network card
// of a node. The card's object is the node's; the resource sets a number in it.
package sriovdevice

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_sriov_network_device"

// Resource is harvester_sriov_network_device.
type Resource struct{ tfbase.Base }

var _ tfbase.Complete = (*Resource)(nil)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// NewDataSource returns the data source, not yet configured.
func NewDataSource() datasource.DataSource {
	return tfbase.DataSource[model]{
		TypeName: Type, What: what, Schema: cardSchema(),
		Look: func(ctx context.Context, s *session.Session, _, name string, m *model) error {
			card, err := cardsOf(s).Get(ctx, "", name)
			if kube.Unserved(err) {
				return &objects.DescribedError{Diagnostics: diag.Diagnostics{withoutAddon(what+` "`+name+`"`, "")}}
			}
			if err != nil {
				return err
			}
			if diags := m.fill(ctx, card); diags.HasError() {
				return &objects.DescribedError{Diagnostics: diags}
			}
			return nil
		},
	}.New()
}

// NewListResource returns the list resource, not yet configured.
func NewListResource() list.ListResource {
	return tfbase.Listing{
		TypeName: Type, What: what, Resource: api.SRIOVNetworkDevices,
		Note: "So are cards without virtual functions.",
		Offers: func(_ context.Context, _ *session.Session, object *unstructured.Unstructured) (bool, error) {
			card, err := kube.Decode[api.SRIOVNetworkDevice](object)
			return err == nil && card.Spec.NumVFs > 0, err
		},
		Show: func(ctx context.Context, _ *session.Session, object *unstructured.Unstructured) (any, error) {
			card, err := kube.Decode[api.SRIOVNetworkDevice](object)
			if err != nil {
				return nil, err
			}
			m, diags := tfbase.Blank[model](ctx, cardSchema())
			if diags.Append(m.fill(ctx, card)...); diags.HasError() {
				return nil, &objects.DescribedError{Diagnostics: diags}
			}
			return m, nil
		},
	}.New()
}

func cardsOf(s *session.Session) kube.Resource[api.SRIOVNetworkDevice] {
	return kube.For[api.SRIOVNetworkDevice](s.Client, api.SRIOVNetworkDevices, "SRIOVNetworkDevice")
}

// Schema describes the resource.
func (r *Resource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = cardSchema()
}

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return tfbase.FromOfficial(cardSchema(), nil)
}

// IdentitySchema is that of the address of the card.
func (r *Resource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = tfbase.ClusterScopedAddress(what)
}

// ImportState takes the name of the card, or the address.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportClusterScoped(ctx, req, resp)
}

// ValidateConfig has nothing to check: how much a card can do is not in the API.
func (r *Resource) ValidateConfig(context.Context, resource.ValidateConfigRequest, *resource.ValidateConfigResponse) {
}

// ModifyPlan looks at the card, and leaves open what follows from another number.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan model
	var state *model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	if state != nil {
		tfbase.Calm(&resp.Plan, req.State, cardSchema(), plan.stirs(state))
	}
	if r.Session == nil || r.Session.PlanChecks == session.ChecksOff || plan.Name.IsUnknown() {
		return
	}
	_, diags := r.check(ctx, &plan, false)
	resp.Diagnostics.Append(r.Session.PlanChecks.Soften(diags...)...)
}

// Create sets the number of virtual functions as configured.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &plan)...)
	ctx, cancel := plan.Timeouts.Creating(ctx, limits) // F4: the official provider takes the limit of updates
	defer cancel()
	resp.Diagnostics.Append(r.apply(ctx, &plan, nil, resp.Private, &resp.State)...)
}

// Update sets the number of virtual functions as configured.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.State.Get(ctx, &state)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &plan)...)
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()
	if resp.Diagnostics.Append(r.apply(ctx, &plan, &state, resp.Private, &resp.State)...); !resp.Diagnostics.HasError() {
		resp.State.Raw = tfbase.KeepPlanned(resp.State.Raw, req.Plan.Raw, tfbase.Observed(cardSchema()))
	}
}

// Read refreshes the state. Only the absence of the card removes it: without the add-on nothing is known of it.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &state)...)
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()
	card, err := cardsOf(r.Session).Get(ctx, "", state.Name.ValueString())
	switch {
	case kube.Unserved(err):
		resp.Diagnostics.Append(withoutAddon(state.title(), "The state was left as it was."))
	case tfbase.Found(ctx, state.title(), err, resp):
		resp.Diagnostics.Append(save(ctx, &state, card, &resp.State)...)
	}
}

// Delete removes the virtual functions, if this resource, or the official provider, made them.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	if found(ctx, req.Private) || state.VirtualFunctions.ValueInt64() == 0 {
		return
	}
	card, err := cardsOf(r.Session).Get(ctx, "", state.Name.ValueString())
	switch {
	case apierrors.IsNotFound(err): // with its node, or the add-on
	case err != nil:
		resp.Diagnostics.Append(diagnose.API("look at", state.title(), "It was left as it was.", err))
	case card.Spec.NumVFs != 0 || !settled(card, 0):
		resp.Diagnostics.Append(set(ctx, r.Session, &state, 0)...)
	}
}

// keyFound notes that the card had its virtual functions before: they stay when the resource goes.
const keyFound = "found"

func found(ctx context.Context, private tfbase.PrivateReader) bool {
	text, _ := private.GetKey(ctx, keyFound)
	return string(text) == "true"
}

// apply brings the card to what is planned.
func (r *Resource) apply(ctx context.Context, plan, state *model, private tfbase.Private, into *tfsdk.State) diag.Diagnostics {
	card, diags := r.check(ctx, plan, true)
	if diags.HasError() {
		return diags
	}
	wanted := plan.VirtualFunctions
	leave := wanted.IsNull() || wanted.IsUnknown()
	switch {
	case state == nil && (leave || wanted.ValueInt64() == card.Spec.NumVFs):
		diags.Append(private.SetKey(ctx, keyFound, []byte("true"))...)
	case !leave && wanted.ValueInt64() != card.Spec.NumVFs:
		diags.Append(private.SetKey(ctx, keyFound, nil)...)
	}
	card, more := describe(ctx, r.Session, plan, state, card)
	diags.Append(more...)
	diags.Append(save(ctx, plan, card, into)...) // it is in the state before the wait begins
	if diags.HasError() {
		return diags
	}
	if !leave {
		diags.Append(reach(ctx, r.Session, plan, card, wanted.ValueInt64())...)
	}
	return append(diags, r.refresh(ctx, plan, into)...)
}

// refresh puts the card as it is now into the state.
func (r *Resource) refresh(ctx context.Context, m *model, into *tfsdk.State) diag.Diagnostics {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.Read)
	defer cancel()
	card, err := cardsOf(r.Session).Get(ctx, "", m.Name.ValueString())
	if err != nil {
		if apierrors.IsNotFound(err) {
			into.RemoveResource(ctx)
		}
		return diag.Diagnostics{diagnose.API("read", m.title(), "", err)}
	}
	return save(ctx, m, card, into)
}

func save(ctx context.Context, m *model, card *api.SRIOVNetworkDevice, into *tfsdk.State) diag.Diagnostics {
	diags := m.fill(ctx, card)
	return append(diags, into.Set(ctx, m)...)
}

// withoutAddon says what is missing where the API does not know the cards.
func withoutAddon(title, left string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("SR-IOV network devices are not enabled", diagnose.Paragraphs(
		"The "+title+" cannot be looked at: this cluster knows no such devices.", left,
		"Enable the add-on pcidevices-controller (in Harvester's dashboard: Advanced, Add-ons)."))
}
