// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package volume

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// claimed is a bound volume of 1Gi, changed by the functions.
func claimed(changes ...func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	class, mode := "harvester-longhorn", corev1.PersistentVolumeBlock
	one := corev1.ResourceList{corev1.ResourceStorage: quantity.MustParse("1Gi")}
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data", Annotations: map[string]string{}},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, VolumeMode: &mode, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources: corev1.VolumeResourceRequirements{Requests: one.DeepCopy()},
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, Capacity: one},
	}
	for _, change := range changes {
		change(claim)
	}
	return claim
}

func in(phase corev1.PersistentVolumeClaimPhase) func(*corev1.PersistentVolumeClaim) {
	return func(c *corev1.PersistentVolumeClaim) { c.Status.Phase = phase }
}

func copied(podPhase string) func(*corev1.PersistentVolumeClaim) {
	return func(c *corev1.PersistentVolumeClaim) {
		c.Annotations[api.AnnotationDataVolume], c.Annotations[api.AnnotationFilling] = "uid", podPhase
	}
}

func asking(size string) func(*corev1.PersistentVolumeClaim) {
	return func(c *corev1.PersistentVolumeClaim) {
		c.Spec.Resources.Requests[corev1.ResourceStorage] = quantity.MustParse(size)
	}
}

func condition(kind corev1.PersistentVolumeClaimConditionType, message string) func(*corev1.PersistentVolumeClaim) {
	return func(c *corev1.PersistentVolumeClaim) {
		c.Status.Conditions = append(c.Status.Conditions, corev1.PersistentVolumeClaimCondition{Type: kind, Status: corev1.ConditionTrue, Message: message})
	}
}

func TestSight(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		sight          *volume
		state, message string
	}{
		"bound":               {&volume{PersistentVolumeClaim: claimed()}, "Ready", ""},
		"new":                 {&volume{PersistentVolumeClaim: claimed(in(""))}, "Pending", ""},
		"pending":             {&volume{PersistentVolumeClaim: claimed(in(corev1.ClaimPending))}, "Pending", ""},
		"pending until used":  {&volume{PersistentVolumeClaim: claimed(in(corev1.ClaimPending)), awaitsUse: true}, "Ready", `Its storage class "harvester-longhorn" makes it when a virtual machine first uses it.`},
		"used":                {&volume{PersistentVolumeClaim: claimed(), users: []string{"default/vm"}}, "In-use", ""},
		"used before bound":   {&volume{PersistentVolumeClaim: claimed(in(corev1.ClaimPending)), users: []string{"default/vm"}}, "In-use", ""},
		"lost":                {&volume{PersistentVolumeClaim: claimed(in(corev1.ClaimLost)), users: []string{"default/vm"}}, "Failed", "What held its data is gone."},
		"being copied":        {&volume{PersistentVolumeClaim: claimed(copied("Running"))}, "Pending", "The contents of its image are being copied."},
		"copied":              {&volume{PersistentVolumeClaim: claimed(copied("Succeeded"))}, "Ready", ""},
		"growing":             {&volume{PersistentVolumeClaim: claimed(asking("2Gi"))}, "Ready", "Grows from 1Gi to 2Gi."},
		"growing, with words": {&volume{PersistentVolumeClaim: claimed(asking("2Gi"), condition("Resizing", "waiting for a node."))}, "Ready", "Grows from 1Gi to 2Gi: waiting for a node."},
	} {
		if state, message := test.sight.state(), test.sight.message(); state != test.state || message != test.message {
			t.Errorf("%s: got %s, %q; want %s, %q", name, state, message, test.state, test.message)
		}
	}
}

// VO2: a machine counts only for the volumes that it has.
func TestMachineHas(t *testing.T) {
	t.Parallel()
	var machine api.MachineVolumes
	if machine.Has("data") {
		t.Error("a machine without a template has no volumes")
	}
	err := json.Unmarshal([]byte(`{"spec": {"template": {"spec": {"volumes": [
		{"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
		{"name": "b", "dataVolume": {"name": "copy"}},
		{"name": "c", "containerDisk": {"image": "x"}}]}}}}`), &machine)
	if err != nil || !machine.Has("data") || !machine.Has("copy") || machine.Has("a") || machine.Has("") {
		t.Errorf("%+v, %v", machine, err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	claim := claimed(asking("2048Mi"))
	claim.Labels = map[string]string{
		"team": "blue", "tag.harvesterhci.io/os": "linux", "app": "containerized-data-importer",
		"app.kubernetes.io/managed-by": "cdi-controller", "cdi.kubevirt.io/x": "y", "example.com/app": "kept",
	}
	var imported model
	fillWith(t, &imported, &volume{PersistentVolumeClaim: claim, image: "default/ubuntu", users: []string{"default/a", "default/b"}})
	got := fmt.Sprint(imported.ID, imported.Size, imported.Image, imported.StorageClassName, imported.VolumeMode, imported.AccessMode,
		imported.Labels, imported.Tags, imported.AttachedVM, imported.Phase)
	want := `"default/data""2Gi""default/ubuntu""harvester-longhorn""Block""ReadWriteMany"{"example.com/app":"kept","team":"blue"}{"os":"linux"}"default/a,default/b""Bound"`
	if strings.ReplaceAll(got, " ", "") != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	// How the user writes it stays, and so does what nothing tells any more.
	kept := model{Size: types.StringValue("2048Mi"), Image: types.StringValue("ubuntu"), AccessMode: types.StringValue("ReadWriteMany")}
	kept.Namespace, kept.State = types.StringValue("default"), types.StringValue(stateReady)
	for _, image := range []string{"default/ubuntu", ""} {
		fillWith(t, &kept, &volume{PersistentVolumeClaim: claim, image: image})
		if kept.Size.ValueString() != "2048Mi" || kept.Image.ValueString() != "ubuntu" || !kept.Labels.IsNull() {
			t.Errorf("image %q: %+v", image, kept)
		}
	}

	bare := &corev1.PersistentVolumeClaim{}
	var odd model
	fillWith(t, &odd, &volume{PersistentVolumeClaim: bare})
	if odd.VolumeMode.ValueString() != "Filesystem" || odd.AccessMode.ValueString() != "" || odd.StorageClassName.ValueString() != "" {
		t.Errorf("a claim without a specification: %+v", odd)
	}
}

// VO3: a size that is none never panics.
func TestCompare(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"1Gi", "1024Mi", 0},
		{"1.5Gi", "1536Mi", 0},
		{"1Gi", "1G", 1},
		{"1Gi", "2Gi", -1},
		{"none", "1Gi", 0},
		{"", "1Gi", 0},
	} {
		if got := compare(types.StringValue(test.a), types.StringValue(test.b)); got != test.want {
			t.Errorf("compare(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
	if compare(types.StringUnknown(), types.StringValue("1Gi")) != 0 {
		t.Error("an unknown size is not smaller")
	}
}

func TestCheckModes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		offered, mode, access string
		refused               string
	}{
		"nothing noted":    {"", "Block", "ReadWriteMany", ""},
		"not to be read":   {"{", "Block", "ReadWriteMany", ""},
		"offered":          {`{"Block":["ReadWriteOnce"]}`, "Block", "ReadWriteOnce", ""},
		"not in this mode": {`{"Block":["ReadWriteOnce"],"Filesystem":["ReadWriteMany"]}`, "Block", "ReadWriteMany", "access_mode"},
		"no such mode":     {`{"Block":["ReadWriteOnce"]}`, "Filesystem", "ReadWriteOnce", "volume_mode"},
	} {
		class := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "lvm", Annotations: map[string]string{api.AnnotationClassModes: test.offered}}}
		diags := checkModes(&model{VolumeMode: types.StringValue(test.mode), AccessMode: types.StringValue(test.access)}, class)
		switch {
		case len(diags) == 0 && test.refused == "":
		case len(diags) != 1 || !strings.Contains(diags[0].Detail(), "Set "+test.refused):
			t.Errorf("%s: %v", name, diags)
		}
	}
}

func TestUserOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`admission webhook "validator.harvesterhci.io" denied the request: can not delete the volume data which is currently attached to VM: default/web`: "default/web",
		`can not delete the volume data which is currently owned by these VMs: web,db`:                                                                    "default/web",
		`can not delete volume data which is exporting for image default/ubuntu`:                                                                          "",
	} {
		got, inUse := userOf(errors.New(text), "default")
		if got != want || inUse != (want != "") {
			t.Errorf("%s: got %q, %t", text, got, inUse)
		}
	}
}

// What identifies a volume is what it was made of and like, not what describes it.
func TestIntent(t *testing.T) {
	t.Parallel()
	base := intentOf(claimed())
	described := claimed(func(c *corev1.PersistentVolumeClaim) {
		c.Labels, c.Annotations[api.AnnotationDescription] = map[string]string{"a": "b"}, "text"
	})
	if intentOf(described) != base {
		t.Error("a description makes another volume")
	}
	from := claimed(func(c *corev1.PersistentVolumeClaim) { c.Annotations[api.AnnotationImageID] = "default/ubuntu" })
	if intentOf(from) == base || intentOf(claimed(asking("2Gi"))) == base {
		t.Error("another image or size makes the same volume")
	}
}

func object(t *testing.T, of any) *unstructured.Unstructured {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(of)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: content}
}

// judge renders what a condition makes of an object.
func judge(condition wait.Condition) func(*unstructured.Unstructured) (string, error) {
	return func(object *unstructured.Unstructured) (string, error) {
		progress, err := condition(object)
		if progress.Done {
			return "done", err
		}
		return progress.Message, err
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	data := func(phase, progress string, running ...string) *unstructured.Unstructured {
		return shownDataVolume(t, phase, progress, running...)
	}
	two := &model{Size: types.StringValue("2Gi")}
	grown := func(c *corev1.PersistentVolumeClaim) { c.Status.Capacity = c.Spec.Resources.Requests }
	infeasible := func(c *corev1.PersistentVolumeClaim) {
		c.Status.AllocatedResourceStatuses = map[corev1.ResourceName]corev1.ClaimResourceStatus{
			corev1.ResourceStorage: corev1.PersistentVolumeClaimControllerResizeInfeasible,
		}
	}
	for name, test := range map[string]struct {
		condition func(*unstructured.Unstructured) (string, error)
		object    *unstructured.Unstructured
		want      string // "done", a message, or "failed: …"
	}{
		"bound":                     {judge(seesClaim(false)), object(t, claimed()), "done"},
		"pending":                   {judge(seesClaim(false)), object(t, claimed(in(corev1.ClaimPending))), "its phase is Pending"},
		"pending until used":        {judge(seesClaim(true)), object(t, claimed(in(corev1.ClaimPending))), "done"},
		"bound, being copied":       {judge(seesClaim(false)), object(t, claimed(copied("Running"))), "its phase is Bound"},
		"lost":                      {judge(seesClaim(false)), object(t, claimed(in(corev1.ClaimLost))), "failed: Kubernetes calls it Lost"},
		"deleted":                   {judge(seesClaim(false)), nil, "failed: it was deleted by somebody else"},
		"copying":                   {judge(seesDataVolume()), data("CloneInProgress", "40.0%"), "CDI copies the image: CloneInProgress 40.0%"},
		"copying in trouble":        {judge(seesDataVolume()), data("CloneScheduled", "", "no space."), "CDI copies the image: CloneScheduled: no space"},
		"copied":                    {judge(seesDataVolume()), data("Succeeded", "100.0%"), "done"},
		"copied and collected":      {judge(seesDataVolume()), nil, "done"},
		"copy failed":               {judge(seesDataVolume()), data("Failed", "", "no space"), "failed: CDI could not copy the image: no space"},
		"grown":                     {judge(seesGrowth(two)), object(t, claimed(asking("2Gi"), grown)), "done"},
		"growing":                   {judge(seesGrowth(two)), object(t, claimed(asking("2Gi"))), "it has 1Gi of 2Gi"},
		"grows when attached":       {judge(seesGrowth(two)), object(t, claimed(asking("2Gi"), condition("FileSystemResizePending", ""))), "done"},
		"seen before the change":    {judge(seesGrowth(two)), object(t, claimed(condition("FileSystemResizePending", ""))), "it has 1Gi of 2Gi"},
		"more than there is":        {judge(seesGrowth(two)), object(t, claimed(asking("2Gi"), infeasible)), "failed: its storage cannot provide the size"},
		"deleted while it is grown": {judge(seesGrowth(two)), nil, "failed: it was deleted by somebody else"},
	} {
		got, err := test.condition(test.object)
		if err != nil {
			got = "failed: " + err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

// shownDataVolume is one as CDI shows it; running says why it does not run.
func shownDataVolume(t *testing.T, phase, progress string, running ...string) *unstructured.Unstructured {
	t.Helper()
	d := &api.DataVolume{Status: api.DataVolumeStatus{Phase: phase, Progress: progress}}
	for _, message := range running {
		d.Status.Conditions = append(d.Status.Conditions, api.DataVolumeCondition{Type: "Running", Status: "False", Message: message})
	}
	return object(t, d)
}

func TestCopiesUnseen(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		object *unstructured.Unstructured
		stall  time.Duration
	}{
		"with progress":     {shownDataVolume(t, "CloneInProgress", "40.0%"), 0},
		"without":           {shownDataVolume(t, "CSICloneInProgress", "N/A"), wait.Unlimited},
		"without, not yet":  {shownDataVolume(t, "CloneScheduled", "N/A"), 0},
		"without, troubled": {shownDataVolume(t, "CloneInProgress", "N/A", "no space."), 0},
	} {
		if got, err := seesDataVolume()(test.object); err != nil || got.Stall != test.stall {
			t.Errorf("%s: got %s, %v", name, got.Stall, err)
		}
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	if stall(nil) == 0 || stall(&tfbase.Timeouts{Read: types.StringValue("1m")}) == 0 {
		t.Error("a wait without a limit of its own never stalls")
	}
	if got := stall(&tfbase.Timeouts{Create: types.StringValue("1h")}); got != 0 {
		t.Errorf("a wait of an hour stalls after %s", got.Round(time.Second))
	}
}

// A state as the official provider 1.8 writes it, with the wrong machine in attached_vm
// and "" for what is not set.
func TestUpgradeOfficialState(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	const state = `{
		"access_mode": "ReadWriteMany", "attached_vm": "default/data,default/data", "description": "", "id": "default/data", "image": "",
		"labels": {}, "message": null, "name": "data", "namespace": "default", "phase": "Bound", "size": "10Gi", "state": "In-use",
		"storage_class_name": "harvester-longhorn", "tags": {"kind": "data"}, "timeouts": null, "volume_mode": "Block"
	}`
	resp := &resource.UpgradeStateResponse{}
	Kind.NewResource().(resource.ResourceWithUpgradeState).UpgradeState(ctx)[0].StateUpgrader(ctx, resource.UpgradeStateRequest{RawState: &tfprotov6.RawState{JSON: []byte(state)}}, resp)
	if resp.Diagnostics.HasError() {
		t.Fatal(resp.Diagnostics)
	}
	s := volumeSchema()
	raw, err := resp.DynamicValue.Unmarshal(s.Type().TerraformType(ctx))
	if err != nil {
		t.Fatal(err)
	}
	var m model
	if diags := (tfsdk.State{Schema: s, Raw: raw}).Get(ctx, &m); diags.HasError() {
		t.Fatal(diags)
	}
	if !m.Image.IsNull() || !m.Description.IsNull() || !m.Labels.IsNull() || m.Timeouts != nil {
		t.Errorf("values that were not set: %+v", m)
	}
	if m.Size.ValueString() != "10Gi" || m.StorageClassName.ValueString() != "harvester-longhorn" || len(m.Tags.Elements()) != 1 {
		t.Errorf("values that were: %+v", m)
	}
	fillWith(t, &m, &volume{PersistentVolumeClaim: claimed(asking("10Gi"))})
	if m.AttachedVM.ValueString() != "" || m.State.ValueString() != "Ready" {
		t.Errorf("a volume that nobody has: %+v", m)
	}
}

func fillWith(t *testing.T, m *model, seen *volume) {
	t.Helper()
	if diags := tfbase.Fill[model, volume, *model, *volume](t.Context(), m, seen); diags.HasError() {
		t.Fatal(diags)
	}
}

func intentOf(claim *corev1.PersistentVolumeClaim) string {
	return objects.Fingerprint(Kind.Intent(&volume{PersistentVolumeClaim: claim})...)
}
