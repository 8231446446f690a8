// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Settings is the resource of Harvester's settings, which are cluster-scoped.
var Settings = schema.GroupVersionResource{Group: "harvesterhci.io", Version: "v1beta1", Resource: "settings"}

// SettingServerVersion is the setting that holds Harvester's version, as in v1.8.1.
const SettingServerVersion = "server-version"

// Setting is one of Harvester's settings.
type Setting struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Value   string `json:"value,omitempty"`
	Default string `json:"default,omitempty"`
}

// Effective is the value in force.
func (s Setting) Effective() string {
	if s.Value != "" {
		return s.Value
	}
	return s.Default
}
