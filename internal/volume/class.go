// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

var classPath = path.Root("storage_class_name")

// checkImageClass: volumes from an image are always of the image's own class.
func checkImageClass(plan *model, image *api.VirtualMachineImage) diag.Diagnostics {
	class, wanted := image.Status.StorageClassName, plan.StorageClassName.ValueString()
	switch {
	case class == "":
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("image"), "Image without a storage class", fmt.Sprintf(
			"The image %q is ready but names no storage class for volumes made from it, so Harvester could not make any. %s\n\n"+
				"Look at the image in Harvester; re-creating it helps if it is broken.", plan.image(), tfbase.NothingDone))}
	case wanted != "" && wanted != class:
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(classPath, "Storage class does not fit the image", fmt.Sprintf(
			"A volume made from the image %q is of the storage class %q; the configuration asks for %q. %s\n\n"+
				"Remove storage_class_name here. The storage class of an image is chosen when the image is made.", plan.image(), class, wanted, tfbase.NothingDone))}
	}
	return nil
}

// checkModes compares the modes of a volume with those that its class is noted to have.
// Harvester notes them for the classes of its own LVM driver, people for those of others.
func checkModes(plan *model, class *storagev1.StorageClass) diag.Diagnostics {
	var offered map[string][]string
	if class == nil {
		return nil
	}
	if json.Unmarshal([]byte(class.Annotations[api.AnnotationClassModes]), &offered) != nil || len(offered) == 0 ||
		plan.VolumeMode.IsUnknown() || plan.AccessMode.IsUnknown() {
		return nil
	}
	mode, access := plan.VolumeMode.ValueString(), plan.AccessMode.ValueString()
	accesses, found := offered[mode]
	switch {
	case !found:
		return unfit("volume_mode", mode, class, fmt.Sprintf("volumes of it are %s", modeTexts(offered)))
	case !slices.Contains(accesses, access):
		return unfit("access_mode", access, class, fmt.Sprintf("with volume_mode %q it has %s", mode, strings.Join(accesses, ", ")))
	}
	return nil
}

func modeTexts(offered map[string][]string) string {
	var texts []string
	for mode, accesses := range offered {
		texts = append(texts, fmt.Sprintf("%s (%s)", mode, strings.Join(accesses, ", ")))
	}
	slices.Sort(texts)
	return strings.Join(texts, " or ")
}

func unfit(attribute, value string, class *storagev1.StorageClass, fact string) diag.Diagnostics {
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root(attribute), "Mode not offered by the storage class", fmt.Sprintf(
		"The storage class %q (%s) has no volumes with %s %q: %s. Such a volume would stay Pending. %s\n\nSet %s to what the class offers, or choose another class.",
		class.Name, class.Provisioner, attribute, value, fact, tfbase.NothingDone, attribute))}
}
