// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
)

// Loaded says whether an operation can begin: what it works on was loaded, with these
// diagnostics, and there is a connection to the cluster.
func (b *Base) Loaded(diags *diag.Diagnostics, loads ...diag.Diagnostics) bool {
	for _, load := range loads {
		diags.Append(load...)
	}
	diags.Append(b.Connected()...)
	return !diags.HasError()
}

// Found says whether a Read found its object, by the error of looking for it. Only a NotFound
// removes the resource from the state; after all other trouble it stays there as it was.
func Found(ctx context.Context, title string, err error, resp *resource.ReadResponse) bool {
	switch {
	case apierrors.IsNotFound(err):
		resp.State.RemoveResource(ctx)
	case err != nil:
		resp.Diagnostics.Append(diagnose.API("read", title, "The state was left as it was.", err))
	}
	return err == nil
}

// Known says that all of the values are known, with all that is in them.
func Known(values ...attr.Value) bool {
	for _, value := range values {
		terraform, err := value.ToTerraformValue(context.Background())
		if err != nil || !terraform.IsFullyKnown() {
			return false
		}
	}
	return true
}
