// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
)

// Terminating is the state of an object of any kind that is being deleted. It stays in Terraform's state
// until it is gone, but nothing can be built on it.
const Terminating = "Terminating"

// ShowTermination fills in state and message of an object that is being deleted. Others stay as they are.
func ShowTermination(object metav1.Object, state, message *types.String) {
	if object.GetDeletionTimestamp() != nil {
		*state, *message = types.StringValue(Terminating), types.StringValue("Being deleted"+objects.HeldBy(object.GetFinalizers())+".")
	}
}

// ReplaceTerminating plans another object in the place of one that is being deleted, and says whether it
// is: a destroy may have been killed while it waited, or somebody else deletes the object. Apply waits for
// its end, then makes the new one. The unknown state makes the replacement visible, with its reason.
func ReplaceTerminating(ctx context.Context, state types.String, resp *resource.ModifyPlanResponse) bool {
	if state.ValueString() != Terminating {
		return false
	}
	at := path.Root("state")
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, at, types.StringUnknown())...)
	resp.RequiresReplace.Append(at)
	return true
}
