// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package pcidevice is the resource and data source harvester_pcidevice: the passthrough of a device of a node. The device
// is the node's; what the resource makes is its claim.
package pcidevice

import (
	"context"
	"slices"

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
const Type = "harvester_pcidevice"

// Resource is harvester_pcidevice.
type Resource struct{ tfbase.Base }

var _ tfbase.Complete = (*Resource)(nil)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// NewDataSource returns the data source, not yet configured.
func NewDataSource() datasource.DataSource {
	return tfbase.DataSource[model]{
		TypeName: Type, What: what, Schema: deviceSchema(), Omit: []string{"description", "tags", "labels"},
		Look: func(ctx context.Context, s *session.Session, _, name string, m *model) error {
			seen, err := look(ctx, s, name)
			if kube.Unserved(err) {
				return &objects.DescribedError{Diagnostics: diag.Diagnostics{withoutAddon(`PCI device "`+name+`"`, "")}}
			}
			if err != nil {
				return err
			}
			if diags := m.fill(ctx, seen); diags.HasError() {
				return &objects.DescribedError{Diagnostics: diags}
			}
			return nil
		},
	}.New()
}

// NewListResource returns the list resource, not yet configured.
func NewListResource() list.ListResource {
	return tfbase.Listing{
		TypeName: Type, What: what, Resource: api.PCIDevices,
		Note: "So are devices that are not passed through.",
		Offers: func(ctx context.Context, s *session.Session, object *unstructured.Unstructured) (bool, error) {
			claims, err := claimsOf(s).RecentAll(ctx, "")
			return slices.ContainsFunc(claims, func(c api.PCIDeviceClaim) bool { return c.Name == object.GetName() && c.DeletionTimestamp == nil }), err
		},
		Show: func(ctx context.Context, s *session.Session, object *unstructured.Unstructured) (any, error) {
			seen, err := look(ctx, s, object.GetName())
			if err != nil {
				return nil, err
			}
			m, diags := tfbase.Blank[model](ctx, deviceSchema())
			if diags.Append(m.fill(ctx, seen)...); diags.HasError() {
				return nil, &objects.DescribedError{Diagnostics: diags}
			}
			return m, nil
		},
	}.New()
}

// Schema describes the resource.
func (r *Resource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = deviceSchema()
}

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return tfbase.FromOfficial(deviceSchema(), nil)
}

// IdentitySchema is that of the address of the device.
func (r *Resource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = tfbase.ClusterScopedAddress(what)
}

// ImportState takes the name of the device, or the address.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportClusterScoped(ctx, req, resp)
}

// ValidateConfig has nothing to check: names of nodes are checked against the cluster, with the plan.
func (r *Resource) ValidateConfig(context.Context, resource.ValidateConfigRequest, *resource.ValidateConfigResponse) {
}

// ModifyPlan looks at the device.
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
		tfbase.Calm(&resp.Plan, req.State, deviceSchema(), plan.stirs(state))
	}
	if r.Session == nil || r.Session.PlanChecks == session.ChecksOff || plan.Name.IsUnknown() {
		return
	}
	resp.Diagnostics.Append(r.Session.PlanChecks.Soften(r.check(ctx, &plan, false)...)...)
}

// Create switches the passthrough as configured. The device is in the state before the wait begins.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &plan)...)
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(r.apply(ctx, &plan, nil, resp.Private, &resp.State)...)
}

// Update switches the passthrough as configured.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state model
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.State.Get(ctx, &state)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &plan)...)
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()
	if resp.Diagnostics.Append(r.apply(ctx, &plan, &state, resp.Private, &resp.State)...); !resp.Diagnostics.HasError() {
		resp.State.Raw = tfbase.KeepPlanned(resp.State.Raw, req.Plan.Raw, tfbase.Observed(deviceSchema()))
	}
}

// Read refreshes the state. Only the absence of the device removes it: without the add-on nothing is known of it.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	resp.Diagnostics.Append(tfbase.Locate(ctx, resp.Identity, &state)...)
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()
	seen, err := look(ctx, r.Session, state.Name.ValueString())
	switch {
	case kube.Unserved(err):
		resp.Diagnostics.Append(withoutAddon(state.title(), "The state was left as it was."))
	case tfbase.Found(ctx, state.title(), err, resp):
		if seen.claim != nil {
			settle(ctx, r.Session, seen.claim)
		}
		resp.Diagnostics.Append(save(ctx, &state, seen, &resp.State)...)
	}
}

// Delete switches the passthrough off, if this resource, or the official provider, switched it on.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, &state)) {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	made := madeBy(ctx, req.Private)
	if made.Foreign || !state.PassthroughEnabled.ValueBool() {
		return
	}
	resp.Diagnostics.Append(disable(ctx, r.Session, &state, made.UID)...)
}

// apply brings the device to what is planned.
func (r *Resource) apply(ctx context.Context, plan, state *model, private tfbase.Private, into *tfsdk.State) diag.Diagnostics {
	diags := r.check(ctx, plan, true)
	if diags.HasError() {
		return diags
	}
	if plan.PassthroughEnabled.IsUnknown() || plan.PassthroughEnabled.IsNull() { // leave it as it is
		return append(diags, r.refresh(ctx, plan, into)...)
	}
	if !plan.PassthroughEnabled.ValueBool() {
		if diags.Append(disable(ctx, r.Session, plan, "")...); diags.HasError() {
			return diags
		}
		diags.Append(madeWith(ctx, private, maker{})...)
		return append(diags, r.refresh(ctx, plan, into)...)
	}
	claim, finish, more := r.enable(ctx, plan, state, private)
	defer finish()
	if diags.Append(more...); diags.HasError() {
		return diags
	}
	if diags.Append(r.refresh(ctx, plan, into)...); diags.HasError() {
		return diags
	}
	diags.Append(awaitEnabled(ctx, r.Session, plan, claim)...)
	return append(diags, r.refresh(ctx, plan, into)...)
}

// refresh puts the device as it is now into the state.
func (r *Resource) refresh(ctx context.Context, m *model, into *tfsdk.State) diag.Diagnostics {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.Read)
	defer cancel()
	seen, err := look(ctx, r.Session, m.Name.ValueString())
	if err != nil {
		if apierrors.IsNotFound(err) {
			into.RemoveResource(ctx)
		}
		return diag.Diagnostics{diagnose.API("read", m.title(), "", err)}
	}
	return save(ctx, m, seen, into)
}

func save(ctx context.Context, m *model, seen *sight, into *tfsdk.State) diag.Diagnostics {
	diags := m.fill(ctx, seen)
	return append(diags, into.Set(ctx, m)...)
}

// withoutAddon says what is missing where the API does not know the devices.
func withoutAddon(title, left string) diag.Diagnostic {
	return diag.NewErrorDiagnostic("PCI devices are not enabled", diagnose.Paragraphs(
		"The "+title+" cannot be looked at: this cluster knows no PCI devices.", left,
		"Enable the add-on pcidevices-controller (in Harvester's dashboard: Advanced, Add-ons)."))
}
