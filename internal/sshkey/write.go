// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sshkey

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
)

// create makes the object, or takes over the one that an earlier apply of the same
// key made before it was killed.
func (r *Resource) create(ctx context.Context, plan *model) (*api.KeyPair, diag.Diagnostics) {
	wanted, diags := plan.toAPI(ctx)
	if diags.HasError() {
		return nil, diags
	}
	creation := objects.Creating(r.Session.Hub, r.keys, plan.title(), wanted)
	creation.Foreign = objects.Foreign{Type: Type, ID: plan.id(), One: "an SSH key", Short: "key", Instead: ", or refer to it with a data source"}
	creation.Ours = func(existing *api.KeyPair) bool {
		return existing.Annotations[api.AnnotationOrigin] == Type && same(existing.Spec.PublicKey, wanted.Spec.PublicKey)
	}
	return creation.Run(ctx)
}

// change sends what differs; nothing, if only the validation is to be waited for.
func (r *Resource) change(ctx context.Context, plan, state *model) (*api.KeyPair, diag.Diagnostics) {
	patch, diags := plan.patch(ctx, state)
	if diags.HasError() {
		return nil, diags
	}
	pair, err := objects.Change(ctx, r.keys, plan.Namespace.ValueString(), plan.Name.ValueString(), patch)
	if err != nil {
		return nil, diag.Diagnostics{diagnose.API("change", plan.title(), objects.Unchanged(err), err)}
	}
	return pair, nil
}

// remove deletes the key and makes sure that it is gone.
func (r *Resource) remove(ctx context.Context, state *model) diag.Diagnostics {
	return objects.Removing(r.Session.Hub, r.keys, state.title(), state.Namespace.ValueString(), state.Name.ValueString()).Run(ctx)
}
