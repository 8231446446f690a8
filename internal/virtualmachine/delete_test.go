// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

const (
	machinePath = "/apis/kubevirt.io/v1/namespaces/default/virtualmachines"
	volumePath  = "/api/v1/namespaces/default/persistentvolumeclaims/vm-rootdisk-abcde"
)

// claimObject is the volume of the machine of settledDown, so much older or newer than the machine.
func claimObject(born time.Time, annotations map[string]any) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": map[string]any{
		"namespace": "default", "name": "vm-rootdisk-abcde", "uid": "uid-volume", "creationTimestamp": born.UTC().Format(time.RFC3339), "annotations": annotations,
	}}
}

// Harvester is told to delete the machine's own volumes with it, and no others; a mark of an earlier
// deletion goes.
func TestVolumesThatGo(t *testing.T) {
	t.Parallel()
	born := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, test := range map[string]struct {
		volume map[string]any
		stale  string
		keep   bool // auto_delete is off
		goes   string
		writes string // what the mark becomes; "" if nothing is written
		warns  bool
	}{
		"its own":                {claimObject(born.Add(time.Second), nil), "", false, "[vm-rootdisk-abcde]", `"vm-rootdisk-abcde"`, false},
		"not made yet":           {nil, "", false, "[vm-rootdisk-abcde]", `"vm-rootdisk-abcde"`, false},
		"older than the machine": {claimObject(born.Add(-time.Hour), nil), "", false, "[]", "", true},
		"of a harvester_volume":  {claimObject(born.Add(time.Second), map[string]any{api.AnnotationOrigin: "x"}), "", false, "[]", "", true},
		"marked already":         {claimObject(born, nil), "vm-rootdisk-abcde", false, "[vm-rootdisk-abcde]", "", false},
		"a stale mark":           {claimObject(born, nil), "vm-rootdisk-abcde", true, "[]", "null", false},
		"a stale mark of others": {claimObject(born.Add(-time.Hour), nil), "vm-rootdisk-abcde", false, "[]", "null", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			known := settledDown()
			known.disks[0].AutoDelete = types.BoolValue(!test.keep)
			vm := live(t, known)
			vm.UID, vm.CreationTimestamp, vm.Kind, vm.APIVersion = "uid-vm", metav1.NewTime(born), "VirtualMachine", "kubevirt.io/v1"
			if test.stale != "" {
				vm.Annotations[api.AnnotationRemovedPVCs] = test.stale
			}
			objects := map[string]any{machinePath + "/vm": vm, machinePath: map[string]any{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineList", "items": []any{}}}
			if test.volume != nil {
				objects[volumePath] = test.volume
			}
			r, writes := recorded(t, objects)
			volumes, diags := r.toGo(t.Context(), known, vm)
			if got := fmt.Sprint(volumes); got != test.goes {
				t.Errorf("%s goes, want %s", got, test.goes)
			}
			if diags.HasError() || (len(diags) > 0) != test.warns {
				t.Errorf("it says %v", diags)
			}
			want := `"harvesterhci.io/removedPersistentVolumeClaims":` + test.writes
			if got := strings.Join(*writes, "\n"); (got == "") != (test.writes == "") || test.writes != "" && !strings.Contains(got, want) {
				t.Errorf("it writes %s", got)
			}
		})
	}
}

// A deletion that is refused leaves no mark behind; one that may yet take effect finds it.
func TestMarkOfAFailedDeletion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		interrupted bool
		answer      int
		cleared     bool
	}{
		"forbidden":   {false, http.StatusForbidden, true},
		"conflict":    {false, http.StatusConflict, true},
		"interrupted": {true, http.StatusOK, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			vm := live(t, settledDown())
			vm.UID, vm.Kind, vm.APIVersion = "uid-vm", "VirtualMachine", "kubevirt.io/v1"
			r, writes := recorded(t, map[string]any{machinePath + "/vm": vm}, test.answer)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			if test.interrupted {
				interrupt()
			}
			if diags := r.request(ctx, vm, "the machine"); !diags.HasError() {
				t.Fatal("no error")
			}
			if got := strings.Contains(strings.Join(*writes, ""), `"harvesterhci.io/removedPersistentVolumeClaims":null`); got != test.cleared {
				t.Errorf("it writes %q", *writes)
			}
		})
	}
}

// A mark of volumes to be deleted does not outlive a change of the machine.
func TestChangeClearsStaleMark(t *testing.T) {
	t.Parallel()
	m := settledDown()
	vm := live(t, m)
	vm.Annotations[api.AnnotationRemovedPVCs] = "vm-rootdisk-abcde"
	noError(t, m.onto(t.Context(), vm, &m, nil))
	if mark, found := vm.Annotations[api.AnnotationRemovedPVCs]; found {
		t.Errorf("still %q", mark)
	}
}

// An existing volume is never what volume_name asks for, unless the machine itself asked for it,
// in a creation that is not finished.
func TestVolumeMustBeFree(t *testing.T) {
	t.Parallel()
	m := settledDown()
	vm := live(t, m)
	vm.Kind, vm.APIVersion = "VirtualMachine", "kubevirt.io/v1"
	finished := vm.DeepCopy()
	vm.Annotations[api.AnnotationCreation] = "{}"
	leaving, other := vm.DeepCopy(), vm.DeepCopy()
	now := metav1.Now()
	leaving.DeletionTimestamp = &now
	other.Annotations[api.AnnotationVolumeClaimTemplates] = `[{"metadata":{"name":"another"}}]`
	alike := claimObject(time.Now(), map[string]any{api.AnnotationImageID: "default/ubuntu"})
	for name, test := range map[string]struct {
		objects map[string]any
		free    bool
	}{
		"free":                   {nil, true},
		"there, and alike":       {map[string]any{volumePath: alike}, false},
		"begun":                  {map[string]any{volumePath: alike, machinePath + "/vm": vm}, true},
		"finished":               {map[string]any{volumePath: alike, machinePath + "/vm": finished}, false},
		"machine on its way out": {map[string]any{volumePath: alike, machinePath + "/vm": leaving}, false},
		"machine without it":     {map[string]any{volumePath: alike, machinePath + "/vm": other}, false},
	} {
		r, _ := recorded(t, test.objects)
		diags := (&checking{Resource: r, applying: true}).checkVolumes(t.Context(), m, nil)
		if diags.HasError() == test.free {
			t.Errorf("%s: %v", name, diags)
		}
		if !test.free && !strings.Contains(diags[0].Detail(), `existing_volume_name = "vm-rootdisk-abcde"`) {
			t.Errorf("%s: the way out is missing in %s", name, diags[0].Detail())
		}
	}
}
