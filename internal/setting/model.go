// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package setting

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_setting as Terraform has it.
type model struct {
	tfbase.ObjectModel
	Value          types.String `tfsdk:"value"`
	ValueWO        types.String `tfsdk:"value_wo"`
	ValueWOVersion types.Int64  `tfsdk:"value_wo_version"`
	OnDestroy      types.String `tfsdk:"on_destroy"`
	Default        types.String `tfsdk:"default"`
	EffectiveValue types.String `tfsdk:"effective_value"`
}

// Values of on_destroy.
const (
	destroyResets   = "reset"
	destroyRestores = "restore"
	destroyKeeps    = "keep"
)

// Values of state. Configured is the official provider's.
const (
	stateConfigured = "Configured"
	statePending    = "Pending"
	stateFailed     = "Failed"
	stateDefault    = "Default"
)

// othersVersion is the value_wo_version of a value that others have set.
const othersVersion = -1

// hidden says that the value is given in the write-only argument.
func (m *model) hidden() bool { return !m.ValueWOVersion.IsNull() }

// wanted is the value to be sent.
func (m *model) wanted() string {
	if m.hidden() {
		return m.ValueWO.ValueString()
	}
	return m.Value.ValueString()
}

func (m *model) name() string { return m.Name.ValueString() }

func (m *model) title() string { return tfbase.Title("setting", m) }

// takeWriteOnly copies what only the configuration has.
func (m *model) takeWriteOnly(config *model) { m.ValueWO = config.ValueWO }

// ToAPI is what the setting shall be.
func (m *model) ToAPI(context.Context) (*api.Setting, diag.Diagnostics) {
	return &api.Setting{Value: m.wanted()}, nil
}

// FromAPI fills the model. The value keeps its spelling where that is all that differs.
func (m *model) FromAPI(_ context.Context, setting *api.Setting, imported bool) diag.Diagnostics {
	m.Default = types.StringValue(setting.Default)
	m.ValueWO = types.StringNull()
	switch {
	case m.hidden() && !written(setting):
		m.ValueWOVersion = types.Int64Value(othersVersion)
	case m.hidden():
	case imported || !sameAsStored(setting.Name, m.Value.ValueString(), setting.Value):
		m.Value = tfbase.Keep(m.Value, setting.Value)
	}
	m.EffectiveValue = m.effective()
	state, message := verdict(setting)
	m.State, m.Message = types.StringValue(state), types.StringValue(shown(setting.Name, message, setting.Value, m.Value.ValueString()))
	return nil
}

// effective is the value in force, which must not show what is write-only.
func (m *model) effective() types.String {
	switch {
	case m.hidden():
		return types.StringNull()
	case m.Value.IsUnknown(), m.Value.ValueString() != "":
		return m.Value
	}
	return m.Default
}

// written says that the value is the one that this provider wrote last, as far as that is known.
func written(setting *api.Setting) bool {
	note, noted := setting.Annotations[api.AnnotationSettingWritten]
	return noted && note == fingerprint(setting.Name, setting.Value)
}

// Changes is the merge patch of the value.
func (m *model) Changes(_ context.Context, before *model) (map[string]any, diag.Diagnostics) {
	if m.hidden() == before.hidden() && m.ValueWOVersion.Equal(before.ValueWOVersion) &&
		(m.hidden() || same(m.name(), m.Value.ValueString(), before.Value.ValueString())) {
		return nil, nil
	}
	return valuePatch(m.name(), m.wanted()), nil
}

func valuePatch(name, value string) map[string]any {
	return map[string]any{
		"value":    value,
		"metadata": map[string]any{"annotations": map[string]any{api.AnnotationSettingWritten: fingerprint(name, value)}},
	}
}

// verdict is what became of the value, with the server's reason.
func verdict(setting *api.Setting) (state, message string) {
	how, condition := of(setting.Name).applied, setting.Configured()
	switch {
	case how == byProgress && condition != nil && condition.Status != "True" && (setting.Value != "" || condition.Reason == inProgress):
		return undone(condition)
	case setting.Value == "":
		return stateDefault, ""
	case how == byHash && !hashed(setting), how == byCondition && stripping(setting):
		return undone(condition)
	case how == byHash, condition == nil && how == whenRead:
		return stateConfigured, ""
	case condition == nil || condition.Status != "True":
		return undone(condition)
	}
	return stateConfigured, ""
}

// inProgress is the reason of a condition whose message tells how far it is.
const inProgress = "In Progress"

// undone tells of a value that was not applied, or not yet.
func undone(condition *api.Condition) (state, message string) {
	switch {
	case condition == nil || condition.Message == "" || condition.Status == "True":
		return statePending, "Harvester has not applied the value yet."
	case condition.Reason == inProgress, kube.Overtaken(condition.Message):
		return statePending, condition.Message
	}
	return stateFailed, condition.Message
}

// hashed says that Harvester has noted the hash of this very value (H:pkg/controller/master/setting/handler.go).
func hashed(setting *api.Setting) bool {
	sum := sha256.Sum224([]byte(setting.Value + setting.Annotations[api.AnnotationSettingPatched]))
	return setting.Annotations[api.AnnotationSettingHash] == hex.EncodeToString(sum[:])
}

// stripping says that a backup target still has its credentials, which Harvester takes out when it has applied them.
func stripping(setting *api.Setting) bool {
	return setting.Name == api.SettingBackupTarget && !withholds(setting.Name, setting.Value)
}
