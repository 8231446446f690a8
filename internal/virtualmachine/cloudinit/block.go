// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package cloudinit is the cloudinit block of a virtual machine: the block, the data
// it stands for, and the disk that carries them.
package cloudinit

import (
	"encoding/base64"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/arg"
)

// Values of the argument type.
const (
	TypeNoCloud     = "noCloud"
	TypeConfigDrive = "configDrive"
)

// DiskName is the name of the disk that carries cloud-init data.
const DiskName = "cloudinitdisk"

// Block is the schema of the block.
func Block() schema.ListNestedBlock {
	plain := func(description string, sensitive bool) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Sensitive: sensitive, MarkdownDescription: description}
	}
	const hidden = " It mostly holds secrets, so plans do not show it."
	return schema.ListNestedBlock{
		MarkdownDescription: "Data that cloud-init reads in the guest at boot. Data of more than 2048 bytes does not fit into a machine; it is kept in a Secret that goes with the machine.",
		Validators:          []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"type": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(TypeNoCloud),
				MarkdownDescription: "`noCloud` or `configDrive`. Default: `noCloud`.",
				Validators:          []validator.String{stringvalidator.OneOf(TypeNoCloud, TypeConfigDrive)},
			},
			"user_data":                plain("User data, mostly beginning with `#cloud-config`. Only one of the three forms of user data can be set."+hidden, true),
			"user_data_base64":         plain("User data in base64."+hidden, true),
			"user_data_secret_name":    plain("Secret in the machine's namespace that holds the user data under the key `userdata`.", false),
			"network_data":             plain("Network data. Only one of the three forms of network data can be set.", false),
			"network_data_base64":      plain("Network data in base64.", false),
			"network_data_secret_name": plain("Secret in the machine's namespace that holds the network data under the key `networkdata`.", false),
		}},
	}
}

// Model is the block.
type Model struct {
	Type                  types.String `tfsdk:"type"`
	UserData              types.String `tfsdk:"user_data"`
	UserDataBase64        types.String `tfsdk:"user_data_base64"`
	UserDataSecretName    types.String `tfsdk:"user_data_secret_name"`
	NetworkData           types.String `tfsdk:"network_data"`
	NetworkDataBase64     types.String `tfsdk:"network_data_base64"`
	NetworkDataSecretName types.String `tfsdk:"network_data_secret_name"`
}

// Empty says that the block holds nothing, and will not.
func (c Model) Empty() bool {
	for _, value := range []types.String{
		c.UserData, c.UserDataBase64, c.UserDataSecretName, c.NetworkData, c.NetworkDataBase64, c.NetworkDataSecretName,
	} {
		if value.IsUnknown() || arg.Set(value) {
			return false
		}
	}
	return true
}

// Validate finds contradictions in the block, which is at that path.
func (c Model) Validate(at path.Path) diag.Diagnostics {
	diags := oneOf(at, "user data", []choice{{"user_data", c.UserData}, {"user_data_base64", c.UserDataBase64}, {"user_data_secret_name", c.UserDataSecretName}})
	diags.Append(oneOf(at, "network data", []choice{
		{"network_data", c.NetworkData}, {"network_data_base64", c.NetworkDataBase64}, {"network_data_secret_name", c.NetworkDataSecretName},
	})...)
	for _, encoded := range []choice{{"user_data_base64", c.UserDataBase64}, {"network_data_base64", c.NetworkDataBase64}} {
		if _, err := base64.StdEncoding.DecodeString(encoded.value.ValueString()); err != nil {
			diags.AddAttributeError(at.AtName(encoded.attribute), "Invalid base64", "The value is not valid base64. Use Terraform's base64encode(), or give the text as it is.")
		}
	}
	return diags
}

type choice struct {
	attribute string
	value     types.String
}

// oneOf refuses the second of several ways to say the same.
func oneOf(at path.Path, what string, choices []choice) diag.Diagnostics {
	var diags diag.Diagnostics
	first := ""
	for _, c := range choices {
		switch {
		case !arg.Set(c.value):
		case first != "":
			diags.AddAttributeError(at.AtName(c.attribute), "Contradicting arguments",
				fmt.Sprintf("Both %s and %s give %s. Remove one of them.", first, c.attribute, what))
		default:
			first = c.attribute
		}
	}
	return diags
}

// ReadBlock keeps what the configuration says as long as the machine has
// that, with or without user and keys added to it.
func ReadBlock(prior *Model, vm *kubevirtv1.VirtualMachine, secret *corev1.Secret) *Model {
	volume := Volume(&vm.Spec.Template.Spec)
	if volume == nil {
		return nil
	}
	live := Read(volume)
	block := Model{}
	if prior != nil {
		block = *prior
	}
	block.Type = types.StringValue(live.Kind)
	if OwnSecret(vm.Name, live.UserDataSecret) {
		if secret == nil {
			return &block // it cannot be read, so nothing is known to differ
		}
		live.inlineUser(string(secret.Data[KeyUserData]), arg.Set(block.UserDataBase64))
	}
	if OwnSecret(vm.Name, live.NetworkDataSecret) {
		if secret == nil {
			return &block
		}
		live.inlineNetwork(string(secret.Data[KeyNetworkData]), arg.Set(block.NetworkDataBase64))
	}
	if !addedTo(block.UserData.ValueString(), live.UserData) {
		block.UserData = types.StringValue(live.UserData)
	}
	block.UserData = arg.Settled(block.UserData)
	block.UserDataBase64 = tfbase.Keep(block.UserDataBase64, live.UserDataBase64)
	block.UserDataSecretName = tfbase.Keep(block.UserDataSecretName, live.UserDataSecret)
	block.NetworkData = tfbase.Keep(block.NetworkData, live.NetworkData)
	block.NetworkDataBase64 = tfbase.Keep(block.NetworkDataBase64, live.NetworkDataBase64)
	block.NetworkDataSecretName = tfbase.Keep(block.NetworkDataSecretName, live.NetworkDataSecret)
	return &block
}

// inlineUser puts data that were too long for the machine back to where the
// configuration has them.
func (s *Seed) inlineUser(text string, encoded bool) {
	s.UserDataSecret = ""
	if encoded {
		s.UserDataBase64 = base64.StdEncoding.EncodeToString([]byte(text))
		return
	}
	s.UserData = text
}

func (s *Seed) inlineNetwork(text string, encoded bool) {
	s.NetworkDataSecret = ""
	if encoded {
		s.NetworkDataBase64 = base64.StdEncoding.EncodeToString([]byte(text))
		return
	}
	s.NetworkData = text
}
