// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package setting

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// blame is an error on the value. Terraform repeats the line of the argument to blame, so that none is for a value that can
// hold secrets.
func blame(name, summary, detail string) diag.Diagnostic {
	if of(name).secret {
		return diag.NewErrorDiagnostic(summary, detail)
	}
	return diag.NewAttributeErrorDiagnostic(path.Root("value"), summary, detail)
}

// validate checks what needs no cluster.
func validate(_ context.Context, config *model) (diags diag.Diagnostics) {
	wrong := func(at, detail string) { diags.AddAttributeError(path.Root(at), "Contradicting arguments", detail) }
	switch {
	case config.ValueWO.IsNull() && !config.ValueWOVersion.IsNull():
		wrong("value_wo_version", "value_wo_version goes with value_wo. Set that too, or remove this.")
	case !config.ValueWO.IsNull() && config.ValueWOVersion.IsNull():
		wrong("value_wo_version", "value_wo needs value_wo_version: Terraform does not see when a write-only value changes, but sees another version.")
	case !config.ValueWO.IsNull() && !config.Value.IsNull():
		wrong("value", "value_wo takes the place of value. Remove one of them.")
	}
	if !config.Name.IsUnknown() {
		diags.Append(checkValue(config.name(), config.Value)...)
		diags.Append(checkValue(config.name(), config.ValueWO)...)
	}
	return diags
}

func checkValue(name string, value types.String) diag.Diagnostics {
	wrong := of(name).wrong(value.ValueString()) // of what is not known, nothing is
	if len(wrong) == 0 {
		return nil
	}
	return diag.Diagnostics{blame(name, "Invalid value of a setting", fmt.Sprintf("The value of the setting %q is not usable: %s.", name, strings.Join(wrong, "; ")))}
}

// plan fills in what follows from the value, and promises the setting to what refers to it.
func plan(_ context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	if p.Plan.Name.IsUnknown() {
		return nil
	}
	hidden := p.Plan.hidden()
	if p.Session != nil && (hidden || p.Plan.Value.IsUnknown() || p.Plan.Value.ValueString() != "") {
		p.Session.Settings.Add(session.SettingName(p.Plan.name()))
	}
	diags := validateKnown(p.Config)
	if state := p.State; state != nil && !hidden && !p.Plan.Value.IsUnknown() {
		diags.Append(p.Plan.keepSpelling(state)...)
	}
	p.Plan.derive(p.State)
	return diags
}

// validateKnown checks values that became known only now.
func validateKnown(config *model) diag.Diagnostics {
	return append(checkValue(config.name(), config.Value), checkValue(config.name(), config.ValueWO)...)
}

// keepSpelling plans no change where only the spelling differs.
func (m *model) keepSpelling(state *model) diag.Diagnostics {
	value, prior := m.Value.ValueString(), state.Value.ValueString()
	switch {
	case same(m.name(), value, prior):
		m.Value = state.Value
	case sameAsStored(m.name(), value, prior):
		m.Value = state.Value
		return diag.Diagnostics{diag.NewWarningDiagnostic("Credentials not compared", fmt.Sprintf(
			"Harvester does not give out the credentials of the %s, and this state does not know which were sent: it was imported, or the official provider wrote it. "+
				"So whether those in the configuration are the ones in use is not known, and they are not sent.\n\n"+
				"To send them, change something else in the value too, or use value_wo with a value_wo_version.", m.title()))}
	}
	return nil
}

// derive fills in what is computed. State is nil when the setting is new to Terraform.
func (m *model) derive(state *model) {
	if state != nil && m.Default.IsUnknown() {
		m.Default = state.Default
	}
	if m.EffectiveValue = m.effective(); m.EffectiveValue.IsNull() && !m.hidden() {
		m.EffectiveValue = types.StringUnknown()
		if state != nil {
			m.EffectiveValue = state.EffectiveValue
		}
	}
	switch {
	case m.Value.IsUnknown():
		m.State, m.Message = types.StringUnknown(), types.StringValue("")
	case m.hidden() || m.Value.ValueString() != "":
		m.State, m.Message = types.StringValue(stateConfigured), types.StringValue("")
	default:
		m.State, m.Message = types.StringValue(stateDefault), types.StringValue("")
	}
}

// check lets the server judge the value before anything is done.
func check(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	if c.Plan.Name.IsUnknown() {
		return nil
	}
	existing, err := look(ctx, c.Session, "", c.Plan.name(), c.Applying)
	switch {
	case apierrors.IsNotFound(err):
		return diag.Diagnostics{unknownSetting(ctx, c)}
	case err != nil:
		return c.Unchecked(err)
	}
	diags := checkRestore(c, existing)
	if c.Applying || diags.HasError() { // the request itself says the rest
		return diags
	}
	diags.Append(advise(c, existing)...)
	return append(diags, rehearse(ctx, c, existing)...)
}

// unknownSetting lists the names that may have been meant.
func unknownSetting(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostic {
	detail := fmt.Sprintf("This Harvester has no setting %q.", c.Plan.name())
	if all, err := settingsOf(c.Session).RecentAll(ctx, ""); err == nil {
		detail += " It has these: " + strings.Join(nearest(c.Plan.name(), all), ", ") + "."
	}
	return diag.NewAttributeErrorDiagnostic(path.Root("name"), "No such setting", diagnose.Paragraphs(detail, c.Left()))
}

// nearest are the names that share a word with the one that was meant; all if none does.
func nearest(name string, all []api.Setting) (names []string) {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '.' })
	for i := range all {
		if slices.ContainsFunc(words, func(word string) bool { return len(word) > 2 && strings.Contains(all[i].Name, word) }) {
			names = append(names, all[i].Name)
		}
	}
	if len(names) == 0 {
		for i := range all {
			names = append(names, all[i].Name)
		}
	}
	slices.Sort(names)
	return names
}

// checkRestore refuses to promise a value that nobody has noted.
func checkRestore(c *tfbase.Checking[*model], existing *api.Setting) diag.Diagnostics {
	_, noted := existing.Annotations[api.AnnotationSettingPrior]
	if c.State == nil || noted || c.Plan.OnDestroy.ValueString() != destroyRestores || c.State.OnDestroy.Equal(c.Plan.OnDestroy) {
		return nil
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("on_destroy"), "Nothing to restore", diagnose.Paragraphs(fmt.Sprintf(
		"on_destroy = %q restores the value that the %s had before. That is noted when the resource begins, and it began without: so the value is not known.\n\n"+
			"Use %q, %q, or set the value to be kept in value.", destroyRestores, c.Plan.title(), destroyResets, destroyKeeps), c.Left()))}
}

// advise warns of settings that are not the user's alone.
func advise(c *tfbase.Checking[*model], existing *api.Setting) (diags diag.Diagnostics) {
	if of(existing.Name).system {
		diags.AddAttributeWarning(path.Root("name"), "Setting of the system", fmt.Sprintf(
			"Harvester or its installer maintains the setting %q. What is set here may be overwritten, or mislead them.", existing.Name))
	}
	if c.State != nil || existing.Value == "" || !c.Plan.hidden() && (c.Plan.Value.IsUnknown() || sameAsStored(existing.Name, c.Plan.Value.ValueString(), existing.Value)) {
		return diags
	}
	whose := "It was set outside of this Terraform state, for example in Harvester's dashboard."
	if _, ours := existing.Annotations[api.AnnotationSettingWritten]; ours {
		whose = "This provider set it: in another workspace or configuration, or for another block. A setting can have one owner only: of two, each takes the other's value for a change to undo."
	}
	diags.AddAttributeWarning(path.Root("name"), "The setting has a value already", fmt.Sprintf(
		"Apply replaces the value of the setting %q. %s\n\nTo get it back on destroy, set on_destroy = %q. To keep it, import it:\n  terraform import %s.<name> %[1]s",
		existing.Name, whose, destroyRestores, Type))
	return diags
}

// rehearse lets Harvester's own webhooks judge the value, by a change that stores nothing.
func rehearse(ctx context.Context, c *tfbase.Checking[*model], existing *api.Setting) diag.Diagnostics {
	name, value := existing.Name, c.Plan.Value.ValueString()
	if c.Plan.hidden() || c.Plan.Value.IsUnknown() || of(name).remote || sameAsStored(name, value, existing.Value) {
		return nil
	}
	found := judge(ctx, c.Session, c.Plan, value, existing.Value)
	if of(name).elsewhere {
		return session.Warnings(found...)
	}
	return found
}

// judge asks whether Harvester would take a value now.
func judge(ctx context.Context, s *session.Session, m *model, value, before string) diag.Diagnostics {
	err := settingsOf(s).DryRunPatch(ctx, "", m.name(), map[string]any{"value": value})
	if err == nil || !kube.Refused(err) {
		return s.Unchecked(err) // or something that the apply will report better
	}
	left := "Harvester was asked without changing anything."
	if of(m.name()).elsewhere {
		left += " If it is for something that this run changes, apply may succeed all the same."
	}
	return hide(m.name(), diagnose.API("set", m.title(), left, err), value, before)
}

// planDelete warns of a value that could not be taken back now.
func planDelete(ctx context.Context, s *session.Session, state *model, _ tfbase.Private) diag.Diagnostics {
	existing, err := look(ctx, s, "", state.name(), false)
	if err != nil || of(state.name()).remote {
		return nil
	}
	patch, _ := takingBack(state, existing)
	value, taken := patch["value"].(string)
	if !taken {
		return nil
	}
	return session.Warnings(judge(ctx, s, state, value, existing.Value)...)
}

// stirs names what another value moves.
func (m *model) stirs(state *model) []string {
	if m.Value.Equal(state.Value) && m.ValueWOVersion.Equal(state.ValueWOVersion) {
		return nil
	}
	return []string{"effective_value", "state", "message"}
}
