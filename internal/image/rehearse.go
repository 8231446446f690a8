// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// rehearse lets Harvester's own webhooks judge the image at plan, by a create that stores
// nothing. What they miss may be made in the same run, so a missing object is a
// warning; what they find wrong is an error.
func (r *lifecycle) rehearse(ctx context.Context, plan *model) diag.Diagnostics {
	if r.Session == nil || r.Session.PlanChecks == session.ChecksOff || !plan.known() {
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
	switch {
	case err == nil, apierrors.IsAlreadyExists(err), apierrors.IsForbidden(err), !kube.Refused(err) && !apierrors.IsConflict(err):
		return r.Session.Unchecked(err) // a replacement, or something that the apply will report better
	case apierrors.IsConflict(err):
		return r.rehearsedConflict(ctx, plan)
	case strings.Contains(err.Error(), "not found"), r.Session.PlanChecks == session.ChecksWarn:
		return diag.Diagnostics{diag.NewWarningDiagnostic("Harvester would refuse this now", fmt.Sprintf(
			"Harvester would not accept the %s as things are: %s\n\nThat is well if this run creates what is missing.", plan.title(), diagnose.Said(err)))}
	}
	return diag.Diagnostics{diagnose.API("plan", plan.title(), "Harvester was asked without creating anything.", err)}
}

// rehearsedConflict: the display name is taken, unless it is by the very image
// that is replaced.
func (r *lifecycle) rehearsedConflict(ctx context.Context, plan *model) diag.Diagnostics {
	others, err := r.images.List(ctx, plan.Namespace.ValueString(), api.LabelImageDisplayName+"="+plan.DisplayName.ValueString())
	if err != nil {
		return r.Session.Unchecked(err) // the apply will say
	}
	for i := range others {
		if others[i].Name != plan.Name.ValueString() && others[i].DeletionTimestamp == nil {
			return diag.Diagnostics{taken(plan, &others[i], "")}
		}
	}
	return nil
}

// known says that everything the server would be told is known.
func (m *model) known() bool {
	return tfbase.Known(
		m.Name, m.Namespace, m.DisplayName, m.SourceType, m.Backend, m.URL, m.PVCNamespace, m.PVCName, m.Checksum,
		m.SecurityParameters, m.StorageClassName, m.Labels, m.Tags, m.Description,
	)
}
