// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package crds

import (
	"testing"
)

func TestDefinitionsAreWhole(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, definition := range all {
		if found[definition.Name] {
			t.Errorf("%s is there twice", definition.Name)
		}
		found[definition.Name] = true
		if definition.Annotations[fingerprint] == "" {
			t.Errorf("%s has no fingerprint", definition.Name)
		}
		for _, version := range definition.Spec.Versions {
			if version.Schema == nil || version.Schema.OpenAPIV3Schema == nil {
				t.Errorf("%s has no schema in %s", definition.Name, version.Name)
			} else if version.Schema.OpenAPIV3Schema.Description != "" {
				t.Errorf("%s is described in %s", definition.Name, version.Name)
			}
		}
	}
	for _, name := range []string{
		"virtualmachineimages.harvesterhci.io", "virtualmachines.kubevirt.io", "backingimages.longhorn.io",
		"datavolumes.cdi.kubevirt.io", "network-attachment-definitions.k8s.cni.cncf.io",
		"volumesnapshots.snapshot.storage.k8s.io", "clusternetworks.network.harvesterhci.io",
		"ippools.loadbalancer.harvesterhci.io",
	} {
		if !found[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

// A field may be called description; only the schemas' own descriptions go.
func TestFieldNamedDescriptionStays(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, definition := range all {
		if definition.Name != "virtualmachineimages.harvesterhci.io" {
			continue
		}
		spec := definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		if _, ok := spec.Properties["description"]; !ok {
			t.Error("the description of an image is not in its schema")
		}
	}
}
