// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package plancheck

import (
	"context"
	"errors"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
)

// A use of a volume is judged by the image behind it, unless the volume holds all of an image that goes.
func TestVolumesUse(t *testing.T) {
	t.Parallel()
	gone := apierrors.NewNotFound(api.Images.GroupResource(), "a")
	hidden := apierrors.NewForbidden(api.Images.GroupResource(), "a", errors.New("no"))
	for name, test := range map[string]struct {
		phase    corev1.PersistentVolumeClaimPhase
		leaving  bool
		imported string
		err      error
		needed   bool
	}{
		"of a complete image":                  {phase: corev1.ClaimBound, imported: "True", needed: true},
		"of an incomplete image, bound":        {phase: corev1.ClaimBound, imported: "Unknown", needed: true},
		"of a complete image that goes":        {phase: corev1.ClaimBound, leaving: true, imported: "True"},
		"of a complete image that goes, empty": {phase: corev1.ClaimPending, leaving: true, imported: "True", needed: true},
		"of an incomplete image that goes":     {phase: corev1.ClaimBound, leaving: true, imported: "Unknown", needed: true},
		"has outlived its image":               {phase: corev1.ClaimBound, err: gone},
		"waits for an image that is not there": {phase: corev1.ClaimPending, err: gone, needed: true},
		"of an image that may not be read":     {phase: corev1.ClaimBound, err: hidden},
		"of an image that cannot be read":      {phase: corev1.ClaimBound, err: errors.New("reset"), needed: true},
	} {
		image := &api.VirtualMachineImage{Status: api.VirtualMachineImageStatus{Conditions: []api.Condition{{Type: api.ImageImported, Status: test.imported}}}}
		if test.leaving {
			image.DeletionTimestamp = new(metav1.Now())
		}
		volume := &corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: test.phase}}
		volume.Annotations = map[string]string{api.AnnotationImageID: "default/a"}
		use, needed := Volumes{
			volume: func(context.Context, string, string) (*corev1.PersistentVolumeClaim, error) { return volume, nil },
			image:  func(context.Context, string, string) (*api.VirtualMachineImage, error) { return image, test.err },
		}.Use(t.Context(), "default", "v", imagestate.Export, path.Root("pvc_name"))
		if needed != test.needed || needed && use.Image != "default/a" {
			t.Errorf("a volume %s: got %q, %v, want %v", name, use.Image, needed, test.needed)
		}
	}
}
