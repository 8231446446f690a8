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
	"github.com/harvester-community/terraform-provider-harvester/internal/userdata"
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
	plain := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "Data that cloud-init reads in the guest at boot. Plans and states show them, so that changes can be reviewed; anybody who can read the machine in Harvester can read them too. " +
			"Keep secrets in a `harvester_cloudinit_secret`, which hides them, and name it in `user_data_secret_name` or `network_data_secret_name`. " +
			"Data of more than 2048 bytes do not fit into a machine; they are kept in a Secret that belongs to the machine and goes with it.",
		Validators: []validator.List{listvalidator.SizeAtMost(1)},
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"type": tfbase.Advised(schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(TypeNoCloud),
				MarkdownDescription: "`noCloud` or `configDrive`.",
				Validators:          []validator.String{stringvalidator.OneOf(TypeNoCloud, TypeConfigDrive)},
			}, "Default: `noCloud`."),
			"user_data":                plain("User data, mostly beginning with `#cloud-config`. Plans show them: secrets belong in a `harvester_cloudinit_secret`. Only one of the three forms of user data can be set."),
			"user_data_base64":         plain("User data in base64."),
			"user_data_secret_name":    plain("Secret in the machine's namespace that holds the user data under the key `userdata`. It is only read by the machine, never changed or deleted with it."),
			"network_data":             plain("Network data. Only one of the three forms of network data can be set."),
			"network_data_base64":      plain("Network data in base64."),
			"network_data_secret_name": plain("Secret in the machine's namespace that holds the network data under the key `networkdata`."),
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

// Validate finds contradictions in the block, which is at that path, and what the guest would probably not take.
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
	if diags.HasError() {
		return diags
	}
	given := SeedOf(&c)
	diags.Append(userdata.Advise(at.AtName(argument("user_data", c.UserDataBase64)), []byte(given.Content()))...)
	diags.Append(userdata.AdviseNetwork(at.AtName(argument("network_data", c.NetworkDataBase64)), []byte(given.networkContent()))...)
	return diags
}

// argument is the one that gives the data: in base64 or as they are.
func argument(name string, encoded types.String) string {
	if arg.Set(encoded) {
		return name + "_base64"
	}
	return name
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

// ReadBlock keeps what the configuration says as long as the machine has that, with or without
// user and keys added to it. Secrets are those of SecretsOf that could be read. Data that were too long for
// the machine are in a Secret of its own; what is in other Secrets stays out of the state.
func ReadBlock(prior *Model, vm *kubevirtv1.VirtualMachine, secrets []*corev1.Secret) *Model {
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
	user, network := named(secrets, live.UserDataSecret), named(secrets, live.NetworkDataSecret)
	if Owns(vm, user) {
		live.inlineUser(string(user.Data[KeyUserData]), arg.Set(block.UserDataBase64))
	}
	if Owns(vm, network) {
		live.inlineNetwork(string(network.Data[KeyNetworkData]), arg.Set(block.NetworkDataBase64))
	}
	// Of a Secret that cannot be read nothing is known: it may well hold what the configuration says.
	if live.UserDataSecret == "" || user != nil || !arg.Set(block.UserData) && !arg.Set(block.UserDataBase64) {
		block.readUser(live)
	}
	if live.NetworkDataSecret == "" || network != nil || !arg.Set(block.NetworkData) && !arg.Set(block.NetworkDataBase64) {
		block.readNetwork(live)
	}
	return &block
}

// named is the Secret of that name, nil if it is not among them.
func named(secrets []*corev1.Secret, name string) *corev1.Secret {
	for _, secret := range secrets {
		if secret.Name == name {
			return secret
		}
	}
	return nil
}

func (c *Model) readUser(live Seed) {
	if !addedTo(c.UserData.ValueString(), live.UserData) {
		c.UserData = types.StringValue(live.UserData)
	}
	c.UserData = arg.Settled(c.UserData)
	c.UserDataBase64 = tfbase.Keep(c.UserDataBase64, live.UserDataBase64)
	c.UserDataSecretName = tfbase.Keep(c.UserDataSecretName, live.UserDataSecret)
}

func (c *Model) readNetwork(live Seed) {
	c.NetworkData = tfbase.Keep(c.NetworkData, live.NetworkData)
	c.NetworkDataBase64 = tfbase.Keep(c.NetworkDataBase64, live.NetworkDataBase64)
	c.NetworkDataSecretName = tfbase.Keep(c.NetworkDataSecretName, live.NetworkDataSecret)
}

// Names says that the block itself names the Secret.
func (c *Model) Names(secret string) bool {
	return c != nil && (c.UserDataSecretName.ValueString() == secret || c.NetworkDataSecretName.ValueString() == secret)
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
