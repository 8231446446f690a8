// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package setting

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// A setting is the server's: it was there before, and stays. What belongs to a resource is the value that it wrote. So a
// setting is known by its name alone, and a value by its fingerprint, which is noted on the setting.

func settingsOf(s *session.Session) kube.Resource[api.Setting] {
	return kube.For[api.Setting](s.Client, api.Settings, kindSetting)
}

// nameless is a setting without its UID: the server may have made it anew, and it means the same.
func nameless(setting *api.Setting) *api.Setting {
	if setting != nil {
		setting.UID = ""
	}
	return setting
}

func look(ctx context.Context, s *session.Session, _, name string, fresh bool) (*api.Setting, error) {
	if fresh {
		setting, err := settingsOf(s).Get(ctx, "", name)
		return nameless(setting), err
	}
	setting, err := settingsOf(s).Recent(ctx, "", name)
	return nameless(setting), err
}

// create gives the setting that is there a value. It can be repeated at any point, so it needs no mark.
func create(s *session.Session, plan *model, wanted *api.Setting, usual *objects.Creation[*api.Setting]) {
	usual.Wanted = nil
	usual.Send = func(ctx context.Context) (*api.Setting, error) { return adopt(ctx, s, plan, wanted) }
	usual.Annotate = func(_ context.Context, setting *api.Setting, _ map[string]any) (*api.Setting, error) {
		return setting, nil
	}
}

// conflicts is how often a setting may be changed by others while it is adopted.
const conflicts = 5

// adopt sends the value, and notes the one before if it is to be restored. Both in one request, and for the setting as it
// was read, so that no value of others is lost.
func adopt(ctx context.Context, s *session.Session, plan *model, wanted *api.Setting) (*api.Setting, error) {
	for try := 1; ; try++ {
		existing, err := kube.Retry(ctx, func(ctx context.Context) (*api.Setting, error) { return look(ctx, s, "", wanted.Name, true) })
		if err != nil {
			return nil, err
		}
		setting, err := settingsOf(s).Patch(ctx, "", wanted.Name, adoption(plan, wanted, existing))
		switch {
		case err == nil, kube.Transient(err):
			return nameless(setting), err
		case !apierrors.IsConflict(err) || try == conflicts:
			return nil, &objects.DescribedError{Diagnostics: hide(plan.name(), diagnose.API("set", plan.title(), objects.Unchanged(err), err), wanted.Value)}
		}
	}
}

// adoption is the merge patch that gives a setting its value, labels and annotations.
func adoption(plan *model, wanted, existing *api.Setting) map[string]any {
	patch := map[string]any{}
	if !same(wanted.Name, wanted.Value, existing.Value) {
		patch["value"] = wanted.Value
	}
	annotations := map[string]any{api.AnnotationSettingWritten: fingerprint(wanted.Name, wanted.Value)}
	for key, value := range wanted.Annotations {
		annotations[key] = value
	}
	if _, noted := existing.Annotations[api.AnnotationSettingPrior]; !noted && plan.OnDestroy.ValueString() == destroyRestores {
		annotations[api.AnnotationSettingPrior] = existing.Value
	}
	patch["metadata"] = map[string]any{"resourceVersion": existing.ResourceVersion, "labels": wanted.Labels, "annotations": annotations}
	return patch
}

// change sends what changes.
func change(ctx context.Context, s *session.Session, plan, state *model, _ objects.Identity, patch map[string]any) (*api.Setting, diag.Diagnostics) {
	identity := objects.Identity{Title: plan.title(), Name: plan.name()}
	setting, err := objects.Change(ctx, settingsOf(s), identity, patch)
	if err != nil {
		return nil, hide(plan.name(), diagnose.API("change", plan.title(), objects.Unchanged(err), err), plan.wanted(), state.Value.ValueString())
	}
	return nameless(setting), nil
}

// remove takes back what the resource gave the setting.
func remove(d *tfbase.Deleting[*model, *api.Setting]) {
	d.Identity.UID = ""
	d.Request = func(ctx context.Context, setting *api.Setting) diag.Diagnostics {
		patch, diags := takingBack(d.State, setting)
		_, err := settingsOf(d.Session).Patch(ctx, "", setting.Name, patch)
		if err != nil && !apierrors.IsNotFound(err) {
			return hide(setting.Name, diagnose.API("take back the value of", d.State.title(), "It was left as it was.", err), setting.Value)
		}
		return diags
	}
	d.AwaitGone = func(ctx context.Context, setting *api.Setting) error {
		if of(setting.Name).applied != byProgress {
			return nil
		}
		return untilTakenBack(ctx, d.Session, d.State, setting)
	}
}

// untilTakenBack waits for the end of a network that is no longer used: what it runs on can go only then.
func untilTakenBack(ctx context.Context, s *session.Session, state *model, setting *api.Setting) error {
	live, err := look(ctx, s, "", setting.Name, true)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := untilApplied(ctx, s, live); err != nil && !errors.Is(err, errGone) {
		return &objects.DescribedError{Diagnostics: unapplied(state, err, setting.Value)}
	}
	return nil
}

// takingBack is the merge patch that ends the resource's hold on a setting. A value that others have set since is theirs.
func takingBack(state *model, setting *api.Setting) (map[string]any, diag.Diagnostics) {
	labels, annotations := map[string]any{}, map[string]any{api.AnnotationSettingWritten: nil, api.AnnotationSettingPrior: nil}
	for key := range state.Labels.Elements() {
		labels[key] = nil
	}
	for key := range state.Tags.Elements() {
		labels[api.LabelTagPrefix+key] = nil
	}
	if state.Description.ValueString() != "" {
		annotations[api.AnnotationDescription] = nil
	}
	patch := map[string]any{"metadata": map[string]any{"labels": labels, "annotations": annotations}}
	how := state.OnDestroy.ValueString()
	switch _, noted := setting.Annotations[api.AnnotationSettingWritten]; {
	case how == destroyKeeps:
	case noted && !written(setting):
		return patch, diag.Diagnostics{diag.NewWarningDiagnostic("Not taken back", fmt.Sprintf(
			"The value of the %s is not the one that Terraform wrote: others have changed it since. It was left as it is. Terraform does not manage it any more.", state.title()))}
	case how == destroyRestores:
		patch["value"] = setting.Annotations[api.AnnotationSettingPrior]
	default:
		patch["value"] = ""
	}
	return patch, nil
}
