// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package image is the resources over images: harvester_image, which makes an
// image, sends its data if need be, and waits until Harvester reports it ready; and
// harvester_encrypted_image and harvester_decrypted_image, which are images as well, made from others.
package image

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource.
const Type = "harvester_image"

// Resource is harvester_image.
type Resource struct{ lifecycle }

var _ tfbase.Complete = (*Resource)(nil)

// NewResource returns the resource, not yet configured.
func NewResource() resource.Resource {
	return &Resource{lifecycle{Base: tfbase.Base{TypeName: Type}, form: plain{}}}
}

// UpgradeState takes over states of the official provider.
func (r *Resource) UpgradeState(context.Context) map[int64]resource.StateUpgrader {
	return tfbase.FromOfficial(imageSchema(), nil)
}

// plain is the form of harvester_image: its arguments are the model's.
type plain struct{}

func (plain) read(ctx context.Context, from reader, m *model) diag.Diagnostics {
	return from.Get(ctx, m)
}

func (plain) write(ctx context.Context, m *model, to writer) diag.Diagnostics { return to.Set(ctx, m) }

func (plain) mismatch(*api.VirtualMachineImage) diag.Diagnostics { return nil }

func (plain) source() path.Path { return path.Root("security_parameters").AtMapKey(keySourceName) }
