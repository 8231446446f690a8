// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"

	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// framed is the resource of a kind.
type framed[M any, P Model[M, T], T any, O objects.Object[T]] struct {
	Base
	*Kind[M, P, T, O]
}

// Schema describes the resource.
func (r *framed[M, P, T, O]) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = r.Kind.Schema
}

// UpgradeState takes over states of the official provider.
func (r *framed[M, P, T, O]) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return FromOfficial(r.Kind.Schema, r.Clean)
}

// IdentitySchema is that of the address of the object.
func (r *framed[M, P, T, O]) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = r.address()
}

// ImportState takes namespace/name, or the name of a kind without a namespace, or what the kind says; or the address.
func (r *framed[M, P, T, O]) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	switch {
	case r.ParseID != nil:
		importBy(ctx, req, resp, r.ParseID, ParseID)
	case !r.namespaced():
		ImportClusterScoped(ctx, req, resp)
	default:
		ImportNamespaced(ctx, req, resp)
	}
}

// ValidateConfig checks the arguments against one another.
func (r *framed[M, P, T, O]) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	config := P(new(M))
	resp.Diagnostics.Append(req.Config.Get(ctx, config)...)
	if r.Validate != nil && !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.Validate(ctx, config)...)
	}
}

// ModifyPlan fills in what is computed, and checks what apply would refuse.
func (r *framed[M, P, T, O]) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		r.planDelete(ctx, req, resp)
		return
	}
	p := Planning[P]{Session: r.Session, Config: new(M), Plan: new(M)}
	resp.Diagnostics.Append(req.Config.Get(ctx, p.Config)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, p.Plan)...)
	if !req.State.Raw.IsNull() {
		p.State, p.Imported = new(M), imported(ctx, req.Private)
		resp.Diagnostics.Append(req.State.Get(ctx, p.State)...)
	}
	if resp.Diagnostics.HasError() || p.State != nil && ReplaceTerminating(ctx, p.State.Base().State, resp) {
		return
	}
	resp.Diagnostics.Append(r.Session.Within(ctx, func(ctx context.Context) diag.Diagnostics { return r.plan(ctx, &p, req, resp) })...)
}

func (r *framed[M, P, T, O]) plan(ctx context.Context, p *Planning[P], req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) (diags diag.Diagnostics) {
	if r.Plan != nil {
		diags = r.Plan(ctx, p)
		diags.Append(resp.Plan.Set(ctx, p.Plan)...)
	}
	switch replaced := p.State != nil && r.Replaces != nil && r.Replaces(p.Plan, p.State); {
	case p.keep:
		resp.Plan.Raw = req.State.Raw
		return diags
	case p.State == nil:
		r.Session.Promise(r.Resource, p.Plan)
	case !replaced:
		Calm(&resp.Plan, req.State, r.Kind.Schema, r.stirred(p.Plan, p.State))
	}
	if !diags.HasError() {
		diags.Append(r.planChecks(ctx, p)...)
	}
	return diags
}

// stirred names what the cluster shows of the object and the change moves.
func (r *framed[M, P, T, O]) stirred(plan, state P) []string {
	if r.Stirs == nil {
		return nil
	}
	return r.Stirs(plan, state)
}

func (r *framed[M, P, T, O]) planDelete(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.PlanDelete == nil || r.Session == nil || req.State.Raw.IsNull() {
		return
	}
	state := P(new(M))
	if resp.Diagnostics.Append(req.State.Get(ctx, state)...); !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(r.Session.Within(ctx, func(ctx context.Context) diag.Diagnostics {
			return r.PlanDelete(ctx, r.Session, state, resp.Private)
		})...)
	}
}

// planChecks is what apply would refuse as things are. The second half of a replacement is
// planned as a creation, and checked there.
func (r *framed[M, P, T, O]) planChecks(ctx context.Context, p *Planning[P]) diag.Diagnostics {
	s := r.Session
	if r.Check == nil || s == nil || s.PlanChecks == session.ChecksOff || p.State != nil && r.Replaces != nil && r.Replaces(p.Plan, p.State) {
		return nil
	}
	return s.PlanChecks.Soften(r.Check(ctx, &Checking[P]{Session: s, Plan: p.Plan, State: p.State})...)
}

// ready runs the checks right before the first write.
func (r *framed[M, P, T, O]) ready(ctx context.Context, plan, state P) diag.Diagnostics {
	if r.Check == nil {
		return nil
	}
	return r.Check(ctx, &Checking[P]{Session: r.Session, Plan: plan, State: state, Applying: true})
}

// Create makes the object and waits until it can be used. It is in the state before the wait begins.
func (r *framed[M, P, T, O]) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	plan, config := P(new(M)), P(new(M))
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, plan), req.Config.Get(ctx, config)) {
		return
	}
	resp.Diagnostics.Append(Locate(ctx, resp.Identity, plan)...)
	ctx, cancel := plan.Base().Timeouts.Creating(ctx, r.Limits)
	defer cancel()

	object, finish, diags := r.create(ctx, plan, config)
	defer finish()
	if resp.Diagnostics.Append(diags...); resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(Own(ctx, resp.Private, object)...)
	resp.Diagnostics.Append(r.save(ctx, plan, object, &resp.State)...)
	if r.Await == nil {
		return
	}
	object, diags = r.Await(ctx, r.Session, plan, nil, object)
	resp.Diagnostics.Append(diags...)
	if object != nil {
		resp.Diagnostics.Append(Own(ctx, resp.Private, object)...)
	}
	resp.Diagnostics.Append(r.save(ctx, plan, object, &resp.State)...)
}

func (r *framed[M, P, T, O]) create(ctx context.Context, plan, config P) (object O, finish func(), diags diag.Diagnostics) {
	finish = func() {}
	if diags = r.ready(ctx, plan, nil); diags.HasError() {
		return nil, finish, diags
	}
	if r.WriteOnly != nil {
		r.WriteOnly(plan, config)
	}
	wanted, more := Wanted[M, T, P, O](ctx, plan)
	if diags.Append(more...); diags.HasError() {
		return nil, finish, diags
	}
	if r.Prepare != nil {
		if diags.Append(r.Prepare(ctx, r.Session, plan, wanted)...); diags.HasError() {
			return nil, finish, diags
		}
	}
	object, finish, more = r.creation(plan, wanted).Run(ctx)
	return object, finish, append(diags, more...)
}

func (r *framed[M, P, T, O]) creation(plan P, wanted O) objects.Creation[O] {
	api := r.objects(r.Session)
	creation := objects.Creating(r.Session.Hub, api, Title(r.what(), plan), wanted)
	creation.Left = NothingDone
	creation.Foreign = objects.Foreign{Type: r.Kind.TypeName, ID: KeyID(plan), One: r.One, Short: r.Short, Instead: r.Instead}
	if r.Intent != nil {
		creation.Intent = objects.Fingerprint(r.Intent(wanted)...)
	}
	creation.Send = func(ctx context.Context) (O, error) {
		return r.send(ctx, func() (O, error) { return api.Create(ctx, wanted.GetNamespace(), wanted) })
	}
	creation.Annotate = r.annotate
	creation.TakeOver = func(ctx context.Context, existing O) (O, error) { return r.takeOver(ctx, plan, existing) }
	if r.Kind.Create != nil {
		r.Kind.Create(r.Session, plan, wanted, &creation)
	}
	return creation
}

// takeOver changes what an interrupted creation made to what is planned now, as an update would.
func (r *framed[M, P, T, O]) takeOver(ctx context.Context, plan P, existing O) (O, error) {
	before := P(new(M))
	*before = *plan
	diags := Fill[M, T, P, O](ctx, before, existing)
	patch, more := Changes[M, T](ctx, plan, before)
	if diags.Append(more...); diags.HasError() {
		return nil, &objects.DescribedError{Diagnostics: diags}
	}
	identity := objects.Identity{Title: Title(r.what(), plan), Namespace: existing.GetNamespace(), Name: existing.GetName(), UID: existing.GetUID()}
	return r.send(ctx, func() (O, error) { return objects.Change[T, O](ctx, r.objects(r.Session), identity, patch) })
}

func (r *framed[M, P, T, O]) annotate(ctx context.Context, object O, metadata map[string]any) (O, error) {
	if r.Annotate != nil {
		return r.Annotate(ctx, r.Session, object, metadata)
	}
	return r.objects(r.Session).Patch(ctx, object.GetNamespace(), object.GetName(), map[string]any{"metadata": metadata})
}

func (r *framed[M, P, T, O]) send(ctx context.Context, request func() (O, error)) (O, error) {
	if r.Send == nil {
		return request()
	}
	return r.Send(ctx, r.Session, request)
}

// Read refreshes the state. Only a NotFound removes it.
func (r *framed[M, P, T, O]) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	state := P(new(M))
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, state)) {
		return
	}
	resp.Diagnostics.Append(Locate(ctx, resp.Identity, state)...)
	ctx, cancel := state.Base().Timeouts.Reading(ctx, r.Limits)
	defer cancel()

	identity := Identity(ctx, req.Private, r.what(), state)
	object, err := r.look(ctx, r.Session, state, false)
	if !Found(ctx, identity.Title, err, resp) {
		return
	}
	ours, diags := Recognize(ctx, resp.Private, identity, object)
	resp.Diagnostics.Append(diags...)
	if state.Base().State.IsNull() && r.Unstated != nil {
		resp.Diagnostics.Append(noteImported(ctx, resp.Private, r.Unstated(new(M)))...)
	}
	if ours && identity.UID != "" {
		objects.Settle(ctx, object, r.annotate)
	}
	resp.Diagnostics.Append(r.save(ctx, state, object, &resp.State)...)
}

// Update changes the object in place, and waits until it can be used again.
func (r *framed[M, P, T, O]) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	plan, state, config := P(new(M)), P(new(M)), P(new(M))
	if !r.Loaded(&resp.Diagnostics, req.Plan.Get(ctx, plan), req.State.Get(ctx, state), req.Config.Get(ctx, config)) {
		return
	}
	resp.Diagnostics.Append(Locate(ctx, resp.Identity, plan)...)
	ctx, cancel := plan.Base().Timeouts.Updating(ctx, r.Limits)
	defer cancel()

	object, diags := r.change(ctx, plan, state, config, Identity(ctx, req.Private, r.what(), state))
	if resp.Diagnostics.Append(diags...); resp.Diagnostics.HasError() {
		return
	}
	if r.Unstated != nil {
		open := r.Unstated(config)
		left := slices.DeleteFunc(imported(ctx, req.Private), func(name string) bool { return !slices.Contains(open, name) })
		resp.Diagnostics.Append(noteImported(ctx, resp.Private, left)...)
	}
	if r.Await != nil {
		object, diags = r.Await(ctx, r.Session, plan, state, object)
		resp.Diagnostics.Append(diags...)
	}
	resp.Diagnostics.Append(r.save(ctx, plan, object, &resp.State)...)
	if !resp.Diagnostics.HasError() {
		resp.State.Raw = KeepPlanned(resp.State.Raw, req.Plan.Raw, Observed(r.Kind.Schema))
	}
}

func (r *framed[M, P, T, O]) change(ctx context.Context, plan, state, config P, identity objects.Identity) (O, diag.Diagnostics) {
	diags := r.ready(ctx, plan, state)
	if diags.HasError() {
		return nil, diags
	}
	if r.WriteOnly != nil {
		r.WriteOnly(plan, config)
	}
	patch, more := Changes[M, T](ctx, plan, state)
	if diags.Append(more...); diags.HasError() {
		return nil, diags
	}
	if r.Kind.Change != nil {
		object, more := r.Kind.Change(ctx, r.Session, plan, state, identity, patch)
		return object, append(diags, more...)
	}
	object, err := r.send(ctx, func() (O, error) { return objects.Change[T, O](ctx, r.objects(r.Session), identity, patch) })
	if err != nil {
		return nil, append(diags, objects.ChangeFailed(identity.Title, err)...)
	}
	return object, diags
}

// Delete removes the object and waits until it is gone.
func (r *framed[M, P, T, O]) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	state := P(new(M))
	if !r.Loaded(&resp.Diagnostics, req.State.Get(ctx, state)) {
		return
	}
	ctx, cancel := state.Base().Timeouts.Deleting(ctx, r.Limits)
	defer cancel()

	removal := objects.Removing[T, O](r.Session.Hub, r.objects(r.Session), Identity(ctx, req.Private, r.what(), state))
	if r.Kind.Delete != nil {
		r.Kind.Delete(&Deleting[P, O]{Session: r.Session, State: state, Private: req.Private, Removal: &removal})
	}
	resp.Diagnostics.Append(removal.Run(ctx)...)
}

// save puts the object, as it was last seen, into the state. One that is gone (nil) leaves it, or
// the next apply would delete what somebody else makes under its name.
func (r *framed[M, P, T, O]) save(ctx context.Context, m P, object O, state *tfsdk.State) diag.Diagnostics {
	if object == nil {
		state.RemoveResource(ctx)
		return nil
	}
	diags := Fill[M, T, P, O](ctx, m, object)
	return append(diags, state.Set(ctx, m)...)
}
