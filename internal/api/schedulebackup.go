// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ScheduleVMBackups is the resource of ScheduleVMBackup.
var ScheduleVMBackups = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "schedulevmbackups"}

// TypeBackup is the type of a backup that goes to the backup target.
const TypeBackup = "backup"

// AnnotationSkipCronCheck with any value lets a schedule run as often as it likes.
const AnnotationSkipCronCheck = "harvesterhci.io/svmbackupSkipCronCheck"

// What Harvester says of a schedule that does not run.
const (
	ConditionBackupSuspend = "BackupSuspend"
	// ReasonProactiveSuspend: somebody suspended it, not Harvester itself.
	ReasonProactiveSuspend = "Proactive Schedule Suspend"
)

// ScheduleVMBackup makes backups or snapshots of a virtual machine at certain times.
type ScheduleVMBackup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ScheduleVMBackupSpec   `json:"spec"`
	Status ScheduleVMBackupStatus `json:"status,omitempty"`
}

// ScheduleVMBackupSpec says when, of what, and how many are kept.
type ScheduleVMBackupSpec struct {
	Cron       string                   `json:"cron"`
	Retain     int64                    `json:"retain"`
	MaxFailure int64                    `json:"maxFailure"`
	Suspend    bool                     `json:"suspend"`
	VMBackup   VirtualMachineBackupSpec `json:"vmbackup"`
}

// ScheduleVMBackupStatus is what became of it.
type ScheduleVMBackupStatus struct {
	VMBackups  []ScheduledBackup `json:"vmbackupInfo,omitempty"`
	Failure    int64             `json:"failure,omitempty"`
	Suspended  bool              `json:"suspended,omitempty"`
	Conditions []Condition       `json:"conditions,omitempty"`
}

// ScheduledBackup is one of the backups that a schedule has made.
type ScheduledBackup struct {
	Name       string       `json:"name,omitempty"`
	ReadyToUse *bool        `json:"readyToUse,omitempty"`
	Error      *BackupError `json:"error,omitempty"`
}
