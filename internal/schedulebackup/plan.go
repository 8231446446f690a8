// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package schedulebackup

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// validate checks the arguments against one another.
func validate(_ context.Context, config *model) (diags diag.Diagnostics) {
	wrong := func(at, summary, detail string) { diags.AddAttributeError(path.Root(at), summary, detail) }
	switch {
	case config.VMName.IsNull() && config.VolumeName.IsNull():
		wrong("vm_name", "Missing argument", "A backup schedule is for a virtual machine. Set vm_name.")
	case !config.VMName.IsNull() && !config.VolumeName.IsNull():
		wrong("volume_name", "Contradicting arguments", "vm_name and volume_name both say which virtual machine it is. Remove volume_name.")
	}
	retained := config.Retain.ValueInt64()
	if config.Retain.IsNull() {
		retained = defaultRetained
	}
	if !config.Retain.IsUnknown() && config.MaxFailure.ValueInt64() >= retained && !config.MaxFailure.IsNull() {
		wrong("max_failure", "Contradicting arguments", fmt.Sprintf("max_failure must be less than retain, which is %d.", retained))
	}
	return append(diags, checkGaps(config, time.Now())...)
}

// checkGaps refuses a schedule whose runs are never an hour apart. If only some are closer, it depends on the time of the
// day whether Harvester notices (H:pkg/util/svmbackup.go, GetCronGranularity).
func checkGaps(config *model, now time.Time) (diags diag.Diagnostics) {
	shortest, longest, err := gaps(config.Schedule.ValueString(), now)
	if err != nil || config.SkipCronCheck.IsUnknown() || config.SkipCronCheck.ValueBool() || shortest == 0 || shortest >= closest {
		return nil
	}
	const advice = "Choose other times, or set skip_cron_check = true."
	at := path.Root("schedule")
	if longest < closest {
		diags.AddAttributeError(at, "Schedule too close", fmt.Sprintf("The runs are %s apart, and Harvester wants an hour at least.\n\n%s", shortest, advice))
	} else {
		diags.AddAttributeWarning(at, "Schedule too close", fmt.Sprintf(
			"Some runs are %s apart, and Harvester wants an hour at least. It looks at the next two runs only, so that it may refuse the schedule at one time and take it at another.\n\n%s", shortest, advice))
	}
	return diags
}

// plan fills in what is computed.
func plan(_ context.Context, p *tfbase.Planning[*model]) diag.Diagnostics {
	m, state := p.Plan, p.State
	if m.BackupType.IsUnknown() && p.Config.BackupType.IsNull() {
		m.BackupType = types.StringValue(api.TypeBackup)
	}
	switch {
	case !p.Config.MaxFailure.IsNull() || m.Retain.IsUnknown():
	case state != nil && !state.MaxFailure.IsNull() && state.Retain.Equal(m.Retain):
		m.MaxFailure = state.MaxFailure
	default:
		m.MaxFailure = types.Int64Value(max(m.Retain.ValueInt64()-1, leastFailures))
	}
	if state == nil {
		return nil
	}
	switch {
	case !m.replaces(state):
		if m.VMName, m.ID = state.VMName, state.ID; m.settled(state) {
			p.Keep()
		}
	case p.Config.VMName.IsNull():
		m.VMName, m.ID = types.StringUnknown(), types.StringUnknown()
	default:
		m.ID = types.StringUnknown()
	}
	if p.Session != nil && m.replaces(state) {
		p.Session.LeavingSchedules.Add(session.ScheduleID(tfbase.KeyID(state)))
	}
	return nil
}

// settled says that the plan differs from the state only in what is computed anew.
func (m *model) settled(state *model) bool {
	settled := *m
	settled.State, settled.Message, settled.Backups = state.State, state.Message, state.Backups
	return reflect.DeepEqual(settled, *state)
}

// planDelete notes a schedule that makes room for another.
func planDelete(_ context.Context, s *session.Session, state *model, _ tfbase.Private) diag.Diagnostics {
	s.LeavingSchedules.Add(session.ScheduleID(tfbase.KeyID(state)))
	return nil
}

// replaces says that only another schedule can be what the plan wants: one of another machine, or type, or name. How the
// machine is said does not matter: a state of the official provider may have another namespace than its configuration.
func (m *model) replaces(state *model) bool {
	switch {
	case !m.Name.Equal(state.Name), !m.BackupType.IsUnknown() && !state.BackupType.IsNull() && !m.BackupType.Equal(state.BackupType):
		return true
	case !m.VolumeName.IsNull():
		return m.volume() != state.volume()
	case m.VMName.IsUnknown():
		return true
	}
	namespace, name := m.machine()
	wasIn, was := state.machine()
	return namespace != wasIn || name != was
}

// volume is the namespace/name of the volume; "" if there is none, or it is not known.
func (m *model) volume() string {
	namespace, name, err := tfbase.ParseReference(m.VolumeName.ValueString(), m.Namespace.ValueString())
	if err != nil {
		return ""
	}
	return tfbase.ID(namespace, name)
}

// check looks at the machine, at other schedules and at the backup target, and lets Harvester judge the rest.
func check(ctx context.Context, c *tfbase.Checking[*model]) (diags diag.Diagnostics) {
	if c.Applying || c.Plan.VMName.IsUnknown() && c.Plan.VolumeName.IsNull() { // the request itself says the rest
		return nil
	}
	makesRoom := false
	if c.State == nil {
		diags = checkMachine(ctx, c)
		room, more := checkOthers(ctx, c)
		makesRoom = room
		diags.Append(more...)
	}
	if !diags.HasError() && wantsTarget(c) {
		diags.Append(checkTarget(ctx, c)...)
	}
	if !diags.HasError() && !makesRoom {
		diags.Append(rehearse(ctx, c)...)
	}
	return diags
}

// checkMachine warns of a machine that is not there: Harvester would take the schedule, and never make a backup.
func checkMachine(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	const advice = "That is well if this run makes it; refer to the resource that does (harvester_virtualmachine.<name>.id), so that Terraform makes it first."
	namespace, name := c.Plan.machine()
	if name == "" {
		_, found := machineOf(ctx, c.Session, c.Plan)
		return session.Warnings(found...)
	}
	_, err := kube.For[kubevirtv1.VirtualMachine](c.Session.Client, api.VirtualMachines, "VirtualMachine").Recent(ctx, namespace, name)
	if !apierrors.IsNotFound(err) {
		return c.Unchecked(err)
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(path.Root("vm_name"), "Virtual machine not found", fmt.Sprintf(
		"There is no virtual machine %q in this cluster. Harvester takes a schedule for it all the same, and makes no backups.\n\n%s", tfbase.ID(namespace, name), advice))}
}

// checkOthers refuses a second schedule of a machine, which Harvester would refuse without saying which the first one is.
// It says whether one makes room in this run, or is what an interrupted apply began: Harvester judges with that one still there.
func checkOthers(ctx context.Context, c *tfbase.Checking[*model]) (makesRoom bool, diags diag.Diagnostics) {
	schedules, err := schedulesOf(c.Session).RecentAll(ctx, "")
	if err != nil {
		return false, c.Unchecked(err)
	}
	leaves := func(s api.ScheduleVMBackup) bool {
		return s.DeletionTimestamp != nil || objects.Unfinished(&s) || c.Session.LeavingSchedules.Has(session.ScheduleID(tfbase.ID(s.Namespace, s.Name)))
	}
	namespace, machine := c.Plan.machine()
	at := slices.IndexFunc(schedules, func(s api.ScheduleVMBackup) bool {
		return s.Namespace == namespace && s.Spec.VMBackup.Source.Name == machine && !leaves(s)
	})
	if machine == "" || at < 0 {
		return slices.ContainsFunc(schedules, leaves), nil
	}
	other := &schedules[at]
	return false, diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("vm_name"), "Virtual machine has a schedule already", fmt.Sprintf(
		"The virtual machine %q has the %s schedule %q, and Harvester allows one for each machine.\n\n"+
			"To manage that one here, import it:\n  terraform import %s.<name> %s\nElse delete it first; if this run does, apply in two steps.",
		tfbase.ID(namespace, machine), other.Spec.VMBackup.Type, other.Name, Type, id(other)))}
}

// wantsTarget says that Harvester is going to look at the backup target: when a schedule is made, and when it is resumed.
func wantsTarget(c *tfbase.Checking[*model]) bool {
	resumed := c.State != nil && !c.State.Enabled.ValueBool() && c.Plan.Enabled.ValueBool()
	return c.Plan.BackupType.ValueString() == api.TypeBackup && (c.State == nil || resumed)
}

// checkTarget refuses backups that have nowhere to go.
func checkTarget(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	if c.Session.Settings.Has(api.SettingBackupTarget) {
		return nil
	}
	target, err := kube.For[api.Setting](c.Session.Client, api.Settings, "Setting").Recent(ctx, "", api.SettingBackupTarget)
	if err != nil || target.Value != "" {
		return c.Unchecked(err)
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("type"), "No backup target", fmt.Sprintf(
		"Backups go to the backup target, and the setting %q is empty. Harvester takes no schedule then.\n\n"+
			"Set it in Harvester or with a harvester_setting, on which this depends (depends_on). With type = %q nothing leaves the cluster.", api.SettingBackupTarget, api.TypeSnapshot))}
}

// rehearse lets Harvester's own webhooks judge the schedule, by a request that stores nothing.
func rehearse(ctx context.Context, c *tfbase.Checking[*model]) diag.Diagnostics {
	m := c.Plan
	if !tfbase.Known(m.Name, m.Namespace, m.VMName, m.Schedule, m.Retain, m.MaxFailure, m.Enabled, m.BackupType, m.SkipCronCheck) ||
		wantsTarget(c) && c.Session.Settings.Has(api.SettingBackupTarget) {
		return nil
	}
	err := ask(ctx, c)
	if err == nil || !kube.Refused(err) {
		return c.Unchecked(err) // or something that the apply will report better
	}
	return diag.Diagnostics{diagnose.API("plan", tfbase.Title("backup schedule", m), "Harvester was asked without changing anything.", err)}
}

func ask(ctx context.Context, c *tfbase.Checking[*model]) error {
	namespace, name := c.Plan.Key()
	if c.State == nil {
		wanted, diags := tfbase.Wanted[model, api.ScheduleVMBackup](ctx, c.Plan)
		if diags.HasError() || wanted.Spec.VMBackup.Source.Name == "" {
			return nil
		}
		return schedulesOf(c.Session).DryRunCreate(ctx, namespace, wanted)
	}
	patch, diags := c.Plan.Changes(ctx, c.State)
	if diags.HasError() || len(patch) == 0 {
		return nil
	}
	return schedulesOf(c.Session).DryRunPatch(ctx, namespace, name, patch)
}

// prepare names the machine that has the volume.
func prepare(ctx context.Context, s *session.Session, plan *model, wanted *api.ScheduleVMBackup) diag.Diagnostics {
	if wanted.Spec.VMBackup.Source.Name != "" {
		return nil
	}
	machine, diags := machineOf(ctx, s, plan)
	wanted.Spec.VMBackup.Source.Name = machine
	return diags
}

// machineOf finds the machine that has the volume.
func machineOf(ctx context.Context, s *session.Session, plan *model) (name string, diags diag.Diagnostics) {
	namespace, volume, err := tfbase.ParseReference(plan.VolumeName.ValueString(), plan.Namespace.ValueString())
	if err != nil {
		return "", nil // not known yet
	}
	machines, err := kube.For[kubevirtv1.VirtualMachine](s.Client, api.VirtualMachines, "VirtualMachine").RecentAll(ctx, namespace)
	if err != nil {
		return "", diag.Diagnostics{diagnose.API("find the virtual machine of", "volume "+tfbase.ID(namespace, volume), tfbase.NothingDone, err)}
	}
	for i := range machines {
		if template := machines[i].Spec.Template; template != nil && slices.ContainsFunc(template.Spec.Volumes, func(v kubevirtv1.Volume) bool {
			return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == volume
		}) {
			return machines[i].Name, nil
		}
	}
	return "", diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("volume_name"), "No virtual machine has the volume", fmt.Sprintf(
		"No virtual machine in the namespace %q has the volume %q, and a schedule is for a machine.\n\nName the machine in vm_name.", namespace, volume))}
}

// stirs names what the change moves. A schedule that starts again, or keeps fewer backups, has others soon.
func (m *model) stirs(state *model) []string {
	if m.Enabled.Equal(state.Enabled) && m.Schedule.Equal(state.Schedule) && m.Retain.Equal(state.Retain) && m.MaxFailure.Equal(state.MaxFailure) {
		return nil
	}
	return []string{"state", "message", "backups"}
}
