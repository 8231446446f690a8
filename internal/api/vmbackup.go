// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// VirtualMachineBackups is the resource of VirtualMachineBackup.
var VirtualMachineBackups = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "virtualmachinebackups"}

// TypeSnapshot is the type of a backup that stays in the cluster.
const TypeSnapshot = "snapshot"

// VirtualMachineBackup is a backup or snapshot of a virtual machine.
type VirtualMachineBackup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   VirtualMachineBackupSpec   `json:"spec"`
	Status VirtualMachineBackupStatus `json:"status,omitempty"`
}

// VirtualMachineBackupSpec says what is backed up and how.
type VirtualMachineBackupSpec struct {
	Source corev1.TypedLocalObjectReference `json:"source"`
	Type   string                           `json:"type,omitempty"`
}

// VirtualMachineBackupStatus is how far Harvester is with it.
type VirtualMachineBackupStatus struct {
	SourceUID  *types.UID   `json:"sourceUID,omitempty"`
	ReadyToUse *bool        `json:"readyToUse,omitempty"`
	Progress   int          `json:"progress,omitempty"`
	Error      *BackupError `json:"error,omitempty"`

	VolumeBackups []VolumeBackup `json:"volumeBackups,omitempty"`
}

// VolumeBackup is one volume in a backup, by its claim.
type VolumeBackup struct {
	PersistentVolumeClaim struct {
		metav1.ObjectMeta `json:"metadata,omitempty"`
	} `json:"persistentVolumeClaim"`
}

// BackupError is what went wrong last.
type BackupError struct {
	Message *string `json:"message,omitempty"`
}
