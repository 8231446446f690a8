// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"cmp"
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// What Terraform calls the identity of a resource is the address of its object in the cluster. Terraform 1.12 and newer
// keep it beside the state, import by it, and get it from lists. Whether an object is the one that was made is another
// matter, and that of its UID; see Identity.

// NamespacedAddress is the resource identity of what is in a namespace.
func NamespacedAddress(what string) identityschema.Schema {
	address := ClusterScopedAddress(what)
	address.Attributes["namespace"] = identityschema.StringAttribute{
		OptionalForImport: true, Description: "Namespace of the " + what + ". Default: " + DefaultNamespace + ".",
	}
	return address
}

// ClusterScopedAddress is the resource identity of what has no namespace.
func ClusterScopedAddress(what string) identityschema.Schema {
	return identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"name": identityschema.StringAttribute{RequiredForImport: true, Description: "Name of the " + what + "."},
	}}
}

// Locate notes the address of an object. Each of Create, Read and Update does that as soon as it knows it: states that
// others wrote, or Terraform before 1.12, have none, and the framework wants one even of what is gone.
func Locate(ctx context.Context, address *tfsdk.ResourceIdentity, key Keyed) (diags diag.Diagnostics) {
	if address == nil {
		return nil
	}
	namespace, name := key.Key()
	if namespace != "" {
		diags.Append(address.SetAttribute(ctx, path.Root("namespace"), namespace)...)
	}
	return append(diags, address.SetAttribute(ctx, path.Root("name"), name)...)
}

// parser splits what an import names; a namespace of "" is none.
type parser func(id string) (namespace, name string, err error)

// ImportNamespaced starts an import by namespace/name, or by the resource identity.
func ImportNamespaced(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	importBy(ctx, req, resp, ParseID, ParseID)
}

// ImportClusterScoped starts an import by name, or by the resource identity.
func ImportClusterScoped(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	importBy(ctx, req, resp, parseName, parseName)
}

// importBy starts an import by an id, which can have a form of its own, or by the resource identity.
func importBy(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse, parseID, parseAddress parser) {
	id, parse := req.ID, parseID
	if id == "" && req.Identity != nil && !req.Identity.Raw.IsFullyNull() {
		parse = parseAddress
		var diags diag.Diagnostics
		if id, diags = addressID(ctx, req.Identity); diags.HasError() {
			resp.Diagnostics.Append(diags...)
			return
		}
	}
	namespace, name, err := parse(id)
	if err != nil {
		resp.Diagnostics.AddError("Invalid import id", "The import id is wrong: "+err.Error()+".")
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("name"), name)...)
	if namespace != "" {
		resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("namespace"), namespace)...)
	}
	resp.Diagnostics.Append(Locate(ctx, resp.Identity, key{namespace, name})...)
}

// addressID is a resource identity as an id.
func addressID(ctx context.Context, address *tfsdk.ResourceIdentity) (id string, diags diag.Diagnostics) {
	var namespace, name types.String
	diags = address.GetAttribute(ctx, path.Root("name"), &name)
	if _, namespaced := address.Schema.GetAttributes()["namespace"]; !namespaced {
		return name.ValueString(), diags
	}
	diags.Append(address.GetAttribute(ctx, path.Root("namespace"), &namespace)...)
	return ID(cmp.Or(namespace.ValueString(), DefaultNamespace), name.ValueString()), diags
}

func parseName(id string) (namespace, name string, err error) {
	if len(validation.IsDNS1123Subdomain(id)) > 0 {
		return "", "", fmt.Errorf("expected a name, but got %q", id)
	}
	return "", id, nil
}
