// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package disk

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

func TestTemplatesKeepWhatOthersWrote(t *testing.T) {
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Annotations: map[string]string{
		api.AnnotationVolumeClaimTemplates: `[ {"metadata":{"name":"root","annotations":{"harvesterhci.io/imageId":"default/ubuntu","theirs":"x"}},
			"spec":{"resources":{"requests":{"storage":"10Gi"}},"volumeMode":"Filesystem"},"targetVolume":"moved"} ]`,
	}}}
	original := vm.Annotations[api.AnnotationVolumeClaimTemplates]
	templates := ParseTemplates(vm)
	if err := templates.annotate(vm); err != nil || vm.Annotations[api.AnnotationVolumeClaimTemplates] != original {
		t.Errorf("rewritten without a change: %v", err)
	}
	d := volumeDisk("rootdisk", "root")
	d.Size, d.AutoDelete = text("30Gi"), types.BoolValue(true)
	if err := ParseTemplates(vm).with(d, "default").annotate(vm); err != nil {
		t.Fatal(err)
	}
	got := ParseTemplates(vm).Of("root")
	if got == nil || got.TargetVolume != "moved" || got.Annotations["theirs"] != "x" || got.Annotations[AnnotationAutoDelete] != "true" ||
		got.Spec.Resources.Requests.Storage().String() != "30Gi" || string(*got.Spec.VolumeMode) != "Filesystem" {
		t.Errorf("got %+v", got)
	}
	if kept := ParseTemplates(vm).keep(func(volume string) bool { return volume == "moved" }); len(kept) != 1 {
		t.Error("the template of a volume that moves is gone")
	}
	if kept := ParseTemplates(vm).keep(func(string) bool { return false }); len(kept) != 0 {
		t.Error("the template of a detached volume stays")
	}
}
