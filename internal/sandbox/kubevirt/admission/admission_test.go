// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package admission

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

type spec = kubevirtv1.VirtualMachineInstanceSpec

// valid is a machine as Harvester leaves it to KubeVirt.
func valid() *kubevirtv1.VirtualMachine {
	memory := resource.MustParse("1Gi")
	strategy := kubevirtv1.RunStrategyAlways
	claim := &kubevirtv1.PersistentVolumeClaimVolumeSource{Hotpluggable: true}
	claim.ClaimName = "data"
	return &kubevirtv1.VirtualMachine{
		TypeMeta:   metav1.TypeMeta{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachine"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "vm"},
		Spec: kubevirtv1.VirtualMachineSpec{RunStrategy: &strategy, Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{Spec: spec{
			Domain: kubevirtv1.DomainSpec{
				CPU:       &kubevirtv1.CPU{Cores: 2, Sockets: 1, Threads: 1},
				Memory:    &kubevirtv1.Memory{Guest: &memory},
				Resources: kubevirtv1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("2Gi")}},
				Devices: kubevirtv1.Devices{
					Disks: []kubevirtv1.Disk{
						{Name: "data", DiskDevice: kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{Bus: kubevirtv1.DiskBusSCSI}}},
						{Name: "cdrom", DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{Bus: kubevirtv1.DiskBusSATA}}},
					},
					Interfaces: []kubevirtv1.Interface{{Name: "default", InterfaceBindingMethod: kubevirtv1.InterfaceBindingMethod{Masquerade: &kubevirtv1.InterfaceMasquerade{}}}},
				},
			},
			Networks: []kubevirtv1.Network{*kubevirtv1.DefaultPodNetwork()},
			Volumes:  []kubevirtv1.Volume{{Name: "data", VolumeSource: kubevirtv1.VolumeSource{PersistentVolumeClaim: claim}}},
		}}},
	}
}

func newAdmission(t *testing.T) *http.ServeMux {
	t.Helper()
	admission, err := newWith("harvester-system", []kubevirtv1.KubeVirt{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "harvester-system", Name: "kubevirt", ResourceVersion: "1"},
		Spec: kubevirtv1.KubeVirtSpec{Configuration: kubevirtv1.KubeVirtConfiguration{
			DeveloperConfiguration: &kubevirtv1.DeveloperConfiguration{FeatureGates: []string{"CPUManager", "DeclarativeHotplugVolumes"}},
			VMRolloutStrategy:      new(kubevirtv1.VMRolloutStrategyLiveUpdate),
		}},
		Status: kubevirtv1.KubeVirtStatus{Phase: kubevirtv1.KubeVirtPhaseDeployed},
	}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	admission.Register(mux)
	return mux
}

// ask has an object admitted.
func ask(t *testing.T, mux *http.ServeMux, object any) *admissionv1.AdmissionResponse {
	t.Helper()
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{Request: &admissionv1.AdmissionRequest{
		UID: "1", Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: raw},
	}})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body)))
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil || review.Response == nil || review.Response.UID != "1" {
		t.Fatalf("answer %d %s", answer.Code, answer.Body)
	}
	return review.Response
}

func TestMachines(t *testing.T) {
	t.Parallel()
	mux := newAdmission(t)
	for name, test := range map[string]struct {
		change func(*spec)
		says   string // nothing if it is admitted
	}{
		"valid": {func(*spec) {}, ""},
		"the same boot order twice": {func(s *spec) {
			s.Domain.Devices.Disks[0].BootOrder, s.Domain.Devices.Disks[1].BootOrder = new(uint(1)), new(uint(1))
		}, "Boot order for spec.template.spec.domain.devices.disks[1].bootOrder already set for a different device."},
		"CD-ROM on virtio":        {func(s *spec) { s.Domain.Devices.Disks[1].CDRom.Bus = kubevirtv1.DiskBusVirtio }, "Bus type virtio is invalid for CD-ROM device"},
		"unknown bus":             {func(s *spec) { s.Domain.Devices.Disks[0].Disk.Bus = "floppy" }, "is set with an unrecognized bus floppy, must be one of:"},
		"two disks of one name":   {func(s *spec) { s.Domain.Devices.Disks[1].Name = "data" }, "must not have the same Name."},
		"two volumes of one name": {func(s *spec) { s.Volumes = append(s.Volumes, s.Volumes[0]) }, "must not have the same Name."},
		"disk without volume":     {func(s *spec) { s.Volumes = nil }, "spec.template.spec.domain.devices.disks[0].Name 'data' not found."},
		"masquerade without a pod": {func(s *spec) {
			s.Networks[0].NetworkSource = kubevirtv1.NetworkSource{Multus: &kubevirtv1.MultusNetwork{NetworkName: "vlan"}}
		}, "Masquerade interface only implemented with pod network"},
		"interface without network": {func(s *spec) { s.Domain.Devices.Interfaces[0].Name = "other" }, "not found."},
		"two pod networks": {func(s *spec) {
			second := *kubevirtv1.DefaultPodNetwork()
			second.Name = "second"
			s.Networks = append(s.Networks, second)
			s.Domain.Devices.Interfaces = append(s.Domain.Devices.Interfaces, s.Domain.Devices.Interfaces[0])
			s.Domain.Devices.Interfaces[1].Name = "second"
		}, "more than one interface is connected to a pod network"},
		"dedicated processors": {func(s *spec) {
			s.Domain.CPU.DedicatedCPUPlacement = true
			s.Domain.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		}, "must be equal"},
		"part of a processor dedicated": {func(s *spec) {
			s.Domain.CPU.DedicatedCPUPlacement = true
			s.Domain.Resources.Limits[corev1.ResourceCPU] = resource.MustParse("1500m")
		}, "provided resources CPU limits must be an interger"},
		"more than the limit": {func(s *spec) {
			s.Domain.Resources.Requests = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("3Gi")}
		}, "spec.template.spec.domain.resources.requests.memory '3Gi' is greater than spec.template.spec.domain.resources.limits.memory '2Gi'"},
		"secure boot without SMM": {func(s *spec) {
			s.Domain.Firmware = &kubevirtv1.Firmware{Bootloader: &kubevirtv1.Bootloader{EFI: &kubevirtv1.EFI{}}}
		}, "spec.template.spec.domain has EFI SecureBoot enabled. SecureBoot requires SMM, which is currently disabled."},
		"disk name":            {func(s *spec) { s.Domain.Devices.Disks[1].Name = "A_disk" }, "a lowercase RFC 1123 label must consist of"},
		"host name":            {func(s *spec) { s.Hostname = "no.dots" }, "spec.template.spec.hostname does not conform to the kubernetes DNS_LABEL rules : "},
		"volume of nothing":    {func(s *spec) { s.Volumes[0].VolumeSource = kubevirtv1.VolumeSource{} }, "spec.template.spec.volumes[0] must have exactly one source type set"},
		"unknown machine type": {func(s *spec) { s.Domain.Machine = &kubevirtv1.Machine{Type: "pc-q36"} }, "is not supported: pc-q36 (allowed values:"},
		"long cloud-init": {func(s *spec) {
			s.Domain.Devices.Disks = append(s.Domain.Devices.Disks, kubevirtv1.Disk{Name: "init", DiskDevice: kubevirtv1.DiskDevice{Disk: &kubevirtv1.DiskTarget{Bus: "virtio"}}})
			s.Volumes = append(s.Volumes, kubevirtv1.Volume{Name: "init", VolumeSource: kubevirtv1.VolumeSource{CloudInitNoCloud: &kubevirtv1.CloudInitNoCloudSource{UserData: strings.Repeat("x", 2049)}}})
		}, "userdata exceeds 2048 byte limit"},
		"cloud-init of nothing": {func(s *spec) {
			s.Volumes[0].VolumeSource = kubevirtv1.VolumeSource{CloudInitNoCloud: &kubevirtv1.CloudInitNoCloudSource{}}
		}, "spec.template.spec.volumes[0].cloudInitNoCloud must have at least one userdatasource or one networkdatasource set."},
		"cloud-init twice": {func(s *spec) {
			s.Volumes[0].VolumeSource = kubevirtv1.VolumeSource{CloudInitNoCloud: &kubevirtv1.CloudInitNoCloudSource{UserData: "a", UserDataBase64: "YQ=="}}
		}, "must have only one userdatasource set."},
		"cloud-init that is no base64": {func(s *spec) {
			s.Volumes[0].VolumeSource = kubevirtv1.VolumeSource{CloudInitConfigDrive: &kubevirtv1.CloudInitConfigDriveSource{NetworkDataBase64: "?"}}
		}, "spec.template.spec.volumes[0].cloudInitConfigDrive.networkDataBase64.cloudInitConfigDrive.networkDataBase64 is not a valid base64 value."},
		"keyboard": {func(s *spec) {
			s.Domain.Devices.Inputs = []kubevirtv1.Input{{Name: "keys", Type: "keyboard", Bus: kubevirtv1.InputBusUSB}}
		}, "Input device can have only tablet type."},
		"tablet": {func(s *spec) {
			s.Domain.Devices.Inputs = []kubevirtv1.Input{{Name: "pointer", Type: kubevirtv1.InputTypeTablet}}
		}, ""},
		"more sockets than there may be": {
			func(s *spec) { s.Domain.CPU.Sockets, s.Domain.CPU.MaxSockets = 2, 1 },
			"Number of sockets in CPU topology is greater than the maximum sockets allowed, Number of sockets",
		},
		"sockets that can grow": {func(s *spec) { s.Domain.CPU.Sockets, s.Domain.CPU.MaxSockets = 2, 8 }, ""},
		"more memory than there may be": {func(s *spec) {
			most := resource.MustParse("512Mi")
			s.Domain.Memory.MaxGuest = &most
		}, "Guest memory is greater than the configured maxGuest memory"},
		"odd memory that can grow": {func(s *spec) {
			guest, most := resource.MustParse("1025Mi"), resource.MustParse("2Gi")
			s.Domain.Memory.Guest, s.Domain.Memory.MaxGuest = &guest, &most
		}, "Guest memory must be 2Mi aligned"},
		"memory that can grow": {func(s *spec) {
			most := resource.MustParse("2Gi")
			s.Domain.Memory.MaxGuest = &most
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			machine := valid()
			test.change(&machine.Spec.Template.Spec)
			response := ask(t, mux, machine)
			if test.says == "" {
				if !response.Allowed {
					t.Errorf("refused: %s", response.Result.Message)
				}
				return
			}
			if response.Allowed || response.Result.Code != http.StatusUnprocessableEntity || !strings.Contains(response.Result.Message, test.says) {
				t.Errorf("allowed %v, %+v, want %q", response.Allowed, response.Result, test.says)
			}
		})
	}
}
