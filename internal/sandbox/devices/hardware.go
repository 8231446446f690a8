// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package devices

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// device is a PCI device that every node has.
type device struct {
	address, vendor, id, class, group, driver, resource, description string
}

// hardware is what every node has: a graphics card with its audio function in one IOMMU group, a disk, a network card with
// SR-IOV, and a device without IOMMU group.
var hardware = []device{
	{"0000:01:00.0", "10de", "2204", "0300", "1", "nouveau", "nvidia.com/GA102_GEFORCE_RTX_3090", "VGA compatible controller: NVIDIA Corporation GA102 [GeForce RTX 3090]"},
	{"0000:01:00.1", "10de", "1aef", "0403", "1", "snd_hda_intel", "nvidia.com/GA102_HIGH_DEFINITION_AUDIO_CONTROLLER", "Audio device: NVIDIA Corporation GA102 High Definition Audio Controller"},
	{"0000:02:00.0", "144d", "a808", "0108", "2", "nvme", "samsung.com/NVME_SSD_CONTROLLER_SM981_PM981_PM983", "Non-Volatile memory controller: Samsung Electronics Co Ltd NVMe SSD Controller SM981/PM981/PM983"},
	{"0000:03:00.0", "8086", "1572", "0200", "3", "i40e", "intel.com/ETHERNET_CONTROLLER_X710_FOR_10GBE_SFP", "Ethernet controller: Intel Corporation Ethernet Controller X710 for 10GbE SFP+"},
	{"0000:00:1f.3", "8086", "a348", "0403", "", "snd_hda_intel", "intel.com/CANNON_LAKE_PCH_CAVS", "Audio device: Intel Corporation Cannon Lake PCH cAVS"},
}

// The network card with SR-IOV.
const (
	cardInterface = "enp3s0f0"
	cardAddress   = "0000:03:00.0"
	// cardLimit is how many virtual functions it can have (sriov_totalvfs).
	cardLimit = 8
)

// deviceName is the name of the object for a device of a node.
func deviceName(node, address string) string {
	return node + "-" + strings.NewReplacer(":", "", ".", "").Replace(address)
}

// function is a virtual function of the card.
func function(number int) device {
	return device{
		fmt.Sprintf("0000:03:%02x.%d", 2+number/8, number%8), "8086", "154c", "0200", fmt.Sprint(100 + number), "iavf",
		"intel.com/ETHERNET_VIRTUAL_FUNCTION_700_SERIES", "Ethernet controller: Intel Corporation Ethernet Virtual Function 700 Series",
	}
}

// driverOf is the driver that a device has when it is not passed through.
func driverOf(address string) string {
	for _, one := range hardware {
		if one.address == address {
			return one.driver
		}
	}
	return function(0).driver
}

// scan makes the objects of the hardware of all nodes.
func (d *Devices) scan(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(d.config)
	if err != nil {
		return err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, node := range nodes.Items {
		for _, one := range hardware {
			if err := d.createDevice(ctx, node.Name, one, nil); err != nil {
				return err
			}
		}
		if err := d.createCard(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

func (d *Devices) createDevice(ctx context.Context, node string, one device, labels map[string]string) error {
	object := blank(deviceKind)
	object.SetName(deviceName(node, one.address))
	object.SetLabels(labels)
	err := d.api.Create(ctx, object)
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return err
	}
	put(object, map[string]any{
		"address": one.address, "vendorId": one.vendor, "deviceId": one.id, "classId": one.class, "iommuGroup": one.group, "nodeName": node,
		"resourceName": one.resource, "description": one.description, "kernelDriverInUse": one.driver,
	})
	return d.api.Status().Update(ctx, object)
}

func (d *Devices) createCard(ctx context.Context, node corev1.Node) error {
	object := blank(cardKind)
	object.SetName(node.Name + "-" + cardInterface)
	object.SetLabels(map[string]string{labelNode: node.Name})
	object.Object["spec"] = map[string]any{"address": cardAddress, "nodeName": node.Name, "numVFs": int64(0)}
	err := d.api.Create(ctx, object)
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	if err != nil {
		return err
	}
	put(object, map[string]any{"status": cardDisabled})
	return d.api.Status().Update(ctx, object)
}
