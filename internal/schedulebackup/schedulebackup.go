// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package schedulebackup is the resource and data source harvester_schedule_backup: backups or snapshots of a virtual
// machine at certain times.
package schedulebackup

import (
	"errors"
	"strings"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Type is the name of the resource and of its data source.
const Type = "harvester_schedule_backup"

const kindSchedule = "ScheduleVMBackup"

// Kind declares them.
var Kind = &tfbase.Kind[model, *model, api.ScheduleVMBackup, *api.ScheduleVMBackup]{
	TypeName: Type,
	One:      "a backup schedule", Short: "schedule",
	Resource: api.ScheduleVMBackups, APIKind: kindSchedule,
	Schema: scheduleSchema(), Limits: limits,
	Omit:     []string{"volume_name"},
	ParseID:  parseID,
	Validate: validate,
	Plan:     plan,
	Check:    check,
	Replaces: (*model).replaces,
	Stirs:    (*model).stirs,
	Intent: func(schedule *api.ScheduleVMBackup) []any {
		return []any{schedule.Spec.VMBackup.Source.Name, schedule.Spec.VMBackup.Type}
	},
	Prepare:    prepare,
	PlanDelete: planDelete,
	Create: func(_ *session.Session, _ *model, wanted *api.ScheduleVMBackup, usual *objects.Creation[*api.ScheduleVMBackup]) {
		usual.Foreign.ID = id(wanted)
	},
}

func schedulesOf(s *session.Session) kube.Resource[api.ScheduleVMBackup] {
	return kube.For[api.ScheduleVMBackup](s.Client, api.ScheduleVMBackups, kindSchedule)
}

// parseID takes namespace/vm/name, as the official provider does. The name alone tells which schedule it is.
func parseID(id string) (namespace, name string, err error) {
	parts := strings.Split(id, "/")
	if len(parts) == 3 {
		if namespace, name, err = tfbase.ParseID(tfbase.ID(parts[0], parts[2])); err == nil {
			return namespace, name, nil
		}
	}
	return "", "", errors.New(`expected namespace/vm/name, for example "default/web/nightly"`)
}
