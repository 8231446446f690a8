// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package functions

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// imageInfo looks into an image file.
type imageInfo struct{}

// info is what imageInfo returns.
type info struct {
	Format      string `tfsdk:"format"`
	Compressed  bool   `tfsdk:"compressed"`
	Size        int64  `tfsdk:"size"`
	VirtualSize int64  `tfsdk:"virtual_size"`
	Quantity    string `tfsdk:"virtual_size_quantity"`
}

// Metadata names the function.
func (imageInfo) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "image_info"
}

// Definition describes the function.
func (imageInfo) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Format and sizes of an image file",
		MarkdownDescription: "Looks into a file that a `harvester_image` is made from and returns an object with\n\n" +
			"- `format`: `raw`, `iso` or `qcow2`, after unpacking;\n" +
			"- `compressed`: whether it is packed with gzip, xz, zstd or bzip2, which is undone while it is uploaded;\n" +
			"- `size`: of the file, in bytes;\n" +
			"- `virtual_size`: of the disk that a virtual machine sees, in bytes, which is the least size of a disk of the image;\n" +
			"- `virtual_size_quantity`: the same as a quantity, such as `10Gi`, rounded up to whole MiB.\n\n" +
			"A file that could not be uploaded is an error. A packed raw image is unpacked to its end once to learn its size; this is remembered, " +
			"also for the upload.",
		Parameters: []function.Parameter{function.StringParameter{
			Name: "path", MarkdownDescription: "The file, on the machine that runs Terraform, relative to its working directory.",
		}},
		Return: function.ObjectReturn{AttributeTypes: map[string]attr.Type{
			"format": types.StringType, "compressed": types.BoolType, "size": types.Int64Type,
			"virtual_size": types.Int64Type, "virtual_size_quantity": types.StringType,
		}},
	}
}

// Run looks into the file.
func (imageInfo) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var path string
	if resp.Error = req.Arguments.Get(ctx, &path); resp.Error != nil {
		return
	}
	seen, err := look(ctx, path)
	if err != nil {
		resp.Error = function.NewArgumentFuncError(0, fmt.Sprintf("The image is not usable: %s. The path is looked up on the machine that runs Terraform, in its working directory", err)) // Terraform adds the full stop
		return
	}
	resp.Error = resp.Result.Set(ctx, seen)
}

func look(ctx context.Context, path string) (info, error) {
	// As harvester_image treats it unless told otherwise, so that what is found out serves both.
	treatment := transfer.Treatment{Decompress: true, Pad: true}
	file, err := transfer.Inspect(transfer.Home(path))
	if err != nil {
		return info{}, err
	}
	packing, err := file.Packing()
	if err != nil {
		return info{}, err
	}
	format, size, err := file.Preflight(ctx, treatment)
	if err != nil {
		return info{}, err
	}
	switch {
	case format == transfer.QCOW2:
	case packing == transfer.Raw:
		size = file.Unscanned(treatment.Pad).Size
	default:
		content, err := transfer.UserCache().Scan(ctx, file, treatment)
		if err != nil {
			return info{}, err
		}
		size = content.Size
	}
	return info{
		Format: strings.ToLower(string(format)), Compressed: packing != transfer.Raw,
		Size: file.Size, VirtualSize: size, Quantity: quantity(size),
	}, nil
}

// quantity is a size in bytes as a disk states it.
func quantity(size int64) string {
	const mib, inGiB = 1 << 20, 1024
	whole := (size + mib - 1) / mib
	if whole%inGiB == 0 {
		return fmt.Sprintf("%dGi", whole/inGiB)
	}
	return fmt.Sprintf("%dMi", whole)
}
