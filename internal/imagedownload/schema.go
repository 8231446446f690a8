// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package imagedownload

import (
	"context"
	"maps"
	"regexp"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// limits leave time for a large file to come, or to be read.
var limits = tfbase.Limits{Create: time.Hour, Read: 30 * time.Minute, Update: time.Hour, Delete: 30 * time.Minute}

// Schema describes harvester_image_download.
func (r *Resource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A local file with the content of an image. The image must be ready and not encrypted. The file appears under its name only when it is " +
			"**complete and verified**: its length and, where the cluster knows it, its SHA-512; until then an older file of that name stays. " +
			"Zeros take no space on the disk. A file that is missing or was changed is downloaded again, and so is one whose image was made anew; " +
			"one whose image is gone stays. Destroy removes the file only if it is still the one that was downloaded.",
		Attributes: arguments(),
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
	maps.Copy(resp.Schema.Attributes, computed())
}

func arguments() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"image": schema.StringAttribute{
			Required: true,
			MarkdownDescription: "The image, as `namespace/name`; best written as `harvester_image.<name>.id`. " +
				"After a change, the file is downloaded again; the old one stays until the new one is complete.",
			Validators: []validator.String{imageID()},
		},
		"filename": schema.StringAttribute{
			Required: true,
			MarkdownDescription: "The path of the file (`~` is your home directory). Directories that are missing are made. A file of that name is replaced when the download is complete. Two downloads of one run cannot have the same. " +
				"A change replaces the download.",
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			Validators:    []validator.String{stringvalidator.LengthAtLeast(1)},
		},
		"file_permission": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString("0644"),
			MarkdownDescription: "Permissions of the file, in octal. Default: `0644`.",
			Validators:          []validator.String{permission()},
		},
		"directory_permission": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString("0755"),
			MarkdownDescription: "Permissions of directories that have to be made, in octal. Default: `0755`.",
			Validators:          []validator.String{permission()},
		},
		"decompress": schema.BoolAttribute{
			Optional: true, Computed: true, Default: booldefault.StaticBool(true),
			MarkdownDescription: "Whether the file is unpacked on the way: Harvester packs what it sends with gzip. `false` saves the gzip file as it comes, verified all the same. " +
				"Images of the backend `cdi` come as qcow2 files without more packing, whatever this says. Default: `true`. After a change, the file is downloaded again.",
		},
		"stall_timeout": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How long no byte may arrive before the transfer is given up and begun anew, at most three times. " +
				"Default: `5m`. The limit for the whole is `timeouts`.",
			Validators: []validator.String{tfbase.Duration()},
		},
	}
}

func computed() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{
			Computed: true, MarkdownDescription: description,
			PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		}
	}
	return map[string]schema.Attribute{
		"id": text("The path of the file, as in `filename`."),
		"size": schema.Int64Attribute{
			Computed: true, MarkdownDescription: "Size of the file in bytes.",
			PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
		},
		"sha256":    text("SHA-256 of the file, in hexadecimal."),
		"sha512":    text("SHA-512 of the file, in hexadecimal."),
		"format":    text("What the file is: `raw`, `iso`, `qcow2`, or `gzip` with `decompress = false`."),
		"image_uid": text("The UID of the image that was downloaded. An image that is made anew under the same name has another one."),
	}
}

func imageID() validator.String {
	return tfbase.Rule("Invalid image reference", "must be the id of an image, namespace/name", func(value string) []string {
		if _, _, err := tfbase.ParseID(value); err != nil {
			return []string{err.Error()}
		}
		return nil
	})
}

var octal = regexp.MustCompile(`^0?[0-7]{3}$`)

func permission() validator.String {
	return stringvalidator.RegexMatches(octal, "must be permissions in octal, such as 0644")
}
