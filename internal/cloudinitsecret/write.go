// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cloudinitsecret

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	corev1 "k8s.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
)

// create makes the object, or takes over the one that an earlier apply of the same
// data made before it was killed.
func (r *Resource) create(ctx context.Context, plan, config *model) (*corev1.Secret, diag.Diagnostics) {
	wanted, diags := plan.toAPI(ctx, config)
	if diags.HasError() {
		return nil, diags
	}
	creation := objects.Creating(r.Session.Hub, r.secrets, plan.title(), wanted)
	creation.Foreign = objects.Foreign{Type: Type, ID: plan.id(), One: "a Secret", Short: "secret", Instead: ", or refer to that one by name"}
	creation.Ours = func(existing *corev1.Secret) bool {
		return existing.Annotations[api.AnnotationOrigin] == Type && holdsSame(existing, wanted)
	}
	return creation.Run(ctx)
}

// change sends what differs; nothing, if only timeouts do.
func (r *Resource) change(ctx context.Context, plan, state, config *model) (*corev1.Secret, diag.Diagnostics) {
	patch, diags := plan.patch(ctx, state, config)
	if diags.HasError() {
		return nil, diags
	}
	secret, err := objects.Change(ctx, r.secrets, plan.Namespace.ValueString(), plan.Name.ValueString(), patch)
	if err != nil {
		return nil, diag.Diagnostics{diagnose.API("change", plan.title(), objects.Unchanged(err), err)}
	}
	return secret, nil
}

// remove deletes the secret and makes sure that it is gone.
func (r *Resource) remove(ctx context.Context, state *model) diag.Diagnostics {
	return objects.Removing(r.Session.Hub, r.secrets, state.title(), state.Namespace.ValueString(), state.Name.ValueString()).Run(ctx)
}
