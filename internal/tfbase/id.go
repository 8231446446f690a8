// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package tfbase

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// ID joins namespace and name as Terraform ids have them.
func ID(namespace, name string) string { return namespace + "/" + name }

// ParseID splits namespace/name.
func ParseID(id string) (namespace, name string, err error) {
	namespace, name, found := strings.Cut(id, "/")
	if !found || len(validation.IsDNS1123Label(namespace)) > 0 || len(validation.IsDNS1123Subdomain(name)) > 0 {
		return "", "", fmt.Errorf("expected namespace/name, for example %q, but got %q", "default/ubuntu", id)
	}
	return namespace, name, nil
}

// ParseReference splits a reference to an object: namespace/name, or a name
// alone, which is in the default namespace given.
func ParseReference(reference, defaultNamespace string) (namespace, name string, err error) {
	if strings.Contains(reference, "/") {
		return ParseID(reference)
	}
	return ParseID(ID(defaultNamespace, reference))
}
