// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"context"
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// limits are generous: Harvester validates a key within a second.
var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 2 * time.Minute}

// Schema describes harvester_ssh_key.
func (r *Resource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = keySchema()
}

func keySchema() schema.Schema {
	attributes := tfbase.Namespaced("SSH key")
	maps.Copy(attributes, map[string]schema.Attribute{
		"public_key": schema.StringAttribute{
			Required: true,
			MarkdownDescription: "The public key in OpenSSH's format, as in a file that ends with `.pub`. A change is made in place; virtual machines " +
				"that exist keep the key they were made with. Space and newlines around the key do not count.",
		},
		"fingerprint": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "MD5 fingerprint of the key, as Harvester shows it.",
		},
		"state": schema.StringAttribute{
			Computed:            true,
			MarkdownDescription: "`Validated` when Harvester has found the key to be valid, else `Not Validated`.",
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
