// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package devices

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/admission"
)

// Webhooks are those for claims, cards and machines.
func (d *Devices) Webhooks() *admission.Service {
	const name = "pcidevices.harvesterhci.io"
	return &admission.Service{
		Faults: d.faults,
		Mutating: admission.Webhook{
			Configuration: "pcidevices-mutator", Name: name, Path: "/pcidevices/mutation", Lenient: true,
			Resources: []admission.Resource{{
				Group: kubevirtv1.GroupVersion.Group, Version: "v1", Name: "virtualmachines", Namespaced: true,
				Operations: []registrationv1.OperationType{registrationv1.Create}, Judge: d.completeMachine,
			}},
		},
		Validating: admission.Webhook{
			Configuration: "pcidevices-validator", Name: name, Path: "/pcidevices/validation", Lenient: true,
			Resources: []admission.Resource{
				{
					Group: Group, Version: version.Version, Name: "pcideviceclaims",
					Operations: []registrationv1.OperationType{registrationv1.Create, registrationv1.Delete}, Judge: d.judgeClaim,
				},
				{
					Group: Group, Version: version.Version, Name: "sriovnetworkdevices",
					Operations: []registrationv1.OperationType{registrationv1.Update, registrationv1.Delete}, Judge: d.judgeCard,
				},
			},
		},
	}
}

func (d *Devices) judgeClaim(ctx context.Context, request *admissionv1.AdmissionRequest) ([]admission.Operation, error) {
	if request.Operation == admissionv1.Delete {
		return nil, d.judgeEnd(ctx, request)
	}
	device := blank(deviceKind)
	if err := d.api.Get(ctx, types.NamespacedName{Name: request.Name}, device); err != nil {
		return nil, err
	}
	if status(device, "iommuGroup") == "" {
		return nil, fmt.Errorf("pcidevice %s has no iommuGroup available", device.GetName())
	}
	children, err := d.devices(ctx, client.MatchingLabels{labelParentGPU: device.GetName()})
	if err != nil || len(children) == 0 {
		return nil, err
	}
	return nil, fmt.Errorf("these vGPU devices [%s] are using the PCI GPU Device [%s], so it can't be claimed. \n"+
		" If you need to claim this PCI GPU device, please disable associated SRIOVGPUDevice", strings.Join(names(children), ", "), device.GetName())
}

// judgeEnd refuses the end of a claim whose device a machine lists.
func (d *Devices) judgeEnd(ctx context.Context, request *admissionv1.AdmissionRequest) error {
	var machines kubevirtv1.VirtualMachineList
	if err := d.api.List(ctx, &machines); err != nil {
		return err
	}
	for _, machine := range machines.Items {
		if machine.Spec.Template == nil {
			continue
		}
		for _, device := range machine.Spec.Template.Spec.Domain.Devices.HostDevices {
			if device.Name == request.Name {
				return fmt.Errorf("pcideviceclaim %s is already in use with vm %s in namespace %s", request.Name, machine.Name, machine.Namespace)
			}
		}
	}
	return nil
}

// judgeCard refuses to take away virtual functions that are claimed.
func (d *Devices) judgeCard(ctx context.Context, request *admissionv1.AdmissionRequest) ([]admission.Operation, error) {
	before, now := blank(cardKind), blank(cardKind)
	if err := json.Unmarshal(request.OldObject.Raw, &before.Object); err != nil {
		return nil, err
	}
	if request.Operation == admissionv1.Update {
		if err := json.Unmarshal(request.Object.Raw, &now.Object); err != nil {
			return nil, err
		}
		was, _, _ := unstructured.NestedInt64(before.Object, "spec", "numVFs")
		if wanted, _, _ := unstructured.NestedInt64(now.Object, "spec", "numVFs"); wanted != 0 || wanted == was {
			return nil, nil
		}
	}
	functions, _, _ := unstructured.NestedStringSlice(before.Object, "status", "vfPCIDevices")
	var claimed []string
	for _, name := range functions {
		err := d.api.Get(ctx, types.NamespacedName{Name: name}, blank(claimKind))
		switch {
		case err == nil:
			claimed = append(claimed, name)
		case !apierrors.IsNotFound(err):
			return nil, fmt.Errorf("error looking up pcideviceclaim: %w", err)
		}
	}
	if len(claimed) == 0 {
		return nil, nil
	}
	return nil, fmt.Errorf("found pcideviceclaims: %s related to sriovnetworkdevice %s in use", strings.Join(claimed, ","), before.GetName())
}

func (d *Devices) devices(ctx context.Context, options ...client.ListOption) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(deviceKind)
	err := d.api.List(ctx, list, options...)
	return list.Items, err
}

func names(objects []unstructured.Unstructured) (names []string) {
	for _, object := range objects {
		names = append(names, object.GetName())
	}
	return names
}

// completeMachine adds to a machine that lists a claimed device by name the others of its IOMMU group, and claims them.
func (d *Devices) completeMachine(ctx context.Context, request *admissionv1.AdmissionRequest) (patch []admission.Operation, err error) {
	machine := &kubevirtv1.VirtualMachine{}
	if err := json.Unmarshal(request.Object.Raw, machine); err != nil {
		return nil, err
	}
	if machine.Spec.Template == nil {
		return nil, nil
	}
	var listed []string
	for _, one := range machine.Spec.Template.Spec.Domain.Devices.HostDevices {
		listed = append(listed, one.Name)
	}
	all, err := d.devices(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range listed {
		at := slices.IndexFunc(all, func(device unstructured.Unstructured) bool { return device.GetName() == name })
		claim := blank(claimKind)
		if err := d.api.Get(ctx, types.NamespacedName{Name: name}, claim); err != nil || at < 0 {
			return nil, client.IgnoreNotFound(err)
		}
		for _, other := range all {
			if slices.Contains(listed, other.GetName()) || status(&other, "nodeName") != status(&all[at], "nodeName") || status(&other, "iommuGroup") != status(&all[at], "iommuGroup") {
				continue
			}
			if err := d.claim(ctx, &other, claim); err != nil {
				return nil, fmt.Errorf("error during findAndCreateClaim: %w", err)
			}
			patch = append(patch, admission.Operation{
				Op: "add", Path: "/spec/template/spec/domain/devices/hostDevices/-",
				Value: kubevirtv1.HostDevice{Name: other.GetName(), DeviceName: status(&other, "resourceName")},
			})
		}
	}
	return patch, nil
}

// claim makes the claim of a device for the user of another claim, unless there is one.
func (d *Devices) claim(ctx context.Context, device, like *unstructured.Unstructured) error {
	claim := blank(claimKind)
	claim.SetName(device.GetName())
	claim.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: version.String(), Kind: deviceKind.Kind, Name: device.GetName(), UID: device.GetUID()}})
	user, _, _ := unstructured.NestedString(like.Object, "spec", "userName")
	claim.Object["spec"] = map[string]any{"address": status(device, "address"), "nodeName": status(device, "nodeName"), "userName": user}
	if err := d.api.Create(ctx, claim); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}
