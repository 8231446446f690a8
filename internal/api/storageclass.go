// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

// Annotations of storage classes.
const (
	// AnnotationDefaultClass is "true" on the default class. Harvester allows one.
	AnnotationDefaultClass = "storageclass.kubernetes.io/is-default-class"

	// AnnotationClassModes holds, as JSON, the access modes that volumes of the class can have
	// in each volume mode. Harvester hands it on to CDI.
	AnnotationClassModes = "cdi.harvesterhci.io/storageProfileVolumeModeAccessModes"
)
