// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"maps"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// limits leave an hour for the data of an image to arrive and be verified.
var limits = tfbase.Limits{Create: time.Hour, Read: 2 * time.Minute, Update: time.Hour, Delete: 10 * time.Minute}

var sourceTypes = []string{api.SourceDownload, api.SourceUpload, api.SourceExport, api.SourceClone, api.SourceRestore}

// Schema describes harvester_image.
func (r *Resource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = imageSchema()
}

func imageSchema() schema.Schema {
	attributes := tfbase.Namespaced("image")
	maps.Copy(attributes, sourceAttributes())
	maps.Copy(attributes, computedAttributes())
	return schema.Schema{
		Version: tfbase.SchemaVersion,
		MarkdownDescription: "A virtual machine image. Apply makes the image and **waits until Harvester reports it ready** (state `Active`), " +
			"so whatever refers to its `id` starts from a complete image. A failure is reported as soon as Harvester reports it, in its words. " +
			"An image found incomplete later is finished by the next apply.",
		Attributes: attributes,
		Blocks:     map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

func sourceAttributes() map[string]schema.Attribute {
	replace := []planmodifier.String{stringplanmodifier.RequiresReplace()}
	return map[string]schema.Attribute{
		"display_name": tfbase.Advised(schema.StringAttribute{
			Required: true,
			MarkdownDescription: "The name people see, unique in the namespace. Newer versions of Harvester (1.7.3, 1.8.2 and later) take only values of Kubernetes labels: " +
				"at most 63 letters, digits, `-`, `_` and `.`, without spaces; the plan asks the server.",
			PlanModifiers: replace,
			Validators:    []validator.String{stringvalidator.LengthAtLeast(1)},
		}, "A change replaces the image."),
		"source_type": tfbase.Advised(schema.StringAttribute{
			Required: true,
			MarkdownDescription: "Where the data comes from: `upload` (the local file `file_path`), `download` (the cluster fetches `url`), " +
				"`export-from-volume` (`pvc_namespace`, `pvc_name`), `clone` (another image, encrypted or decrypted by `security_parameters`), " +
				"`restore` (a backup, `url`).",
			PlanModifiers: replace,
			Validators:    []validator.String{stringvalidator.OneOf(sourceTypes...)},
		}, "A change replaces the image."),
		"backend": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			Default:             stringdefault.StaticString(api.BackendBackingImage),
			MarkdownDescription: "What stores the image: `backingimage` (Longhorn) or `cdi` (any storage class).",
			PlanModifiers:       replace,
			Validators:          []validator.String{stringvalidator.OneOf(api.BackendBackingImage, api.BackendCDI)},
		}, "`backingimage` by default; `cdi` needs `storage_class_name`. A change replaces the image."),
		"file_path": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "With `upload`: the local file (`~` is your home directory): raw, ISO or qcow2 (complete in itself: no backing file), or one of these packed with " +
				"gzip, xz, zstd or bzip2. It is needed only when data is to be sent: not for changes of an image that is ready. It may be made in the same run, " +
				"by something that the image depends on. " +
				"What counts is the content: other content replaces the image (see `file_changes`), the same content under another path does not. " +
				"A length that is not a multiple of 512 bytes is padded with zeros, as Longhorn demands.",
			Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
		},
		"file_changes": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "With `upload`: what other content of the file means for an image that exists: `replace` (the default) makes the image anew, `ignore` leaves it as it is. " +
				"`ignore_changes` of Terraform's `lifecycle` block does not reach the content of a file.",
			Validators: []validator.String{stringvalidator.OneOf(changesReplace, changesIgnore)},
		},
		"decompress": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "With `upload`: `auto` (the default) unpacks gzip, xz, zstd and bzip2 on the fly, without a temporary file; " +
				"`none` sends the file as it is.",
			Validators: []validator.String{stringvalidator.OneOf(decompressAuto, decompressNone)},
		},
		"verify": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "With `upload`: when the SHA-512 of a file is computed that was not read before. `auto` (the default) computes it while the file is sent, and compares it " +
				"with Longhorn's when Harvester has everything; where Longhorn's objects may not be read, and with the backend `cdi`, only lengths are compared. `strict` reads the file before, " +
				"so that Harvester itself compares (backend `backingimage`); that takes longer.",
			Validators: []validator.String{stringvalidator.OneOf(verifyAuto, verifyStrict)},
		},
		"stall_timeout": tfbase.Advised(schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How long nothing may move (no byte sent, no progress reported by Harvester) before the apply gives up. " +
				"What Harvester does not report on, it is given time for, 1 s for each MiB; if it cannot know the length, it has all the time of `timeouts`.",
			Validators: []validator.String{tfbase.Duration()},
		}, "Default: `5m`. The limit for the whole is `timeouts`."),
		"url": tfbase.Advised(schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "With `download`: the `http` or `https` address of a raw, ISO or qcow2 file, as the cluster can reach it. " +
				"With `restore`: the address of the backup.",
			PlanModifiers: replace,
			Validators:    []validator.String{address()},
		}, "A change replaces the image."),
		"pvc_namespace": tfbase.Advised(schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "With `export-from-volume`: the namespace of the volume.",
			PlanModifiers:       replace,
			Validators:          []validator.String{tfbase.Name()},
		}, "A change replaces the image."),
		"pvc_name": tfbase.Advised(schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "With `export-from-volume`: the name of the volume.",
			PlanModifiers:       replace,
			Validators:          []validator.String{tfbase.Name()},
		}, "A change replaces the image."),
		"security_parameters": tfbase.Advised(schema.MapAttribute{
			Optional: true, ElementType: types.StringType,
			MarkdownDescription: "With `clone`: `crypto_operation` (`encrypt` or `decrypt`), `source_image_name` and `source_image_namespace`.",
			PlanModifiers:       []planmodifier.Map{mapplanmodifier.RequiresReplace()},
			Validators:          []validator.Map{securityParametersValidator{}},
		}, "The source must be ready. Encrypting needs a `storage_class_name` made for encryption. `harvester_encrypted_image` and "+
			"`harvester_decrypted_image` say the same in fewer words. A change replaces the image."),
		"checksum": tfbase.Advised(schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: "SHA-512 of the data, in 128 lower-case hexadecimal digits. Harvester verifies it (backend `backingimage` only).",
			PlanModifiers:       []planmodifier.String{replaceUnlessRemoved()},
			Validators: []validator.String{stringvalidator.RegexMatches(regexp.MustCompile(`^[0-9a-f]{128}$`),
				"must be a SHA-512 checksum: 128 lower-case hexadecimal digits, as sha512sum prints them")},
		}, "With `upload` it is compared with the file before anything is sent: it is that of the file as it is, or of what is sent once it is unpacked and padded "+
			"(`file_sha512`). Another checksum replaces the image; removing it, or stating that of the data it has, does not."),
		"storage_class_name": tfbase.Advised(schema.StringAttribute{
			Optional: true, Computed: true,
			MarkdownDescription: "The storage class the image takes its storage parameters from. " +
				"Volumes use `volume_storage_class_name`, not this.",
			PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown(), stringplanmodifier.RequiresReplace()},
			Validators:    []validator.String{tfbase.Name()},
		}, "Default: the cluster's default class. A change replaces the image."),
		"retry": tfbase.Advised(schema.Int64Attribute{
			Optional: true, Computed: true,
			MarkdownDescription: "How often Harvester itself repeats a failed import, 0 to 10.",
			PlanModifiers:       []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
			Validators:          []validator.Int64{int64validator.Between(0, 10)},
		}, "Default: 3."),
	}
}

func computedAttributes() map[string]schema.Attribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{
			Computed: true, MarkdownDescription: description,
			PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
		}
	}
	number := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{
			Computed: true, MarkdownDescription: description,
			PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()},
		}
	}
	return map[string]schema.Attribute{
		"state": text("`Active` when the image is ready to use. Else `Initializing`, `Downloading`, `Uploading`, `Exporting`, `Restoring`, " +
			"`Cloning`, `Verifying` (it is complete, but not yet compared with what was sent), `Failed` or `Terminating`."),
		"message":      text("What Harvester says about the state; empty when all is well."),
		"progress":     number("Progress of the import in percent."),
		"size":         number("Size of the stored file in bytes."),
		"virtual_size": number("Size in bytes of the disk the image holds: the least size of a volume made from it."),
		"storage_class_parameters": schema.MapAttribute{
			Computed: true, ElementType: types.StringType,
			MarkdownDescription: "The storage parameters the image took from its storage class.",
			PlanModifiers:       []planmodifier.Map{mapplanmodifier.UseStateForUnknown()},
		},
		"volume_storage_class_name": text("The storage class that volumes made from this image use."),
		"file_sha512":               text("With `upload`: SHA-512 of the bytes that were sent, after unpacking and padding."),
	}
}

// replaceUnlessRemoved: an image without a checksum to compare with is still the same image. That of an
// upload is compared with the file, see planChecksum.
func replaceUnlessRemoved() planmodifier.String {
	const description = "A change of the value replaces the image; removing it does not."
	return stringplanmodifier.RequiresReplaceIf(func(ctx context.Context, req planmodifier.StringRequest, resp *stringplanmodifier.RequiresReplaceIfFuncResponse) {
		var source types.String
		resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root("source_type"), &source)...)
		resp.RequiresReplace = !req.PlanValue.IsNull() && source.ValueString() != api.SourceUpload
	}, description, description)
}

func address() validator.String {
	return tfbase.SecretRule("Invalid URL", "must be a URL", func(value string) []string {
		u, err := url.Parse(value)
		switch {
		case strings.TrimSpace(value) != value:
			return []string{"there is a space, or a line break, at its beginning or end"}
		case err != nil || u.Scheme == "" || u.Host == "":
			return []string{"expected a full URL such as https://example.com/image.qcow2"}
		}
		return nil
	})
}
