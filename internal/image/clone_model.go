// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// cloneModel is an encrypted or a decrypted image as Terraform has it.
type cloneModel struct {
	ID          types.String `tfsdk:"id"`
	Name        types.String `tfsdk:"name"`
	Namespace   types.String `tfsdk:"namespace"`
	Description types.String `tfsdk:"description"`
	Tags        types.Map    `tfsdk:"tags"`
	Labels      types.Map    `tfsdk:"labels"`

	DisplayName      types.String `tfsdk:"display_name"`
	SourceImage      types.String `tfsdk:"source_image"`
	StorageClassName types.String `tfsdk:"storage_class_name"`
	Retry            types.Int64  `tfsdk:"retry"`
	StallTimeout     types.String `tfsdk:"stall_timeout"`

	State                  types.String `tfsdk:"state"`
	Message                types.String `tfsdk:"message"`
	Progress               types.Int64  `tfsdk:"progress"`
	Size                   types.Int64  `tfsdk:"size"`
	VirtualSize            types.Int64  `tfsdk:"virtual_size"`
	StorageClassParameters types.Map    `tfsdk:"storage_class_parameters"`
	VolumeStorageClassName types.String `tfsdk:"volume_storage_class_name"`

	Timeouts *tfbase.Timeouts `tfsdk:"timeouts"`
}

// clone is the form of an image that Harvester makes from another by a crypto operation.
type clone struct{ operation string }

func (clone) source() path.Path { return path.Root("source_image") }

func (c clone) read(ctx context.Context, from reader, m *model) diag.Diagnostics {
	var own cloneModel
	diags := from.Get(ctx, &own)
	*m = c.image(&own)
	return diags
}

func (c clone) write(ctx context.Context, m *model, to writer) diag.Diagnostics {
	return to.Set(ctx, c.own(m))
}

// image is the image that the resource stands for.
func (c clone) image(own *cloneModel) model {
	return model{
		ID: own.ID, Name: own.Name, Namespace: own.Namespace, Description: own.Description, Tags: own.Tags, Labels: own.Labels,
		DisplayName: own.DisplayName, SourceType: types.StringValue(api.SourceClone), Backend: types.StringValue(api.BackendBackingImage),
		SecurityParameters: c.parameters(own.SourceImage), StorageClassName: own.StorageClassName, Retry: own.Retry, StallTimeout: own.StallTimeout,
		State: own.State, Message: own.Message, Progress: own.Progress, Size: own.Size, VirtualSize: own.VirtualSize,
		StorageClassParameters: own.StorageClassParameters, VolumeStorageClassName: own.VolumeStorageClassName,
		Timeouts: own.Timeouts,
	}
}

// own is the resource that stands for the image.
func (c clone) own(m *model) *cloneModel {
	return &cloneModel{
		ID: m.ID, Name: m.Name, Namespace: m.Namespace, Description: m.Description, Tags: m.Tags, Labels: m.Labels,
		DisplayName: m.DisplayName, SourceImage: c.sourceOf(m), StorageClassName: m.StorageClassName, Retry: m.Retry, StallTimeout: m.StallTimeout,
		State: m.State, Message: m.Message, Progress: m.Progress, Size: m.Size, VirtualSize: m.VirtualSize,
		StorageClassParameters: m.StorageClassParameters, VolumeStorageClassName: m.VolumeStorageClassName,
		Timeouts: m.Timeouts,
	}
}

// parameters are the security parameters that mean the operation on the source.
func (c clone) parameters(source types.String) types.Map {
	if source.IsNull() {
		return types.MapNull(types.StringType)
	}
	name, namespace := types.StringUnknown(), types.StringUnknown()
	if !source.IsUnknown() {
		// Validation has refused what is no id.
		ns, n, _ := tfbase.ParseID(source.ValueString())
		namespace, name = types.StringValue(ns), types.StringValue(n)
	}
	return types.MapValueMust(types.StringType, map[string]attr.Value{
		keyOperation: types.StringValue(c.operation), keySourceName: name, keySourceNamespace: namespace,
	})
}

// sourceOf is null for an image that is not made by the operation. As source_image is an argument, whose
// change replaces the image, such a one, put in the place of ours by others, is planned to be replaced.
func (c clone) sourceOf(m *model) types.String {
	if m.SecurityParameters.IsNull() || m.SourceType.ValueString() != api.SourceClone {
		return types.StringNull()
	}
	if name, _ := m.SecurityParameters.Elements()[keySourceName].(types.String); name.IsUnknown() {
		return types.StringUnknown()
	}
	security := m.security()
	if security.CryptoOperation != c.operation {
		return types.StringNull()
	}
	return types.StringValue(tfbase.ID(security.SourceImageNamespace, security.SourceImageName))
}

// mismatch refuses to import an image of another kind.
func (c clone) mismatch(image *api.VirtualMachineImage) diag.Diagnostics {
	made := operationOf(image)
	if made == c.operation {
		return nil
	}
	what, fitting := "is neither encrypted nor decrypted by Harvester", Type
	for operation, resource := range cloneTypes {
		if operation == made {
			what, fitting = "was made by "+made+"ing another image", resource
		}
	}
	return diag.Diagnostics{diag.NewErrorDiagnostic("Image of another kind", fmt.Sprintf(
		"The image %s cannot be imported as %s: it %s.\n\nImport it as %s instead:\n  terraform import %s.<name> %s/%s",
		imagestate.Of(image).Title(), cloneTypes[c.operation], what, fitting, fitting, image.Namespace, image.Name))}
}

// operationOf is the crypto operation that made an image; empty if none did.
func operationOf(image *api.VirtualMachineImage) string {
	if image.Spec.SourceType != api.SourceClone || image.Spec.SecurityParameters == nil {
		return ""
	}
	return image.Spec.SecurityParameters.CryptoOperation
}
