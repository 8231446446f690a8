// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package schedulebackup

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"
	corev1 "k8s.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// model is harvester_schedule_backup as Terraform has it.
type model struct {
	tfbase.NamespacedModel
	VMName        types.String `tfsdk:"vm_name"`
	VolumeName    types.String `tfsdk:"volume_name"`
	Schedule      types.String `tfsdk:"schedule"`
	Retain        types.Int64  `tfsdk:"retain"`
	MaxFailure    types.Int64  `tfsdk:"max_failure"`
	Enabled       types.Bool   `tfsdk:"enabled"`
	BackupType    types.String `tfsdk:"type"`
	SkipCronCheck types.Bool   `tfsdk:"skip_cron_check"`
	Backups       types.List   `tfsdk:"backups"`

	// place is the namespace of the object, which is that of the machine; the argument may say another.
	place types.String `tfsdk:"-"`
}

// Values of state.
const (
	stateActive    = "Active"
	stateSuspended = "Suspended"
	stateFailing   = "Failing"
)

// backupType is an entry of backups.
var backupType = types.ObjectType{AttrTypes: map[string]attr.Type{"name": types.StringType, "ready": types.BoolType, "error": types.StringType}}

// machine is the namespace and name of the virtual machine; no name while it is not known, or known by its volume alone.
func (m *model) machine() (namespace, name string) {
	for i, reference := range []types.String{m.VMName, m.VolumeName} {
		namespace, name, err := tfbase.ParseReference(reference.ValueString(), m.Namespace.ValueString())
		if err != nil {
			continue
		}
		if i > 0 {
			name = ""
		}
		return namespace, name
	}
	return m.Namespace.ValueString(), ""
}

// InNamespace is where the frame puts the namespace of the object.
func (m *model) InNamespace() *types.String { return &m.place }

// Key is that of the object, which is beside its machine.
func (m *model) Key() (namespace, name string) {
	namespace, _ = m.machine()
	return namespace, m.Name.ValueString()
}

// ToAPI builds the object to create. A machine that is known by its volume alone is filled in later.
func (m *model) ToAPI(context.Context) (*api.ScheduleVMBackup, diag.Diagnostics) {
	_, machine := m.machine()
	group := "kubevirt.io"
	schedule := &api.ScheduleVMBackup{Spec: api.ScheduleVMBackupSpec{
		Cron: m.Schedule.ValueString(), Retain: m.Retain.ValueInt64(), MaxFailure: m.MaxFailure.ValueInt64(), Suspend: !m.Enabled.ValueBool(),
		VMBackup: api.VirtualMachineBackupSpec{
			Source: corev1.TypedLocalObjectReference{APIGroup: &group, Kind: "VirtualMachine", Name: machine}, Type: m.BackupType.ValueString(),
		},
	}}
	if m.SkipCronCheck.ValueBool() {
		schedule.Annotations = map[string]string{api.AnnotationSkipCronCheck: "true"}
	}
	return schedule, nil
}

// FromAPI fills the model. The machine keeps its spelling.
func (m *model) FromAPI(ctx context.Context, schedule *api.ScheduleVMBackup, imported bool) diag.Diagnostics {
	spec := schedule.Spec
	machine := spec.VMBackup.Source.Name
	if namespace, name := m.machine(); namespace != schedule.Namespace || name != machine {
		m.VMName = types.StringValue(tfbase.ID(schedule.Namespace, machine))
	}
	if imported || m.Namespace.IsNull() {
		m.Namespace = types.StringValue(schedule.Namespace)
	}
	m.ID = types.StringValue(id(schedule))
	diags := m.readSuspension(schedule)
	m.Schedule, m.Retain, m.MaxFailure = types.StringValue(spec.Cron), types.Int64Value(spec.Retain), types.Int64Value(spec.MaxFailure)
	m.Enabled, m.BackupType = types.BoolValue(!spec.Suspend), types.StringValue(spec.VMBackup.Type)
	if skips := schedule.Annotations[api.AnnotationSkipCronCheck] != ""; skips != m.SkipCronCheck.ValueBool() {
		m.SkipCronCheck = types.BoolValue(skips)
	}
	state, message := verdict(schedule)
	m.State, m.Message = types.StringValue(state), types.StringValue(message)
	backups, more := backupsOf(ctx, schedule)
	m.Backups = backups
	return append(diags, more...)
}

// id is what the official provider calls a schedule.
func id(schedule *api.ScheduleVMBackup) string {
	return schedule.Namespace + "/" + schedule.Spec.VMBackup.Source.Name + "/" + schedule.Name
}

// readSuspension warns of a schedule that Harvester itself has stopped.
func (m *model) readSuspension(schedule *api.ScheduleVMBackup) diag.Diagnostics {
	condition := suspension(schedule)
	if !m.Enabled.ValueBool() || condition == nil {
		return nil
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic("Backups are suspended", fmt.Sprintf(
		"Harvester has suspended the backup schedule %q by itself: %s\n\nThe plan resumes it, as the configuration says. Remove the cause first, or set enabled = false.",
		id(schedule), redact.Text(diagnose.Paragraphs(condition.Reason, condition.Message))))}
}

// suspension tells why Harvester itself has suspended a schedule; nil if it has not.
func suspension(schedule *api.ScheduleVMBackup) *api.Condition {
	for i := range schedule.Status.Conditions {
		condition := &schedule.Status.Conditions[i]
		if schedule.Spec.Suspend && condition.Type == api.ConditionBackupSuspend && condition.Status == "True" && condition.Reason != api.ReasonProactiveSuspend {
			return condition
		}
	}
	return nil
}

// verdict is how the schedule does, with the server's reason if it does badly.
func verdict(schedule *api.ScheduleVMBackup) (state, message string) {
	condition := suspension(schedule)
	switch {
	case condition != nil:
		return stateSuspended, redact.Line(condition.Reason + ": " + condition.Message)
	case schedule.Spec.Suspend:
		return stateSuspended, ""
	case schedule.Status.Failure > 0:
		return stateFailing, fmt.Sprintf("%d backups in a row have failed. %s", schedule.Status.Failure, lastError(schedule))
	}
	return stateActive, ""
}

// lastError is the message of the last backup that failed.
func lastError(schedule *api.ScheduleVMBackup) (message string) {
	for _, backup := range schedule.Status.VMBackups {
		if text := errorOf(backup); text != "" {
			message = text
		}
	}
	return message
}

func errorOf(backup api.ScheduledBackup) string {
	if backup.Error == nil || backup.Error.Message == nil {
		return ""
	}
	return redact.Line(*backup.Error.Message)
}

func backupsOf(ctx context.Context, schedule *api.ScheduleVMBackup) (types.List, diag.Diagnostics) {
	type entry struct {
		Name  string `tfsdk:"name"`
		Ready bool   `tfsdk:"ready"`
		Error string `tfsdk:"error"`
	}
	entries := []entry{}
	for _, backup := range schedule.Status.VMBackups {
		entries = append(entries, entry{backup.Name, backup.ReadyToUse != nil && *backup.ReadyToUse, errorOf(backup)})
	}
	return types.ListValueFrom(ctx, backupType, entries)
}

// Changes is the merge patch of what can change.
func (m *model) Changes(_ context.Context, before *model) (map[string]any, diag.Diagnostics) {
	spec, patch := map[string]any{}, map[string]any{}
	if !m.Schedule.Equal(before.Schedule) {
		spec["cron"] = m.Schedule.ValueString()
	}
	if !m.Retain.Equal(before.Retain) {
		spec["retain"] = m.Retain.ValueInt64()
	}
	if !m.MaxFailure.Equal(before.MaxFailure) {
		spec["maxFailure"] = m.MaxFailure.ValueInt64()
	}
	if !m.Enabled.Equal(before.Enabled) {
		spec["suspend"] = !m.Enabled.ValueBool()
	}
	if len(spec) > 0 {
		patch["spec"] = spec
	}
	if skip := m.SkipCronCheck.ValueBool(); skip != before.SkipCronCheck.ValueBool() {
		var value any // takes the annotation off
		if skip {
			value = "true"
		}
		patch["metadata"] = map[string]any{"annotations": map[string]any{api.AnnotationSkipCronCheck: value}}
	}
	return patch, nil
}
