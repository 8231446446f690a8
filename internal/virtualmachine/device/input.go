// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package device

import (
	"cmp"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// InputBlock is the schema of the block input.
func InputBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "An input device. A tablet keeps the pointer of guest and browser in step.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Name of the device.",
			},
			"type": tfbase.Advised(schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString("tablet"),
				MarkdownDescription: "`tablet`, the only type that KubeVirt has.",
				Validators:          []validator.String{stringvalidator.OneOf("tablet")},
			}, "Default: `tablet`."),
			"bus": tfbase.Advised(schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString("usb"),
				MarkdownDescription: "`usb` or `virtio`.",
				Validators:          []validator.String{stringvalidator.OneOf("usb", "virtio")},
			}, "Default: `usb`."),
		}},
	}
}

// Input is one block input.
type Input struct {
	Name types.String `tfsdk:"name"`
	Type types.String `tfsdk:"type"`
	Bus  types.String `tfsdk:"bus"`
}

// ReadInputs lists the input devices of a machine.
func ReadInputs(live []kubevirtv1.Input) []Input {
	var inputs []Input
	for _, device := range live {
		inputs = append(inputs, Input{
			Name: types.StringValue(device.Name), Type: types.StringValue(string(device.Type)), Bus: types.StringValue(cmp.Or(string(device.Bus), "usb")), // as KubeVirt has it
		})
	}
	return inputs
}

// InputsOnto writes the input devices onto a machine.
func InputsOnto(devices *kubevirtv1.Devices, inputs []Input) {
	devices.Inputs = nil
	for _, input := range inputs {
		devices.Inputs = append(devices.Inputs, kubevirtv1.Input{
			Name: input.Name.ValueString(),
			Type: kubevirtv1.InputType(input.Type.ValueString()),
			Bus:  kubevirtv1.InputBus(input.Bus.ValueString()),
		})
	}
}
