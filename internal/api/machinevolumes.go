// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	"encoding/json"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// MachineVolumes is of a virtual machine what says which volumes it has. It is cheap to
// read where there are hundreds of machines.
type MachineVolumes struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec MachineVolumesSpec `json:"spec"`
}

// MachineVolumesSpec is the machine's specification.
type MachineVolumesSpec struct {
	Template *MachineVolumesTemplate `json:"template,omitempty"`
}

// MachineVolumesTemplate is the template of the machine's instances.
type MachineVolumesTemplate struct {
	Spec MachineVolumesInstance `json:"spec"`
}

// MachineVolumesInstance is the specification of an instance.
type MachineVolumesInstance struct {
	Volumes []kubevirtv1.Volume `json:"volumes,omitempty"`
}

// Has says whether the machine has the volume (PersistentVolumeClaim) of that name.
func (m MachineVolumes) Has(claim string) bool {
	if m.Spec.Template == nil {
		return false
	}
	for _, volume := range m.Spec.Template.Spec.Volumes {
		if c := volume.PersistentVolumeClaim; c != nil && c.ClaimName == claim {
			return true
		}
		if d := volume.DataVolume; d != nil && d.Name == claim {
			return true
		}
	}
	return false
}

// Makes says whether Harvester makes the volume (PersistentVolumeClaim) of that name from a template of the machine.
func (m MachineVolumes) Makes(claim string) bool {
	var templates []metav1.PartialObjectMetadata
	_ = json.Unmarshal([]byte(m.Annotations[AnnotationVolumeClaimTemplates]), &templates) // what cannot be read makes nothing
	return slices.ContainsFunc(templates, func(template metav1.PartialObjectMetadata) bool { return template.Name == claim })
}
