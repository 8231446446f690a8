// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package tfbase is the frame of resources and data sources: a simple kind is declared (see Kind and Device), its
// resource and its data source follow. It also has what every kind shares: the attributes of an object,
// time limits, ids, and states written by the official provider.
package tfbase

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/harvester-community/terraform-provider-harvester/internal/session"
)

// Complete is all that a resource can do. Terraform's framework asks for each of these by itself, and
// takes what is missing, or misspelt, for not wanted.
type Complete interface {
	resource.ResourceWithConfigure
	resource.ResourceWithIdentity
	resource.ResourceWithImportState
	resource.ResourceWithModifyPlan
	resource.ResourceWithUpgradeState
	resource.ResourceWithValidateConfig
}

// Base is what every resource does alike. Resources embed it, with their TypeName.
type Base struct {
	TypeName string
	// Session is nil while the provider is not configured.
	Session *session.Session
}

// Metadata names the resource.
func (b *Base) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = b.TypeName
}

// Configure takes the session.
func (b *Base) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	configured, diags := session.From(req.ProviderData)
	resp.Diagnostics.Append(diags...)
	if configured != nil {
		b.Session = configured
	}
}

// Connected is an error while there is no connection to the cluster. Each of
// Create, Read, Update and Delete begins with it.
func (b *Base) Connected() diag.Diagnostics {
	if b.Session == nil {
		return diag.Diagnostics{session.Unconfigured()}
	}
	return nil
}
