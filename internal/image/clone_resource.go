// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Names of the resources for images that are made from others.
const (
	EncryptedType = "harvester_encrypted_image"
	DecryptedType = "harvester_decrypted_image"
)

// cloneTypes are the resources by what they do.
var cloneTypes = map[string]string{api.CryptoEncrypt: EncryptedType, api.CryptoDecrypt: DecryptedType}

// Clone is harvester_encrypted_image or harvester_decrypted_image: an image that Harvester makes from another.
type Clone struct {
	lifecycle
	describe func() schema.Schema
}

var (
	_ resource.ResourceWithConfigure   = (*Clone)(nil)
	_ resource.ResourceWithIdentity    = (*Clone)(nil)
	_ resource.ResourceWithImportState = (*Clone)(nil)
	_ resource.ResourceWithModifyPlan  = (*Clone)(nil)
)

// NewEncryptedResource returns harvester_encrypted_image, not yet configured.
func NewEncryptedResource() resource.Resource { return newClone(api.CryptoEncrypt, encryptedSchema) }

// NewDecryptedResource returns harvester_decrypted_image, not yet configured.
func NewDecryptedResource() resource.Resource { return newClone(api.CryptoDecrypt, decryptedSchema) }

func newClone(operation string, describe func() schema.Schema) resource.Resource {
	return &Clone{lifecycle{Base: tfbase.Base{TypeName: cloneTypes[operation]}, form: clone{operation}}, describe}
}

// Schema describes the resource.
func (r *Clone) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = r.describe()
}

func encryptedSchema() schema.Schema {
	return cloneSchema("An encrypted copy of an image. Volumes made from it are encrypted with the key in the secret of its storage class. "+
		"Apply makes the copy and **waits until Harvester reports it ready** (state `Active`). The source must be ready, not encrypted, and of the backend "+
		"`backingimage`; that, the storage class and its secret are checked when the plan is made. Copies of one source are made one after the other.",
		tfbase.Advised(schema.StringAttribute{
			Required: true,
			MarkdownDescription: "The storage class to encrypt with: one of Longhorn with `encrypted = \"true\"`, whose secret holds the key. " +
				"Volumes use `volume_storage_class_name`, not this.",
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			Validators:    []validator.String{tfbase.Name()},
		}, "A change replaces the image."))
}

func decryptedSchema() schema.Schema {
	class, _ := sourceAttributes()["storage_class_name"].(schema.StringAttribute)
	class.MarkdownDescription = "The storage class the image takes its storage parameters from; one without encryption. " +
		"Volumes use `volume_storage_class_name`, not this."
	return cloneSchema("A decrypted copy of an encrypted image. Harvester takes the key from the secret that the source was encrypted with. "+
		"Apply makes the copy and **waits until Harvester reports it ready** (state `Active`). The source must be ready and encrypted, and its secret still there; "+
		"that is checked when the plan is made. Copies of one source are made one after the other.",
		tfbase.Advised(class, "Default: the cluster's default class. A change replaces the image."))
}

func cloneSchema(description string, class schema.Attribute) schema.Schema {
	attributes := tfbase.Namespaced("image")
	source, computed := sourceAttributes(), computedAttributes()
	for _, shared := range []string{"display_name", "retry", "stall_timeout"} {
		attributes[shared] = source[shared]
	}
	delete(computed, "file_sha512")
	maps.Copy(attributes, computed)
	attributes["storage_class_name"] = class
	attributes["source_image"] = tfbase.Advised(schema.StringAttribute{
		Required:            true,
		MarkdownDescription: "The id, `namespace/name`, of the image to make this one from, as in `harvester_image.<name>.id`. It can be in another namespace.",
		PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
		Validators:          []validator.String{imageID()},
	}, "A change replaces the image.")
	return schema.Schema{
		MarkdownDescription: description,
		Attributes:          attributes,
		Blocks:              map[string]schema.Block{"timeouts": tfbase.TimeoutsBlock(limits)},
	}
}

func imageID() validator.String {
	return tfbase.Rule("Invalid image reference", "must be the id of an image, namespace/name", func(value string) []string {
		if _, _, err := tfbase.ParseID(value); err != nil {
			return []string{"expected the id of an image, namespace/name, as in harvester_image.<name>.id"}
		}
		return nil
	})
}
