// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	cdiv1 "kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1"
	cc "kubevirt.io/containerized-data-importer/pkg/controller/common"
)

func TestNextPhase(t *testing.T) {
	for _, test := range []struct {
		kind  kind
		claim corev1.PersistentVolumeClaimPhase
		pod   corev1.PodPhase
		waits bool
		want  cdiv1.DataVolumePhase
	}{
		{uploaded, corev1.ClaimPending, "", false, cdiv1.Pending},
		{uploaded, corev1.ClaimPending, "", true, cdiv1.WaitForFirstConsumer},
		{uploaded, corev1.ClaimLost, "", false, cdiv1.Failed},
		{uploaded, corev1.ClaimBound, "", false, cdiv1.PVCBound},
		{uploaded, corev1.ClaimBound, corev1.PodPending, false, cdiv1.UploadScheduled},
		{uploaded, corev1.ClaimBound, corev1.PodRunning, false, cdiv1.UploadReady},
		{uploaded, corev1.ClaimBound, corev1.PodSucceeded, false, cdiv1.Succeeded},
		{downloaded, corev1.ClaimBound, corev1.PodPending, false, cdiv1.ImportScheduled},
		{downloaded, corev1.ClaimBound, corev1.PodRunning, false, cdiv1.ImportInProgress},
		{blank, corev1.ClaimBound, corev1.PodRunning, false, cdiv1.ImportInProgress},
		{copied, corev1.ClaimBound, corev1.PodPending, false, cdiv1.CloneScheduled},
		{copied, corev1.ClaimBound, corev1.PodRunning, false, cdiv1.CloneInProgress},
	} {
		if got := nextPhase(test.kind, test.claim, test.pod, test.waits); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

func TestNextStatusProgress(t *testing.T) {
	claim := &corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound}}
	for _, test := range []struct {
		kind kind
		seen podState
		want cdiv1.DataVolumeProgress
	}{
		{downloaded, podState{phase: corev1.PodPending}, "N/A"},
		{downloaded, podState{phase: corev1.PodRunning, progress: "42.00%"}, "42.00%"},
		{downloaded, podState{phase: corev1.PodSucceeded}, "100.0%"},
		{uploaded, podState{phase: corev1.PodSucceeded}, "N/A"},
	} {
		status := nextStatus(cdiv1.DataVolumeStatus{}, test.kind, claim, test.seen, false)
		if status.Progress != test.want {
			t.Errorf("%s, %+v: %s, want %s", test.kind, test.seen, status.Progress, test.want)
		}
	}
}

func TestProgress(t *testing.T) {
	for _, test := range []struct {
		read, all int64
		hold      *int
		want      string
	}{
		{5, 0, nil, ""},
		{5, -1, nil, ""},
		{0, 10, nil, "0.00%"},
		{1, 3, nil, "33.33%"},
		{12, 10, nil, "100.00%"},
		{10, 10, new(42), "42.00%"},
		{1, 10, new(42), "10.00%"},
	} {
		if got := progress(test.read, test.all, test.hold); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

func conditionOf(status cdiv1.DataVolumeStatus, kind cdiv1.DataVolumeConditionType) cdiv1.DataVolumeCondition {
	for _, condition := range status.Conditions {
		if condition.Type == kind {
			return condition
		}
	}
	return cdiv1.DataVolumeCondition{}
}

func TestNextConditions(t *testing.T) {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "disk", Annotations: map[string]string{
			cc.AnnRunningCondition: "false", cc.AnnRunningConditionReason: "Error", cc.AnnRunningConditionMessage: "Unable to process data: boom",
		}},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
	}
	first, later := metav1.NewTime(time.Unix(1, 0)), metav1.NewTime(time.Unix(2, 0))
	status := nextConditions(cdiv1.DataVolumeStatus{Phase: cdiv1.Pending}, nil, first)
	if bound := conditionOf(status, cdiv1.DataVolumeBound); bound.Message != "No PVC found" || bound.Status != corev1.ConditionFalse {
		t.Errorf("without a claim: %+v", bound)
	}
	status.Phase = cdiv1.ImportInProgress
	status = nextConditions(status, claim, later)
	bound, running, ready := conditionOf(status, cdiv1.DataVolumeBound), conditionOf(status, cdiv1.DataVolumeRunning), conditionOf(status, cdiv1.DataVolumeReady)
	if bound.Message != "PVC disk Bound" || bound.LastTransitionTime != later {
		t.Errorf("bound: %+v", bound)
	}
	if running.Reason != "Error" || running.Message != "Unable to process data: boom" || running.LastTransitionTime != first || running.LastHeartbeatTime != later {
		t.Errorf("failed: %+v", running)
	}
	if ready.Status != corev1.ConditionFalse || ready.LastHeartbeatTime != first {
		t.Errorf("not ready: %+v", ready)
	}
}

func dataVolume(size string, source cdiv1.DataVolumeSource) *cdiv1.DataVolume {
	storage := &cdiv1.StorageSpec{StorageClassName: new("class")}
	if size != "" {
		storage.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
	}
	return &cdiv1.DataVolume{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: "disk", UID: "data",
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "harvesterhci.io/v1beta1", Kind: "VirtualMachineImage", Name: "disk"}},
		},
		Spec: cdiv1.DataVolumeSpec{Source: &source, Storage: storage},
	}
}

func uploadSource() cdiv1.DataVolumeSource {
	return cdiv1.DataVolumeSource{Upload: &cdiv1.DataVolumeSourceUpload{}}
}

func properties(mode corev1.PersistentVolumeMode) defaults {
	return defaults{"class", []cdiv1.ClaimPropertySet{{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, VolumeMode: &mode}}}
}

func TestNewClaim(t *testing.T) {
	for name, test := range map[string]struct {
		size string
		from defaults
		want int64
		err  string
	}{
		"block":          {"10Mi", properties(corev1.PersistentVolumeBlock), 10 << 20, ""},
		"file system":    {"100Mi", properties(corev1.PersistentVolumeFilesystem), 106 << 20, ""},
		"too small":      {"1000Ki", properties(corev1.PersistentVolumeBlock), 0, "at least 1MiB"},
		"no size":        {"", properties(corev1.PersistentVolumeBlock), 0, "missing storage size"},
		"no access mode": {"10Mi", defaults{}, 0, "missing accessMode"},
	} {
		claim, err := newClaim(dataVolume(test.size, uploadSource()), test.from)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || claim.Spec.Resources.Requests.Storage().Value() != test.want || *claim.Spec.StorageClassName != "class" {
			t.Errorf("%s: %+v, %v", name, claim, err)
		}
		if _, isTarget := claim.Annotations[cc.AnnUploadRequest]; !isTarget || claim.OwnerReferences[0].UID != "data" {
			t.Errorf("%s: %+v", name, claim.ObjectMeta)
		}
	}
}

func TestFormatOf(t *testing.T) {
	for header, want := range map[string]format{
		"": raw, "any bytes": raw, "QFI\xfb\x00": qcow, "\x1f\x8b\x08": gzipped, "\xfd7zXZ\x00": xz, "KDMV": vmdk,
		strings.Repeat(" ", 0x40) + "\x7f\x10\xda\xbe": vdi,
	} {
		if got := formatOf([]byte(header)); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func TestImageAt(t *testing.T) {
	for _, test := range []struct {
		host, path string
		want       types.NamespacedName
		found      bool
	}{
		{"ubuntu-downloader.default", "/images/ubuntu.qcow2", types.NamespacedName{Namespace: "default", Name: "ubuntu"}, true},
		{"ubuntu-downloader.default:80", "/images/ubuntu.qcow2", types.NamespacedName{Namespace: "default", Name: "ubuntu"}, true},
		{"ubuntu-22.04-downloader.default", "/images/ubuntu-22.04.qcow2", types.NamespacedName{Namespace: "default", Name: "ubuntu-22.04"}, true},
		{"ubuntu-downloader.default", "/images/other.qcow2", types.NamespacedName{}, false},
		{"ubuntu.default", "/images/ubuntu.qcow2", types.NamespacedName{}, false},
		{"localhost", "/images/ubuntu.qcow2", types.NamespacedName{}, false},
	} {
		got, found := imageAt(test.host, test.path)
		if found != test.found || found && got != test.want {
			t.Errorf("%+v: %v, %v", test, got, found)
		}
	}
}
