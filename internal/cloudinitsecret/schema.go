// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"maps"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

var limits = tfbase.Limits{Create: 2 * time.Minute, Read: 2 * time.Minute, Update: 2 * time.Minute, Delete: 2 * time.Minute}

func secretSchema() schema.Schema {
	attributes := tfbase.Namespaced("cloud-init secret")
	maps.Copy(attributes, partAttributes("user_data", "User data for cloud-init: a script, or YAML under the line `#cloud-config`."))
	maps.Copy(attributes, partAttributes("network_data", "Network data for cloud-init, in YAML."))
	maps.Copy(attributes, map[string]schema.Attribute{
		"state":   schema.StringAttribute{Computed: true, MarkdownDescription: "`Terminating` while the secret is being deleted, else empty."},
		"message": schema.StringAttribute{Computed: true, MarkdownDescription: "What holds a secret that is being deleted; else empty."},
	})
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "A Kubernetes Secret with data for cloud-init, for virtual machines to refer to by name. The data may be a megabyte in all. " +
			"They are in the plan and in the state, marked as sensitive, unless they are given in the write-only arguments. " +
			"A change is made in place; what virtual machines make of it when they start again is up to cloud-init.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

func partAttributes(name, what string) map[string]schema.Attribute {
	encoded, hidden, version := name+"_base64", name+"_wo", name+"_wo_version"
	return map[string]schema.Attribute{
		name: schema.StringAttribute{
			Optional: true, Computed: true, Sensitive: true,
			MarkdownDescription: what + " If only `" + encoded + "` is set, this is what it holds, as far as that is text.",
		},
		encoded: tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true, Sensitive: true,
			MarkdownDescription: "The same as `" + name + "` in base64, for data that are no text, such as a file packed with gzip.",
		}, "Set one of the two; the other follows from it."),
		hidden: schema.StringAttribute{
			Optional: true, Sensitive: true, WriteOnly: true,
			MarkdownDescription: "The same as `" + name + "`, but never in a plan or a state. Instead of `" + name + "`; needs `" + version + "`, and Terraform 1.11 or newer. " +
				"Changes that others make to the data are not noticed, save their removal.",
		},
		version: schema.Int64Attribute{
			Optional:            true,
			MarkdownDescription: "A number that says which `" + hidden + "` this is: another number sends it again.",
		},
	}
}
