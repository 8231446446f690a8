// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// NewListResource returns the list resource harvester_image, not yet configured.
func NewListResource() list.ListResource {
	return listing(Type, "image", "", "So are encrypted and decrypted copies, which have list resources of their own.", func(m *model) *model { return m })
}

// NewEncryptedListResource returns the list resource harvester_encrypted_image, not yet configured.
func NewEncryptedListResource() list.ListResource {
	return cloneListing(api.CryptoEncrypt, "encrypted image")
}

// NewDecryptedListResource returns the list resource harvester_decrypted_image, not yet configured.
func NewDecryptedListResource() list.ListResource {
	return cloneListing(api.CryptoDecrypt, "decrypted image")
}

func cloneListing(operation, what string) list.ListResource {
	return listing(cloneTypes[operation], what, operation, "", clone{operation}.own)
}

// listing lists the images that were made by a crypto operation, or by none. Own is the resource that stands for an image.
func listing[M any](typeName, what, operation, note string, own func(*model) *M) list.ListResource {
	return tfbase.Listing{
		TypeName: typeName, What: what, Resource: api.Images, Namespaced: true, Note: note,
		Filters: map[string]schema.Attribute{
			"state": schema.StringAttribute{
				Optional: true, MarkdownDescription: "Only those in this state; `Active` are those that are ready.",
				Validators: []validator.String{stringvalidator.OneOf(states()...)},
			},
			"display_name": schema.StringAttribute{Optional: true, MarkdownDescription: "Only those with this display name."},
		},
		Select: chosen,
		Offers: func(_ context.Context, _ *session.Session, object *unstructured.Unstructured) (bool, error) {
			image, err := kube.Decode[api.VirtualMachineImage](object)
			return err == nil && operationOf(image) == operation, err
		},
		DisplayName: func(object *unstructured.Unstructured) string {
			displayName, _, _ := unstructured.NestedString(object.Object, "spec", "displayName")
			return tfbase.ID(object.GetNamespace(), object.GetName()) + " (" + displayName + ")"
		},
		Show: func(ctx context.Context, _ *session.Session, object *unstructured.Unstructured) (any, error) {
			image, err := kube.Decode[api.VirtualMachineImage](object)
			if err != nil {
				return nil, err
			}
			m, diags := tfbase.Blank[model](ctx, imageSchema())
			if diags.HasError() {
				return nil, &objects.DescribedError{Diagnostics: diags}
			}
			m.fromAPI(image)
			return own(m), nil
		},
	}.New()
}

// chosen selects images by state and display name.
func chosen(ctx context.Context, config tfsdk.Config) (func(*unstructured.Unstructured) bool, diag.Diagnostics) {
	var state, displayName types.String
	diags := config.GetAttribute(ctx, path.Root("state"), &state)
	diags.Append(config.GetAttribute(ctx, path.Root("display_name"), &displayName)...)
	return func(object *unstructured.Unstructured) bool {
		image, err := kube.Decode[api.VirtualMachineImage](object)
		return err != nil || // told when it is offered
			(state.IsNull() || state.ValueString() == string(imagestate.Of(image).State)) && (displayName.IsNull() || displayName.ValueString() == image.Spec.DisplayName)
	}, diags
}
