// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// with is a machine with these volumes; those that begin with "hot" are hot-pluggable.
func with(names ...string) *kubevirtv1.VirtualMachine {
	machine := &kubevirtv1.VirtualMachine{Spec: kubevirtv1.VirtualMachineSpec{Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{}}}
	spec := &machine.Spec.Template.Spec
	for _, name := range names {
		spec.Volumes = append(spec.Volumes, kubevirtv1.Volume{Name: name, VolumeSource: kubevirtv1.VolumeSource{
			PersistentVolumeClaim: &kubevirtv1.PersistentVolumeClaimVolumeSource{
				PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}, Hotpluggable: strings.HasPrefix(name, "hot"),
			},
		}})
		spec.Domain.Devices.Disks = append(spec.Domain.Devices.Disks, kubevirtv1.Disk{Name: name})
	}
	return machine
}

// Hot-pluggable volumes come and go at once; all else waits for a restart.
func TestPlugged(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, after, want []string
		changed, restart    bool
	}{
		"nothing":        {[]string{"root"}, []string{"root"}, []string{"root"}, false, false},
		"attached":       {[]string{"root"}, []string{"root", "hot-a"}, []string{"root", "hot-a"}, true, false},
		"detached":       {[]string{"root", "hot-a", "hot-b"}, []string{"root", "hot-b"}, []string{"root", "hot-b"}, true, false},
		"of another way": {[]string{"root", "data"}, []string{"root"}, []string{"root", "data"}, false, true},
	} {
		before, after := with(test.before...), with(test.after...)
		instance := newInstance(before)
		if changed := plugged(instance, after); changed != test.changed || !slices.Equal(claimNames(instance.Spec.Volumes), test.want) {
			t.Errorf("%s: %t, %v", name, changed, claimNames(instance.Spec.Volumes))
		}
		if restart := instance.Annotations[templateAnnotation] != templateHash(after); restart != test.restart {
			t.Errorf("%s: a restart is needed: %t", name, restart)
		}
	}
	if pod := launcherPod(newInstance(with("root", "hot-a")), "node"); len(pod.Spec.Volumes) != 1 {
		t.Errorf("the launcher holds %v", pod.Spec.Volumes)
	}
}
