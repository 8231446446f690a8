// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// Device declares the resource, data source and list of a kind of device of the nodes. A device is there before its resource
// and after it, made by an agent that comes with an add-on; the resource switches something of it. S is what is seen of one.
type Device[M any, P DeviceModel[M, S], S any] struct {
	TypeName string
	// What the device is in messages, as in "PCI device".
	What string
	// Resource is what the API calls it.
	Resource apischema.GroupVersionResource
	// Addon is the add-on that brings the kind.
	Addon  string
	Schema schema.Schema
	Limits Limits
	// Omit is that of the DataSource, Offers and Note are those of the Listing.
	Omit   []string
	Offers Offer
	Note   string

	// Look reads a device. The error is the API's.
	Look func(ctx context.Context, s *session.Session, name string) (S, error)
	// Settle takes the mark of an interrupted creation off; optional.
	Settle func(ctx context.Context, s *session.Session, seen S)
	// Missing says what there is instead of a device that is not there.
	Missing func(ctx context.Context, s *session.Session, plan P, left string) diag.Diagnostic
	// Check is what would keep the device from what is planned.
	Check func(ctx context.Context, c *Checking[P], seen S) diag.Diagnostics
	// Switch brings the device to what is planned.
	Switch func(ctx context.Context, s *Switching[P, S]) diag.Diagnostics
	// Restore ends what the resource, or the official provider, switched on.
	Restore func(ctx context.Context, s *session.Session, state P, private PrivateReader) diag.Diagnostics
}

// DeviceModel is a device's model, as a pointer to M. It embeds ObjectModel, which its own Fill fills too.
type DeviceModel[M, S any] interface {
	*M
	Base() *ObjectModel
	Key() (namespace, name string)

	// Fill takes over what the cluster has.
	Fill(ctx context.Context, seen S) diag.Diagnostics
	// Stirs names what the change from a state moves of what is only shown; all else stays known in its plan.
	Stirs(state *M) []string
}

// Switching is a device that is brought to what is planned.
type Switching[P, S any] struct {
	Session *session.Session
	// State is nil if the resource is new.
	Plan, State P
	// Seen is what the check saw.
	Seen    S
	Private Private
	// Metadata is the merge patch of description, tags and labels; empty if they stay.
	Metadata map[string]any
	// Save puts the device as it is into the state, as before a wait. In the end the frame does that too.
	Save func(ctx context.Context) diag.Diagnostics
}

// NewResource returns the resource, not yet configured.
func (d *Device[M, P, S]) NewResource() resource.Resource {
	return &device[M, P, S]{Base: Base{TypeName: d.TypeName}, Device: d}
}

// NewDataSource returns the data source, not yet configured.
func (d *Device[M, P, S]) NewDataSource() datasource.DataSource {
	return DataSource[M]{
		TypeName: d.TypeName, What: d.What, Schema: d.Schema, Omit: d.Omit,
		Look: func(ctx context.Context, s *session.Session, _, name string, m *M) error {
			seen, err := d.Look(ctx, s, name)
			if kube.Unserved(err) {
				return &objects.DescribedError{Diagnostics: diag.Diagnostics{d.withoutAddon(fmt.Sprintf("%s %q", d.What, name), "")}}
			}
			if err != nil {
				return err
			}
			return objects.Described(P(m).Fill(ctx, seen))
		},
	}.New()
}

// NewListResource returns the list resource, not yet configured.
func (d *Device[M, P, S]) NewListResource() list.ListResource {
	return Listing{
		TypeName: d.TypeName, What: d.What, Resource: d.Resource, Offers: d.Offers, Note: d.Note,
		Show: func(ctx context.Context, s *session.Session, object *unstructured.Unstructured) (any, error) {
			seen, err := d.Look(ctx, s, object.GetName())
			if err != nil {
				return nil, err
			}
			m, diags := Blank[M](ctx, d.Schema)
			if !diags.HasError() {
				diags.Append(P(m).Fill(ctx, seen)...)
			}
			return m, objects.Described(diags)
		},
	}.New()
}

// withoutAddon says what is missing where the API does not know the kind.
func (d *Device[M, P, S]) withoutAddon(title, left string) diag.Diagnostic {
	return diag.NewErrorDiagnostic(d.What+"s are not enabled", diagnose.Paragraphs(
		fmt.Sprintf("The %s cannot be looked at: this cluster knows no %ss.", title, d.What), left,
		fmt.Sprintf("Enable the add-on %s (in Harvester's dashboard: Advanced, Add-ons).", d.Addon)))
}

// device is the resource of a kind of device.
type device[M any, P DeviceModel[M, S], S any] struct {
	Base
	*Device[M, P, S]
}

// Schema describes the resource.
func (r *device[M, P, S]) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = r.Device.Schema
}

// UpgradeState takes over states of the official provider.
func (r *device[M, P, S]) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return FromOfficial(r.Device.Schema, nil)
}

// IdentitySchema is that of the address of the device.
func (r *device[M, P, S]) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = ClusterScopedAddress(r.What)
}

// ImportState takes the name of the device, or the address.
func (r *device[M, P, S]) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	ImportClusterScoped(ctx, req, resp)
}

// ValidateConfig has nothing to check: what a device can do, the cluster tells.
func (r *device[M, P, S]) ValidateConfig(context.Context, resource.ValidateConfigRequest, *resource.ValidateConfigResponse) {
}

// ModifyPlan looks at the device.
func (r *device[M, P, S]) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	c := &Checking[P]{Session: r.Session, Plan: new(M)}
	resp.Diagnostics.Append(req.Plan.Get(ctx, c.Plan)...)
	if !req.State.Raw.IsNull() {
		c.State = new(M)
		resp.Diagnostics.Append(req.State.Get(ctx, c.State)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if c.State != nil {
		Calm(&resp.Plan, req.State, r.Device.Schema, c.Plan.Stirs(c.State))
	}
	if r.Session == nil || r.Session.PlanChecks == session.ChecksOff || c.Plan.Base().Name.IsUnknown() {
		return
	}
	resp.Diagnostics.Append(r.Session.Within(ctx, func(ctx context.Context) diag.Diagnostics {
		_, diags := r.check(ctx, c)
		return r.Session.PlanChecks.Soften(diags...)
	})...)
}

// check finds the device, and what would keep it from what is planned.
func (r *device[M, P, S]) check(ctx context.Context, c *Checking[P]) (seen S, diags diag.Diagnostics) {
	title := Title(r.What, c.Plan)
	seen, err := r.Look(ctx, r.Session, c.Plan.Base().Name.ValueString())
	switch {
	case kube.Unserved(err):
		diags = diag.Diagnostics{r.withoutAddon(title, c.Left())}
	case apierrors.IsNotFound(err) && !c.Applying:
		// Terraform plans what a refresh removed before it destroys, so that an error would block the destruction.
		diags = session.Warnings(r.Missing(ctx, r.Session, c.Plan, c.Left()))
	case apierrors.IsNotFound(err):
		diags = diag.Diagnostics{r.Missing(ctx, r.Session, c.Plan, c.Left())}
	case err != nil && c.Applying:
		diags = diag.Diagnostics{diagnose.API("look at", title, c.Left(), err)}
	case err != nil:
		diags = r.Session.Unchecked(err)
	default:
		diags = r.Check(ctx, c, seen)
	}
	return seen, diags
}

// Create switches the device as configured.
func (r *device[M, P, S]) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	plan := P(new(M))
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, plan)) {
		return
	}
	resp.Diagnostics.Append(Locate(ctx, resp.Identity, plan)...)
	ctx, cancel := plan.Base().Timeouts.Creating(ctx, r.Limits)
	defer cancel()
	resp.Diagnostics.Append(r.apply(ctx, &Switching[P, S]{Plan: plan, Private: resp.Private}, &resp.State)...)
}

// Update switches the device as configured.
func (r *device[M, P, S]) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	plan, state := P(new(M)), P(new(M))
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, plan), req.State.Get(ctx, state)) {
		return
	}
	resp.Diagnostics.Append(Locate(ctx, resp.Identity, plan)...)
	ctx, cancel := plan.Base().Timeouts.Updating(ctx, r.Limits)
	defer cancel()
	switching := &Switching[P, S]{Plan: plan, State: state, Private: resp.Private}
	if resp.Diagnostics.Append(r.apply(ctx, switching, &resp.State)...); !resp.Diagnostics.HasError() {
		resp.State.Raw = KeepPlanned(resp.State.Raw, req.Plan.Raw, Observed(r.Device.Schema))
	}
}

// apply brings the device to what is planned. Once it is in the state it is there as it is, also when something fails.
func (r *device[M, P, S]) apply(ctx context.Context, switching *Switching[P, S], into *tfsdk.State) diag.Diagnostics {
	seen, diags := r.check(ctx, &Checking[P]{Session: r.Session, Plan: switching.Plan, State: switching.State, Applying: true})
	if diags.HasError() {
		return diags
	}
	before := Metadata{}
	if switching.State != nil {
		before = switching.State.Base().Metadata()
	}
	metadata, more := Patch(ctx, before, switching.Plan.Base().Metadata())
	if diags.Append(more...); diags.HasError() {
		return diags
	}
	saved := false
	switching.Session, switching.Seen, switching.Metadata = r.Session, seen, metadata
	switching.Save = func(ctx context.Context) diag.Diagnostics {
		saved = true
		return r.save(ctx, switching.Plan, into)
	}
	if diags.Append(r.Switch(ctx, switching)...); diags.HasError() && !saved {
		return diags
	}
	diags.Append(r.save(ctx, switching.Plan, into)...) // what was said already is not said twice
	return diags
}

// save puts the device as it is now into the state.
func (r *device[M, P, S]) save(ctx context.Context, m P, into *tfsdk.State) diag.Diagnostics {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Limits.Read)
	defer cancel()
	seen, err := r.Look(ctx, r.Session, m.Base().Name.ValueString())
	if err != nil {
		if apierrors.IsNotFound(err) {
			into.RemoveResource(ctx)
		}
		return diag.Diagnostics{diagnose.API("read", Title(r.What, m), "", err)}
	}
	return append(m.Fill(ctx, seen), into.Set(ctx, m)...)
}

// Read refreshes the state. Only the absence of the device removes it: without the add-on nothing is known of it.
func (r *device[M, P, S]) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	state := P(new(M))
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, state)) {
		return
	}
	resp.Diagnostics.Append(Locate(ctx, resp.Identity, state)...)
	ctx, cancel := state.Base().Timeouts.Reading(ctx, r.Limits)
	defer cancel()
	seen, err := r.Look(ctx, r.Session, state.Base().Name.ValueString())
	switch title := Title(r.What, state); {
	case kube.Unserved(err):
		resp.Diagnostics.Append(r.withoutAddon(title, "The state was left as it was."))
	case Found(ctx, title, err, resp):
		if r.Settle != nil {
			r.Settle(ctx, r.Session, seen)
		}
		resp.Diagnostics.Append(state.Fill(ctx, seen)...)
		resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
	}
}

// Delete ends what the resource switched on.
func (r *device[M, P, S]) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	state := P(new(M))
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, state)) {
		return
	}
	ctx, cancel := state.Base().Timeouts.Deleting(ctx, r.Limits)
	defer cancel()
	resp.Diagnostics.Append(r.Restore(ctx, r.Session, state, req.Private)...)
}
