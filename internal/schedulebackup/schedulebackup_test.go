// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package schedulebackup

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

func text(value string) types.String { return types.StringValue(value) }

func TestGaps(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for schedule, want := range map[string]string{
		"0 3 * * *":      "24h0m0s 24h0m0s",
		"0 */2 * * *":    "2h0m0s 2h0m0s",
		"*/5 * * * *":    "5m0s 5m0s",
		"0,30 3 * * *":   "30m0s 23h30m0s",
		"@daily":         "24h0m0s 24h0m0s",
		"@every 30m":     "30m0s 30m0s",
		"0 0 30 2 *":     "0s 0s",
		"0 3 * *":        "error",
		"0 0 3 * * *":    "error",
		"61 3 * * *":     "error",
		"every day at 3": "error",
		"":               "error",
	} {
		shortest, longest, err := gaps(schedule, now)
		got := fmt.Sprint(shortest, longest)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", schedule, got, want)
		}
	}
	if !never("0 0 30 2 *", now) || never("0 0 29 2 *", now) {
		t.Error("what never comes is not known")
	}
}

// Official bug B1 is a matter of the schema; the rest are contradictions.
func TestValidate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config model
		want   string
	}{
		"plain":                  {model{VMName: text("a"), Schedule: text("0 3 * * *")}, ""},
		"unknown":                {model{VMName: types.StringUnknown(), Schedule: types.StringUnknown(), MaxFailure: types.Int64Unknown()}, ""},
		"no machine":             {model{Schedule: text("0 3 * * *")}, "Missing argument"},
		"two machines":           {model{VMName: text("a"), VolumeName: text("b"), Schedule: text("0 3 * * *")}, "Contradicting arguments"},
		"as many failures":       {model{VMName: text("a"), Schedule: text("0 3 * * *"), Retain: types.Int64Value(4), MaxFailure: types.Int64Value(4)}, "Contradicting arguments"},
		"more than by default":   {model{VMName: text("a"), Schedule: text("0 3 * * *"), MaxFailure: types.Int64Value(5)}, "Contradicting arguments"},
		"too close":              {model{VMName: text("a"), Schedule: text("*/30 * * * *")}, "Schedule too close"},
		"too close, as wanted":   {model{VMName: text("a"), Schedule: text("*/30 * * * *"), SkipCronCheck: types.BoolValue(true)}, ""},
		"too close at some time": {model{VMName: text("a"), Schedule: text("0,30 3 * * *")}, "warning: Schedule too close"},
	} {
		got := ""
		for _, found := range validate(t.Context(), &test.config) {
			if found.Severity().String() == "Warning" {
				got = "warning: "
			}
			got += found.Summary()
		}
		if got != test.want {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

// Official bugs B2, B5 and B6: a machine is the same however it is named, and another one is another schedule.
func TestReplaces(t *testing.T) {
	t.Parallel()
	of := func(namespace, machine, volume string) *model {
		m := &model{BackupType: text(api.TypeBackup)}
		m.Name, m.Namespace = text("nightly"), text(namespace)
		m.VMName, m.VolumeName = tfbase.Keep(types.StringNull(), machine), tfbase.Keep(types.StringNull(), volume)
		if machine == "?" {
			m.VMName = types.StringUnknown()
		}
		return m
	}
	for name, test := range map[string]struct {
		plan, state *model
		want        bool
	}{
		"same":                    {of("default", "web", ""), of("default", "default/web", ""), false},
		"namespace of the name":   {of("default", "other/web", ""), of("other", "other/web", ""), false},
		"namespace of the other":  {of("other", "web", ""), of("default", "default/web", ""), true},
		"another":                 {of("default", "db", ""), of("default", "default/web", ""), true},
		"not known":               {of("default", "?", ""), of("default", "default/web", ""), true},
		"by its volume":           {of("default", "?", "root"), of("default", "default/web", "default/root"), false},
		"by another volume":       {of("default", "default/web", "data"), of("default", "default/web", "root"), true},
		"no longer by its volume": {of("default", "web", ""), of("default", "default/web", "root"), false},
	} {
		if got := test.plan.replaces(test.state); got != test.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func made(change func(*api.ScheduleVMBackup)) *api.ScheduleVMBackup {
	schedule := &api.ScheduleVMBackup{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "nightly"},
		Spec: api.ScheduleVMBackupSpec{Cron: "0 3 * * *", Retain: 5, MaxFailure: 4, VMBackup: api.VirtualMachineBackupSpec{
			Source: corev1.TypedLocalObjectReference{Kind: "VirtualMachine", Name: "web"}, Type: api.TypeBackup,
		}},
	}
	if change != nil {
		change(schedule)
	}
	return schedule
}

// Official bug B9: state and message are empty.
func TestVerdict(t *testing.T) {
	t.Parallel()
	message := "target gone"
	suspended := func(reason string) func(*api.ScheduleVMBackup) {
		return func(s *api.ScheduleVMBackup) {
			s.Spec.Suspend = true
			s.Status.Conditions = []api.Condition{{Type: api.ConditionBackupSuspend, Status: "True", Reason: reason, Message: message}}
		}
	}
	for name, test := range map[string]struct {
		schedule       *api.ScheduleVMBackup
		state, message string
	}{
		"active":             {made(nil), stateActive, ""},
		"suspended":          {made(suspended(api.ReasonProactiveSuspend)), stateSuspended, ""},
		"suspended just now": {made(func(s *api.ScheduleVMBackup) { s.Spec.Suspend = true }), stateSuspended, ""},
		"by Harvester":       {made(suspended("Reach Max Failure")), stateSuspended, "Reach Max Failure: target gone"},
		"resumed just now": {made(func(s *api.ScheduleVMBackup) {
			suspended("Reach Max Failure")(s)
			s.Spec.Suspend = false
		}), stateActive, ""},
		"failing": {made(func(s *api.ScheduleVMBackup) {
			s.Status.Failure = 2
			s.Status.VMBackups = []api.ScheduledBackup{{Name: "a", Error: &api.BackupError{Message: &message}}}
		}), stateFailing, "2 backups in a row have failed. target gone"},
	} {
		if state, message := verdict(test.schedule); state != test.state || message != test.message {
			t.Errorf("%s: got %q, %q", name, state, message)
		}
	}
	m := &model{Enabled: types.BoolValue(true)}
	m.State = text(stateActive)
	diags := tfbase.Fill[model, api.ScheduleVMBackup](t.Context(), m, made(suspended("Reach Max Failure")))
	if diags.WarningsCount() != 1 || !strings.Contains(diags[0].Detail(), "target gone") || m.Enabled.ValueBool() {
		t.Errorf("a schedule that Harvester suspended is read with %v, enabled %s", diags, m.Enabled)
	}
}

// Official bug B4: an update sent the whole object anew.
func TestChanges(t *testing.T) {
	t.Parallel()
	before, plan := &model{}, &model{}
	for _, m := range []*model{before, plan} {
		m.VMName, m.Namespace = text("web"), text("default")
		if diags := tfbase.Fill[model, api.ScheduleVMBackup](t.Context(), m, made(nil)); diags.HasError() {
			t.Fatal(diags)
		}
	}
	if patch, _ := plan.Changes(t.Context(), before); len(patch) > 0 {
		t.Errorf("no change sends %v", patch)
	}
	plan.Enabled, plan.SkipCronCheck = types.BoolValue(false), types.BoolValue(true)
	patch, _ := plan.Changes(t.Context(), before)
	want := map[string]any{
		"spec":     map[string]any{"suspend": true},
		"metadata": map[string]any{"annotations": map[string]any{api.AnnotationSkipCronCheck: "true"}},
	}
	if !reflect.DeepEqual(patch, want) {
		t.Errorf("got %v", patch)
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"default/web/nightly": "default nightly", "default/nightly": "", "nightly": "", "a/b/c/d": "", "A/web/nightly": "", "default/web/": "",
	} {
		namespace, name, err := parseID(id)
		if got := strings.TrimSpace(namespace + " " + name); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", id, got, err)
		}
	}
}

// A state as the official provider writes it: vm_name with the namespace, also beside volume_name, and no max_failure or type.
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	raw := `{"id":"default/web/nightly","name":"nightly","namespace":"default","description":"","labels":{},"tags":{},"message":"","state":"",
		"vm_name":"default/web","volume_name":"","schedule":"0 3 * * *","retain":5,"enabled":true,"timeouts":null}`
	var resp resource.UpgradeStateResponse
	Kind.NewResource().(resource.ResourceWithUpgradeState).UpgradeState(t.Context())[0].StateUpgrader(t.Context(), resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(raw)}}, &resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	s := scheduleSchema()
	value, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	m := &model{}
	if diags := (tfsdk.State{Schema: s, Raw: value}).Get(t.Context(), m); diags.HasError() {
		t.Fatal(diags)
	}
	if diags := tfbase.Fill[model, api.ScheduleVMBackup](t.Context(), m, made(nil)); diags.HasError() {
		t.Fatal(diags)
	}
	if !m.VolumeName.IsNull() || m.VMName.ValueString() != "default/web" || m.MaxFailure.ValueInt64() != 4 || m.BackupType.ValueString() != api.TypeBackup ||
		m.ID.ValueString() != "default/web/nightly" || !m.SkipCronCheck.IsNull() {
		t.Errorf("got %+v", m)
	}
}
