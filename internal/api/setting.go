// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Settings is the resource of Harvester's settings, which are cluster-scoped.
var Settings = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "settings"}

// Settings that have a meaning beyond their own.
const (
	// SettingServerVersion holds Harvester's version, as in v1.8.1.
	SettingServerVersion = "server-version"
	// SettingBackupTarget says where backups go.
	SettingBackupTarget = "backup-target"
)

// ConditionConfigured says that the value of a setting was applied. It is False for a value that could not be, and
// for none.
const ConditionConfigured = "configured"

// Setting is one of Harvester's settings.
type Setting struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Value   string        `json:"value,omitempty"`
	Default string        `json:"default,omitempty"`
	Status  SettingStatus `json:"status,omitempty"`
}

// SettingStatus is what became of the value.
type SettingStatus struct {
	Conditions []Condition `json:"conditions,omitempty"`
}

// Effective is the value in force.
func (s *Setting) Effective() string {
	if s.Value != "" {
		return s.Value
	}
	return s.Default
}

// Configured is the condition of that name; nil if there is none.
func (s *Setting) Configured() *Condition {
	at := slices.IndexFunc(s.Status.Conditions, func(c Condition) bool { return c.Type == ConditionConfigured })
	if at < 0 {
		return nil
	}
	return &s.Status.Conditions[at]
}
