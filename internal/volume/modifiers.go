// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// sameQuantity plans no change where a quantity is only written differently.
type sameQuantity struct{}

// Description implements planmodifier.Describer.
func (sameQuantity) Description(context.Context) string {
	return "Equal quantities are equal, however they are written."
}

// MarkdownDescription implements planmodifier.Describer.
func (m sameQuantity) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

// PlanModifyString implements planmodifier.String.
func (sameQuantity) PlanModifyString(_ context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	if equal(req.PlanValue, req.StateValue) {
		resp.PlanValue = req.StateValue
	}
}

// equal says that two known quantities are the same size.
func equal(a, b types.String) bool {
	x, y := sizeOf(a), sizeOf(b)
	return x != nil && y != nil && x.Cmp(*y) == 0
}

// sizeOf is the value of a quantity; nil if it is not known, or none, which validation refuses.
func sizeOf(text types.String) *resource.Quantity {
	quantity, err := resource.ParseQuantity(text.ValueString())
	if err != nil {
		return nil
	}
	return &quantity
}

// sameImage plans no change where an image is only named differently: by its name
// alone, or by namespace and name.
type sameImage struct{}

// Description implements planmodifier.Describer.
func (sameImage) Description(context.Context) string {
	return "A name alone is that of an image in the volume's namespace."
}

// MarkdownDescription implements planmodifier.Describer.
func (m sameImage) MarkdownDescription(ctx context.Context) string { return m.Description(ctx) }

// PlanModifyString implements planmodifier.String.
func (sameImage) PlanModifyString(ctx context.Context, req planmodifier.StringRequest, resp *planmodifier.StringResponse) {
	var namespace types.String
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root("namespace"), &namespace)...)
	if req.State.Raw.IsNull() || req.PlanValue.IsUnknown() || namespace.IsUnknown() {
		return
	}
	if qualified(req.PlanValue, namespace.ValueString()) == qualified(req.StateValue, namespace.ValueString()) {
		resp.PlanValue = req.StateValue
	}
}

// qualifiedText is qualified for a text.
func qualifiedText(image, namespace string) string {
	return qualified(types.StringValue(image), namespace)
}

// qualified is an image reference as namespace/name; "" if there is none.
func qualified(image types.String, namespace string) string {
	if image.ValueString() == "" {
		return ""
	}
	namespace, name, err := tfbase.ParseReference(image.ValueString(), namespace)
	if err != nil {
		return image.ValueString() // validation refuses it
	}
	return tfbase.ID(namespace, name)
}

// reference accepts names, and namespaces with names.
func reference() validator.String {
	return tfbase.Rule("Invalid image reference", "must be namespace/name or a name", func(value string) []string {
		if _, _, err := tfbase.ParseReference(value, tfbase.DefaultNamespace); err != nil {
			return []string{strings.TrimSuffix(err.Error(), ".")}
		}
		return nil
	})
}

// emptyOr accepts "" besides: configurations for the official provider use it for "none".
func emptyOr(rule validator.String) validator.String { return optional{rule} }

type optional struct{ validator.String }

// ValidateString implements validator.String.
func (o optional) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.ValueString() != "" {
		o.String.ValidateString(ctx, req, resp)
	}
}
