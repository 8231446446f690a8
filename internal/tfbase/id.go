// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// ID joins namespace and name as Terraform ids have them.
func ID(namespace, name string) string { return namespace + "/" + name }

// ParseID splits namespace/name.
func ParseID(id string) (namespace, name string, err error) {
	namespace, name, found := strings.Cut(id, "/")
	if !found || len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return "", "", fmt.Errorf("expected namespace/name, for example %q, but got %q", "default/ubuntu", id)
	}
	return namespace, name, nil
}

// ParseReference splits a reference to an object: namespace/name, or a name
// alone, which is in the default namespace given.
func ParseReference(reference, defaultNamespace string) (namespace, name string, err error) {
	if strings.Contains(reference, "/") {
		return ParseID(reference)
	}
	return ParseID(ID(defaultNamespace, reference))
}

// ImportNamespaced starts an import by namespace/name.
func ImportNamespaced(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	importNamespaced(ctx, req, resp, ParseID)
}

func importNamespaced(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse, parse func(string) (namespace, name string, err error)) {
	namespace, name, err := parse(req.ID)
	if err != nil {
		resp.Diagnostics.AddError("Invalid import id", "The import id is wrong: "+err.Error()+".")
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), req.ID)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("namespace"), namespace)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("name"), name)...)
}
