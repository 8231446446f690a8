// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package cloudinitsecret is the resource and data source harvester_cloudinit_secret: a
// Secret with user data and network data for cloud-init.
package cloudinitsecret

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource.
const Type = "harvester_cloudinit_secret"

// Resource is harvester_cloudinit_secret.
type Resource struct {
	tfbase.Base
	secrets kube.Resource[corev1.Secret]
}

var (
	_ resource.ResourceWithConfigure      = (*Resource)(nil)
	_ resource.ResourceWithImportState    = (*Resource)(nil)
	_ resource.ResourceWithModifyPlan     = (*Resource)(nil)
	_ resource.ResourceWithUpgradeState   = (*Resource)(nil)
	_ resource.ResourceWithValidateConfig = (*Resource)(nil)
)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{Base: tfbase.Base{TypeName: Type}} }

// Configure takes the session.
func (r *Resource) Configure(ctx context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.Base.Configure(ctx, req, resp)
	if r.Session != nil {
		r.secrets = secretsOf(r.Session)
	}
}

func secretsOf(session *tfbase.Session) kube.Resource[corev1.Secret] {
	return kube.For[corev1.Secret](session.Client, api.Secrets, "Secret")
}

// ImportState takes namespace/name.
func (r *Resource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	tfbase.ImportNamespaced(ctx, req, resp)
}

// Create makes the secret.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(r.Connected()...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()

	secret, diags := r.create(ctx, &plan, &config)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.describe(secret)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// Read refreshes the state. Only a NotFound removes it.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(r.Connected()...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()

	// Not Recent, which may list all secrets of the namespace.
	secret, err := r.secrets.Get(ctx, state.Namespace.ValueString(), state.Name.ValueString())
	switch {
	case apierrors.IsNotFound(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		resp.Diagnostics.Append(diagnose.API("read", state.title(), "The state was left as it was.", err))
	default:
		state.fromAPI(secret)
		resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
	}
}

// Update changes the secret in place.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(r.Connected()...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()

	secret, diags := r.change(ctx, &plan, &state, &config)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	plan.describe(secret)
	resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
}

// change sends what differs; nothing, if only timeouts do.
func (r *Resource) change(ctx context.Context, plan, state, config *model) (*corev1.Secret, diag.Diagnostics) {
	patch, diags := plan.patch(ctx, state, config)
	if diags.HasError() {
		return nil, diags
	}
	var secret *corev1.Secret
	var err error
	if namespace, name := plan.Namespace.ValueString(), plan.Name.ValueString(); len(patch) > 0 {
		secret, err = r.secrets.Patch(ctx, namespace, name, patch)
	} else {
		secret, err = r.secrets.Get(ctx, namespace, name)
	}
	if err != nil {
		return nil, diag.Diagnostics{diagnose.API("change", plan.title(), unchangedBy(err), err)}
	}
	return secret, nil
}

// unchangedBy says what state a failed change leaves things in.
func unchangedBy(err error) string {
	if kube.Transient(err) {
		return "Whether it was changed is not known: the next plan shows what is left to do."
	}
	return "It was left as it was."
}

// Delete removes the secret.
func (r *Resource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(r.Connected()...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := state.Timeouts.Deleting(ctx, limits)
	defer cancel()
	resp.Diagnostics.Append(r.remove(ctx, &state)...)
}
