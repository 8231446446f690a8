// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package device

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// TPMBlock is the schema of the block tpm.
func TPMBlock() schema.ListNestedBlock {
	return schema.ListNestedBlock{
		MarkdownDescription: "A virtual TPM.",
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Any name; it has no effect.",
			},
		}},
	}
}

// TPM is the block tpm.
type TPM struct {
	Name types.String `tfsdk:"name"`
}

// ReadTPM is the block as the machine has it; nil without a TPM.
func ReadTPM(prior *TPM, live *kubevirtv1.TPMDevice) *TPM {
	switch {
	case live == nil:
		return nil
	case prior != nil:
		return prior
	}
	return &TPM{}
}

// TPMOnto gives the machine a TPM, or takes it away. Of a live one it keeps what this
// resource knows nothing of, such as its persistence.
func TPMOnto(devices *kubevirtv1.Devices, tpm *TPM) {
	switch {
	case tpm == nil:
		devices.TPM = nil
	case devices.TPM == nil:
		devices.TPM = &kubevirtv1.TPMDevice{}
	}
}
