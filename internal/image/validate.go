// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
)

// belongs says which arguments go with which source types; needed, which of
// them must be set. file_path is needed only when data is to be sent, which the plan knows.
var (
	belongs = map[string][]string{
		"url":                 {api.SourceDownload, api.SourceRestore},
		"pvc_namespace":       {api.SourceExport},
		"pvc_name":            {api.SourceExport},
		"security_parameters": {api.SourceClone},
		"file_path":           {api.SourceUpload},
		"file_changes":        {api.SourceUpload},
		"verify":              {api.SourceUpload},
	}
	needed = []string{"url", "pvc_namespace", "pvc_name", "security_parameters"}
	// onlyBackingImage are the source types that the cdi backend lacks.
	onlyBackingImage = []string{api.SourceClone, api.SourceRestore}
)

// ValidateConfig checks the arguments against one another. Unknown values are
// given the benefit of the doubt.
func (r *Resource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config model
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if resp.Diagnostics.HasError() || config.SourceType.IsUnknown() {
		return
	}
	resp.Diagnostics.Append(config.checkSource()...)
	resp.Diagnostics.Append(config.checkURL()...)
	resp.Diagnostics.Append(config.checkBackend()...)
}

func (m *model) sources() map[string]attr.Value {
	return map[string]attr.Value{
		"url": m.URL, "pvc_namespace": m.PVCNamespace, "pvc_name": m.PVCName,
		"security_parameters": m.SecurityParameters, "file_path": m.FilePath, "file_changes": m.FileChanges,
		"verify": m.Verify,
	}
}

func (m *model) checkSource() (diags diag.Diagnostics) {
	source := m.SourceType.ValueString()
	for name, value := range m.sources() {
		fits := slices.Contains(belongs[name], source)
		switch {
		case value.IsNull() && fits && slices.Contains(needed, name):
			diags.AddAttributeError(path.Root(name), "Missing argument",
				fmt.Sprintf("The source_type %q needs %s.", source, name))
		case !value.IsNull() && !value.IsUnknown() && !fits:
			diags.AddAttributeError(path.Root(name), "Argument without use",
				fmt.Sprintf("%s has no meaning with source_type %q; it goes with %s. Remove it, or change the source_type.",
					name, source, strings.Join(belongs[name], " or ")))
		}
	}
	return diags
}

// checkURL: Longhorn and CDI fetch by HTTP only. The address of a backup has the scheme of its target. What is
// wrong otherwise, the argument's own validator has said.
func (m *model) checkURL() (diags diag.Diagnostics) {
	address, err := url.Parse(m.URL.ValueString())
	if m.SourceType.ValueString() != api.SourceDownload || err != nil || address.Host == "" || slices.Contains([]string{"", "http", "https"}, address.Scheme) {
		return nil
	}
	diags.AddAttributeError(path.Root("url"), "Invalid URL", fmt.Sprintf(
		"The cluster fetches images by http and https only, not by %q. Put the file on a web server, or upload it (source_type = \"upload\").", redact.Text(address.Scheme)))
	return diags
}

func (m *model) checkBackend() (diags diag.Diagnostics) {
	if m.Backend.ValueString() != api.BackendCDI {
		return nil
	}
	if source := m.SourceType.ValueString(); slices.Contains(onlyBackingImage, source) {
		diags.AddAttributeError(path.Root("source_type"), "Source type not supported",
			fmt.Sprintf("The backend cdi cannot make an image with source_type %q; the backend backingimage can.", source))
	}
	if m.StorageClassName.IsNull() {
		diags.AddAttributeError(path.Root("storage_class_name"), "Missing argument", "The backend cdi needs storage_class_name: the class that stores the image.")
	}
	if !m.Checksum.IsNull() {
		diags.AddAttributeWarning(path.Root("checksum"), "Checksum is not verified", "The backend cdi does not look at the checksum.")
	}
	return diags
}

// securityParametersValidator checks the keys and values of security_parameters.
type securityParametersValidator struct{}

func (securityParametersValidator) Description(context.Context) string {
	return "must have crypto_operation (encrypt or decrypt), source_image_name and source_image_namespace"
}

func (v securityParametersValidator) MarkdownDescription(ctx context.Context) string {
	return v.Description(ctx)
}

func (v securityParametersValidator) ValidateMap(_ context.Context, req validator.MapRequest, resp *validator.MapResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	keys := []string{keyOperation, keySourceName, keySourceNamespace}
	elements := req.ConfigValue.Elements()
	for _, key := range keys {
		value, found := elements[key].(types.String)
		if !found || value.IsNull() || !value.IsUnknown() && value.ValueString() == "" {
			resp.Diagnostics.AddAttributeError(req.Path.AtMapKey(key), "Missing security parameter", fmt.Sprintf("security_parameters needs %s.", key))
		}
	}
	for key := range elements {
		if !slices.Contains(keys, key) {
			resp.Diagnostics.AddAttributeError(req.Path.AtMapKey(key), "Unknown security parameter",
				fmt.Sprintf("There is no %s; the keys are %s.", key, strings.Join(keys, ", ")))
		}
	}
	operation, _ := elements[keyOperation].(types.String)
	if text := operation.ValueString(); text != "" && text != api.CryptoEncrypt && text != api.CryptoDecrypt {
		resp.Diagnostics.AddAttributeError(req.Path.AtMapKey(keyOperation), "Unknown operation",
			fmt.Sprintf("crypto_operation must be %s or %s, not %q.", api.CryptoEncrypt, api.CryptoDecrypt, text))
	}
}
