// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package bootstrap

import (
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/boolplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_bootstrap as Terraform has it.
type model struct {
	ID                   types.String     `tfsdk:"id"`
	APIURL               types.String     `tfsdk:"api_url"`
	InitialPassword      types.String     `tfsdk:"initial_password"`
	Password             types.String     `tfsdk:"password"`
	PasswordWO           types.String     `tfsdk:"password_wo"`
	PasswordWOVersion    types.Int64      `tfsdk:"password_wo_version"`
	Kubeconfig           types.String     `tfsdk:"kubeconfig"`
	Overwrite            types.Bool       `tfsdk:"overwrite"`
	CACertificate        types.String     `tfsdk:"ca_certificate"`
	Insecure             types.Bool       `tfsdk:"insecure"`
	ShouldUpdatePassword types.Bool       `tfsdk:"should_update_password"`
	KubeconfigContent    types.String     `tfsdk:"kubeconfig_content"`
	CertificateSHA256    types.String     `tfsdk:"certificate_sha256"`
	Timeouts             *tfbase.Timeouts `tfsdk:"timeouts"`
}

// What the official provider has by default.
const (
	defaultPassword = "admin"
	defaultFile     = "~/.kube/config"
)

var limits = tfbase.Limits{Create: 5 * time.Minute, Read: time.Minute, Update: 5 * time.Minute, Delete: time.Minute}

func bootstrapSchema() schema.Schema {
	kept := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "First contact with a fresh Harvester: logs in as `admin`, sets the password and writes a kubeconfig. Needs a provider with `bootstrap = true`, " +
			"in which nothing else can be managed. An apply that was interrupted is continued by the next one. Destroy only forgets: the password stays as it is, and so does the file.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{Computed: true, MarkdownDescription: "The id of the login that made the kubeconfig.", PlanModifiers: kept},
			"api_url": schema.StringAttribute{
				Required: true, MarkdownDescription: "Address of Harvester, as in `https://192.0.2.10`. A change is another Harvester, and replaces the resource.",
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				Validators: []validator.String{tfbase.SecretRule("Invalid address", "must be a URL", func(value string) []string {
					if _, err := connect(value, trust{}); err != nil {
						return []string{"it must be a URL such as https://harvester.example.com, without credentials"}
					}
					return nil
				})},
			},
			"initial_password": schema.StringAttribute{
				Optional: true, Computed: true, Sensitive: true, Default: stringdefault.StaticString(defaultPassword),
				MarkdownDescription: "The password that `admin` has before. Default: `admin`.",
			},
			"password": schema.StringAttribute{
				Optional: true, Sensitive: true,
				MarkdownDescription: "The password that `admin` shall have. A change is made in place, with the password in the state.",
				Validators:          []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"password_wo": schema.StringAttribute{
				Optional: true, Sensitive: true, WriteOnly: true,
				MarkdownDescription: "The same as `password`, but never in a plan or a state. Instead of `password`; needs `password_wo_version`, and Terraform 1.11 or newer. " +
					"To change it, give the one before in `initial_password`.",
			},
			"password_wo_version": schema.Int64Attribute{
				Optional: true, MarkdownDescription: "A number that says which `password_wo` this is: another number sets it again.",
			},
			"kubeconfig": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(defaultFile),
				MarkdownDescription: "The file that the kubeconfig is written to; `~` is your home directory. It is written when it is made and when it is missing, never by a plan. " +
					"Default: `~/.kube/config`.",
				Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"overwrite": schema.BoolAttribute{
				Optional: true, MarkdownDescription: "Overwrite the file even if it leads to other clusters. Default: `false`.",
			},
			"ca_certificate": schema.StringAttribute{
				Optional: true, MarkdownDescription: "The certificate, in PEM form, of the authority that vouches for the server. Default: the provider's `cluster_ca_certificate`.",
			},
			"insecure": schema.BoolAttribute{
				Optional: true, MarkdownDescription: "Do not verify the server's certificate at all. Without this and without `ca_certificate`, a certificate that no authority of the system vouches for " +
					"is taken the first time, with a warning, and no other one after that. Default: the provider's `insecure`.",
			},
			"should_update_password": schema.BoolAttribute{
				Computed: true, MarkdownDescription: "Whether `admin` still had the initial password.", PlanModifiers: []planmodifier.Bool{boolplanmodifier.UseStateForUnknown()},
			},
			"kubeconfig_content": schema.StringAttribute{
				Computed: true, Sensitive: true, MarkdownDescription: "The kubeconfig itself, for example for another provider.", PlanModifiers: kept,
			},
			"certificate_sha256": schema.StringAttribute{
				Computed: true, MarkdownDescription: "SHA-256 of the server's certificate, where that was taken as it came; else empty.", PlanModifiers: kept,
			},
		},
		Blocks: map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}
