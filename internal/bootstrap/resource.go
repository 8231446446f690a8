// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package bootstrap is the resource harvester_bootstrap: first contact with a fresh Harvester.
package bootstrap

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource.
const Type = "harvester_bootstrap"

// Resource is harvester_bootstrap. It has no cluster, so that nothing of the frame fits but states and time limits.
type Resource struct{ mode *session.Bootstrap }

var (
	_ resource.ResourceWithConfigure      = (*Resource)(nil)
	_ resource.ResourceWithModifyPlan     = (*Resource)(nil)
	_ resource.ResourceWithUpgradeState   = (*Resource)(nil)
	_ resource.ResourceWithValidateConfig = (*Resource)(nil)
)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource { return &Resource{} }

// Metadata names the resource.
func (r *Resource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = Type
}

// Schema describes the resource.
func (r *Resource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = bootstrapSchema()
}

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return tfbase.FromOfficial(bootstrapSchema(), nil)
}

// Configure takes what the provider says in this mode.
func (r *Resource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	switch data := req.ProviderData.(type) {
	case nil:
	case *session.Bootstrap:
		r.mode = data
	default:
		resp.Diagnostics.AddError("Provider not in bootstrap mode", "harvester_bootstrap meets a cluster that has no credentials yet, so the provider must not have any either. "+
			"Give this resource a provider of its own:\n\n  provider \"harvester\" {\n    alias     = \"bootstrap\"\n    bootstrap = true\n  }\n\n"+
			"and set provider = harvester.bootstrap here.")
	}
}

// ValidateConfig checks the arguments against one another.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config model
	if resp.Diagnostics.Append(req.Config.Get(ctx, &config)...); !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(config.validate()...)
	}
}

// shortest is how many characters a password has at least, if Rancher's setting password-min-length is as it comes.
const shortest = 12

func (m *model) validate() (diags diag.Diagnostics) {
	wrong := func(at, summary, detail string) { diags.AddAttributeError(path.Root(at), summary, detail) }
	switch {
	case m.Password.IsNull() && m.PasswordWO.IsNull():
		wrong("password", "Missing argument", "Set password, or password_wo with password_wo_version.")
	case !m.Password.IsNull() && !m.PasswordWO.IsNull():
		wrong("password_wo", "Contradicting arguments", "password_wo takes the place of password. Remove one of them.")
	case m.PasswordWO.IsNull() != m.PasswordWOVersion.IsNull():
		wrong("password_wo_version", "Contradicting arguments", "password_wo and password_wo_version go together.")
	}
	if m.Insecure.ValueBool() && m.CACertificate.ValueString() != "" {
		wrong("insecure", "Contradicting arguments", "insecure turns verification off, so ca_certificate has no use. Remove one of them.")
	}
	if ca := m.CACertificate.ValueString(); ca != "" {
		if _, err := connect("https://localhost", trust{authority: ca}); err != nil {
			wrong("ca_certificate", "Invalid certificate", "It must hold a certificate in PEM form.")
		}
	}
	return append(diags, m.advise()...)
}

// advise warns of a password that Rancher will probably refuse, or that everybody knows. It does not point at the argument:
// Terraform would print the line.
func (m *model) advise() (diags diag.Diagnostics) {
	initial := m.InitialPassword.ValueString()
	if m.InitialPassword.IsNull() {
		initial = defaultPassword
	}
	switch password := m.wanted(); {
	case password == "":
	case password == initial && !m.InitialPassword.IsUnknown():
		diags.AddWarning("Password not changed", "The password is the initial one, so that it stays as it is.")
	case len([]rune(password)) < shortest:
		diags.AddWarning("Short password", fmt.Sprintf("The password has less than %d characters, which Harvester refuses unless its settings say otherwise.", shortest))
	}
	return diags
}

// wanted is the password that admin shall have, as far as it is known.
func (m *model) wanted() string {
	if !m.PasswordWO.IsNull() {
		return m.PasswordWO.ValueString()
	}
	return m.Password.ValueString()
}

// ModifyPlan plans to write the file where it is missing, and refuses to overwrite one that leads elsewhere.
func (r *Resource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan model
	if resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...); resp.Diagnostics.HasError() || !tfbase.Known(plan.Kubeconfig, plan.APIURL, plan.Overwrite) {
		return
	}
	state := &model{}
	if !req.State.Raw.IsNull() {
		if resp.Diagnostics.Append(req.State.Get(ctx, state)...); resp.Diagnostics.HasError() {
			return
		}
	}
	text, err := content(plan.Kubeconfig.ValueString())
	if err == nil && strings.TrimSpace(text) != "" && state.KubeconfigContent.ValueString() != "" && state.Kubeconfig.Equal(plan.Kubeconfig) && state.APIURL.Equal(plan.APIURL) {
		return
	}
	if state.APIURL.Equal(plan.APIURL) {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("kubeconfig_content"), types.StringUnknown())...)
	}
	resp.Diagnostics.Append(plan.checkFile("")...)
}

// checkFile refuses to lose a kubeconfig of others.
func (m *model) checkFile(left string) (diags diag.Diagnostics) {
	reason := replaceable(m.Kubeconfig.ValueString(), m.APIURL.ValueString())
	if reason == "" || m.Overwrite.ValueBool() {
		return nil
	}
	diags.AddAttributeError(path.Root("kubeconfig"), "File in use", strings.TrimSpace(fmt.Sprintf(
		"The kubeconfig would be written to %s, which exists: %s. %s\n\nName another file in kubeconfig, or set overwrite = true to lose what is in that one.",
		m.Kubeconfig.ValueString(), reason, left)))
	return diags
}

// Create logs in, sets the password and writes the kubeconfig. What an interrupted apply did is found as it is.
func (r *Resource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, config model
	if !r.loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.Config.Get(ctx, &config)) {
		return
	}
	ctx, cancel := plan.Timeouts.Creating(ctx, limits)
	defer cancel()
	if resp.Diagnostics.Append(plan.checkFile(tfbase.NothingDone)...); resp.Diagnostics.HasError() {
		return
	}
	plan.CertificateSHA256 = types.StringValue("")
	c, diags := r.contact(&plan, config.wanted())
	if resp.Diagnostics.Append(diags...); diags.HasError() {
		return
	}
	diags = c.settle(ctx, plan.InitialPassword.ValueString(), config.wanted())
	if resp.Diagnostics.Append(diags...); diags.HasError() {
		return
	}
	plan.ID, plan.ShouldUpdatePassword = types.StringValue(c.login.ID), types.BoolValue(c.initial)
	if resp.Diagnostics.Append(c.fetch(ctx, &plan)...); !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(c.unverified()...)
		resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	}
}

// Read looks whether the kubeconfig still opens the cluster. It never writes the file, and never makes another kubeconfig.
func (r *Resource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state model
	if resp.Diagnostics.Append(req.State.Get(ctx, &state)...); resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := state.Timeouts.Reading(ctx, limits)
	defer cancel()
	if state.KubeconfigContent.IsNull() { // the official provider keeps it in the file alone
		text, err := content(state.Kubeconfig.ValueString())
		if err == nil && replaceable(state.Kubeconfig.ValueString(), state.APIURL.ValueString()) == "" && text != "" {
			state.KubeconfigContent = types.StringValue(text)
		}
		if state.CertificateSHA256.IsNull() {
			state.CertificateSHA256 = types.StringValue("")
		}
	}
	if state.KubeconfigContent.ValueString() != "" {
		valid, diags := opens(ctx, state.KubeconfigContent.ValueString())
		resp.Diagnostics.Append(diags...)
		if !valid {
			state.KubeconfigContent = types.StringValue("")
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}

// opens says whether a kubeconfig opens its cluster. While that cannot be told, it does.
func opens(ctx context.Context, kubeconfig string) (valid bool, diags diag.Diagnostics) {
	client, err := kube.Connect(kube.Connection{Kubeconfig: kubeconfig}, "terraform-provider-harvester")
	if err != nil {
		return false, nil
	}
	_, err = kube.For[api.Setting](client, api.Settings, "Setting").Get(ctx, "", api.SettingServerVersion)
	switch {
	case apierrors.IsUnauthorized(err):
		return false, nil
	case kube.Transient(err), ctx.Err() != nil:
		diags.AddWarning("Kubeconfig not checked", "The cluster does not answer, so whether the kubeconfig still opens it is not known. The state was left as it was.")
	}
	return true, diags
}

// Update changes the password in place, and makes or writes what is missing.
func (r *Resource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, state, config model
	if !r.loaded(&resp.Diagnostics, req.Plan.Get(ctx, &plan), req.State.Get(ctx, &state), req.Config.Get(ctx, &config)) {
		return
	}
	ctx, cancel := plan.Timeouts.Updating(ctx, limits)
	defer cancel()
	if !state.Kubeconfig.Equal(plan.Kubeconfig) {
		if resp.Diagnostics.Append(plan.checkFile(tfbase.NothingDone)...); resp.Diagnostics.HasError() {
			return
		}
	}
	plan.CertificateSHA256 = state.CertificateSHA256
	resp.Diagnostics.Append(r.update(ctx, &plan, &state, config.wanted())...)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, &plan)...)
	}
}

func (r *Resource) update(ctx context.Context, plan, state *model, password string) diag.Diagnostics {
	changes := !plan.Password.Equal(state.Password) || !plan.PasswordWOVersion.Equal(state.PasswordWOVersion)
	makes := plan.KubeconfigContent.IsUnknown() && state.KubeconfigContent.ValueString() == ""
	if !changes && !makes {
		if plan.KubeconfigContent.IsUnknown() {
			plan.KubeconfigContent = state.KubeconfigContent
			return plan.save()
		}
		return nil
	}
	c, diags := r.contact(plan, password, state.Password.ValueString())
	if diags.HasError() {
		return diags
	}
	before := state.Password.ValueString()
	if before == "" {
		before = plan.InitialPassword.ValueString()
	}
	if diags.Append(c.settle(ctx, before, password)...); diags.HasError() {
		return diags
	}
	if makes {
		return append(diags, c.fetch(ctx, plan)...)
	}
	if plan.KubeconfigContent.IsUnknown() {
		plan.KubeconfigContent = state.KubeconfigContent
		diags.Append(plan.save()...)
	}
	return diags
}

// Delete only forgets, as in the official provider: the password and the file are in use.
func (r *Resource) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

func (r *Resource) loaded(diags *diag.Diagnostics, loads ...diag.Diagnostics) bool {
	for _, load := range loads {
		diags.Append(load...)
	}
	if r.mode == nil && !diags.HasError() {
		diags.Append(session.Unconfigured())
	}
	return !diags.HasError()
}
