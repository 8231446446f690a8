// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// rehearse lets Harvester's own webhooks judge the image at plan, by a create that stores
// nothing. What they miss may be made in the same run, so a missing object is a
// warning; what they find wrong is an error.
func (r *lifecycle) rehearse(ctx context.Context, plan *model) diag.Diagnostics {
	if !plan.known() {
		return nil
	}
	if use, needed := plan.sourceUse(); needed && r.Session.Images.Has(session.ImageID(use.Image)) {
		return nil
	}
	if r.Session.Classes.Has(session.ClassName(plan.StorageClassName.ValueString())) {
		return nil
	}
	wanted, diags := plan.toAPI(ctx)
	if diags.HasError() {
		return diags
	}
	err := r.images.DryRunCreate(ctx, wanted.Namespace, wanted)
	if apierrors.IsConflict(err) {
		if diags = r.rehearsedConflict(ctx, plan); diags.HasError() {
			return diags
		}
		// Harvester looks at the display name first. What it says of the rest, it says to another one.
		wanted.Spec.DisplayName = "plan-" + objects.Fingerprint(wanted.Namespace, wanted.Name)[:16]
		err = r.images.DryRunCreate(ctx, wanted.Namespace, wanted)
	}
	return append(diags, r.rehearsed(plan, err)...)
}

// rehearsed is what the answer to a rehearsal means.
func (r *lifecycle) rehearsed(plan *model, err error) diag.Diagnostics {
	switch {
	case err == nil, apierrors.IsAlreadyExists(err), apierrors.IsForbidden(err), !kube.Refused(err):
		return r.Session.Unchecked(err) // a replacement, or something that the apply will report better
	case strings.Contains(err.Error(), "not found"), r.Session.PlanChecks == session.ChecksWarn:
		return diag.Diagnostics{diag.NewWarningDiagnostic("Harvester would refuse this now", fmt.Sprintf(
			"Harvester would not accept the %s as things are: %s\n\nThat is well if this run creates what is missing.", plan.title(), diagnose.Said(err)))}
	}
	refused := diagnose.API("plan", plan.title(), "Harvester was asked without creating anything.", err)
	if strings.Contains(err.Error(), "displayName") {
		return diag.Diagnostics{diag.WithPath(path.Root("display_name"), refused)}
	}
	return diag.Diagnostics{refused}
}

// known says that everything the server would be told is known.
func (m *model) known() bool {
	return tfbase.Known(
		m.Name, m.Namespace, m.DisplayName, m.SourceType, m.Backend, m.URL, m.PVCNamespace, m.PVCName, m.Checksum,
		m.SecurityParameters, m.StorageClassName, m.Labels, m.Tags, m.Description,
	)
}
