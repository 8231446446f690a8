// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package sshkey is the resource and data source harvester_ssh_key: a public key that
// Harvester has validated.
package sshkey

import (
	"context"
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_ssh_key"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, api.KeyPair, *api.KeyPair]{
	TypeName: Type,
	One:      "an SSH key", Short: "key", Instead: ", or refer to it with a data source",
	Resource: api.KeyPairs, APIKind: "KeyPair",
	Schema: keySchema(), Limits: limits,
	Validate: func(_ context.Context, config *model) diag.Diagnostics { return config.check() },
	Plan:     plan,
	Await:    await,
}

// limits are generous: Harvester validates a key within a second.
var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 2 * time.Minute}

func keySchema() schema.Schema {
	attributes := tfbase.Namespaced("SSH key")
	maps.Copy(attributes, map[string]schema.Attribute{
		"public_key": tfbase.Advised(schema.StringAttribute{
			Required: true,
			MarkdownDescription: "The public key in OpenSSH's format, as in a file that ends with `.pub`. " +
				"Space and newlines around the key do not count.",
		}, "A change is made in place; virtual machines that exist keep the key they were made with."),
		"fingerprint": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "MD5 fingerprint of the key, as Harvester shows it.",
		},
		"state": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "`Validated` when Harvester has found the key to be valid, `Terminating` while it is being deleted, else `Not Validated`.",
		},
	})
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "An SSH public key that virtual machines refer to in `ssh_keys`. What is no public key is refused in the plan; apply waits until " +
			"Harvester has validated the key.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

// plan fills in what follows from the key: its fingerprint, and that Harvester validates it, also
// where an earlier apply could not wait for that.
func plan(_ context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	if diags := p.Plan.check().Errors(); len(diags) > 0 { // the key may have become known only now
		return diags
	}
	p.Plan.derive(p.State)
	return nil
}
