// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	corev1 "k8s.io/api/core/v1"
)

// ValidateConfig checks the arguments against one another.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(config.checkModes()...)
}

// checkModes: Harvester's dashboard does not offer a file system over an image, but its
// API takes it.
func (m *model) checkModes() (diags diag.Diagnostics) {
	if m.Image.ValueString() != "" && m.VolumeMode.ValueString() == string(corev1.PersistentVolumeFilesystem) {
		diags.AddAttributeWarning(path.Root("volume_mode"), "File system over an image",
			"An image is a whole disk, so Harvester gives its volumes the volume_mode Block. With Filesystem, only a storage class of the backend cdi that has no block volumes "+
				"can make a volume that a virtual machine can use.")
	}
	return diags
}
