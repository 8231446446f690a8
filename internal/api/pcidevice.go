// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// Resources of the add-on pcidevices-controller. Without it the API does not know them.
var (
	PCIDevices          = schema.GroupVersionResource{Group: "devices.harvesterhci.io", Version: "v1beta1", Resource: "pcidevices"}
	PCIDeviceClaims     = schema.GroupVersionResource{Group: "devices.harvesterhci.io", Version: "v1beta1", Resource: "pcideviceclaims"}
	SRIOVNetworkDevices = schema.GroupVersionResource{Group: "devices.harvesterhci.io", Version: "v1beta1", Resource: "sriovnetworkdevices"}
)

// DriverPassthrough is the driver of a device that is passed through.
const DriverPassthrough = "vfio-pci"

// LabelParentCard names the network card of a virtual function, LabelParentGPU the graphics card of a vGPU.
const (
	LabelParentCard = "harvesterhci.io/parent-sriov-network-device"
	LabelParentGPU  = "harvesterhci.io/parentSRIOVGPUDevice"
)

// PCIDevice is a device of a node, as the node's agent sees it.
type PCIDevice struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Status PCIDeviceStatus `json:"status,omitempty"`
}

// PCIDeviceStatus describes the device. ResourceName is shared by all devices of one model.
type PCIDeviceStatus struct {
	Address           string `json:"address,omitempty"`
	VendorID          string `json:"vendorId,omitempty"`
	DeviceID          string `json:"deviceId,omitempty"`
	ClassID           string `json:"classId,omitempty"`
	IOMMUGroup        string `json:"iommuGroup,omitempty"`
	NodeName          string `json:"nodeName,omitempty"`
	ResourceName      string `json:"resourceName,omitempty"`
	Description       string `json:"description,omitempty"`
	KernelDriverInUse string `json:"kernelDriverInUse,omitempty"`
}

// PCIDeviceClaim passes the device of the same name through.
type PCIDeviceClaim struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   PCIDeviceClaimSpec   `json:"spec"`
	Status PCIDeviceClaimStatus `json:"status,omitempty"`
}

// PCIDeviceClaimSpec names the device and who claims it.
type PCIDeviceClaimSpec struct {
	Address  string `json:"address"`
	NodeName string `json:"nodeName"`
	UserName string `json:"userName"`
}

// PCIDeviceClaimStatus is what the node's agent has done.
type PCIDeviceClaimStatus struct {
	PassthroughEnabled bool `json:"passthroughEnabled,omitempty"`
}

// Values of a SRIOVNetworkDevice's status.
const (
	CardEnabled  = "sriovNetworkDeviceEnabled"
	CardDisabled = "sriovNetworkDeviceDisabled"
)

// SRIOVNetworkDevice is a network card of a node that can have virtual functions. The node's agent makes it.
type SRIOVNetworkDevice struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   SRIOVNetworkDeviceSpec   `json:"spec"`
	Status SRIOVNetworkDeviceStatus `json:"status,omitempty"`
}

// SRIOVNetworkDeviceSpec says how many virtual functions a card shall have.
type SRIOVNetworkDeviceSpec struct {
	Address  string `json:"address"`
	NodeName string `json:"nodeName"`
	NumVFs   int64  `json:"numVFs"`
}

// SRIOVNetworkDeviceStatus tells what it has. VFPCIDevices keeps the names of those that were.
type SRIOVNetworkDeviceStatus struct {
	Status       string   `json:"status,omitempty"`
	VFAddresses  []string `json:"vfAddresses,omitempty"`
	VFPCIDevices []string `json:"vfPCIDevices,omitempty"`
}

// MachineDevices is of a virtual machine what says which host devices it lists.
type MachineDevices struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec struct {
		Template struct {
			Spec struct {
				Domain struct {
					Devices struct {
						HostDevices []kubevirtv1.HostDevice `json:"hostDevices,omitempty"`
					} `json:"devices"`
				} `json:"domain"`
			} `json:"spec"`
		} `json:"template"`
	} `json:"spec"`
}

// Lists says whether the machine has a host device of that name.
func (m *MachineDevices) Lists(device string) bool {
	for _, one := range m.Spec.Template.Spec.Domain.Devices.HostDevices {
		if one.Name == device {
			return true
		}
	}
	return false
}
