// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"net"

	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

// Values of arguments.
const (
	typeDisk  = "disk"
	typeCDROM = "cd-rom"

	busVirtio = "virtio"
	busSATA   = "sata"
	busSCSI   = "scsi"

	typeBridge     = "bridge"
	typeMasquerade = "masquerade"
	modelMisspelt  = "ne2k_pco"
	modelNE2000    = "ne2k_pci"

	typeNoCloud     = "noCloud"
	typeConfigDrive = "configDrive"
)

// Labels and annotations of a machine and of its template.
const (
	labelCreator = "harvesterhci.io/creator"
	labelVMName  = "harvesterhci.io/vmName"
	creator      = "terraform-provider-harvester"

	annotationReservedMemory = "harvesterhci.io/reservedMemory"
	// annotationRunStrategy holds the strategy to go back to: when a halted
	// machine is started, Harvester takes the strategy from here.
	annotationRunStrategy = "harvesterhci.io/vmRunStrategy"
	// annotationHotplug marks machines whose sockets and memory can grow while
	// they run; their limits are the maximum, not what they have.
	annotationHotplug = "harvesterhci.io/enableCPUAndMemoryHotplug"
	// annotationQuota says why Harvester halted a machine: its namespace's quota.
	annotationQuota = "harvesterhci.io/insufficient-resource-quota"

	annotationSSHNames = "harvesterhci.io/sshNames"
	annotationLeases   = "harvesterhci.io/waitForLeaseInterfaceNames"

	// annotationAutoDelete marks, in a volume template, a volume to be deleted with the machine.
	// The official provider reads and writes it too.
	annotationAutoDelete = "terraform-provider-harvester-auto-delete"

	annotationDefaultClass = "storageclass.kubernetes.io/is-default-class"
)

// bindingManagedTap is the network binding Harvester uses for DHCP on overlay networks.
const bindingManagedTap = "managedtap"

// tagSSHUser is the tag whose value becomes the user of cloud-init.
const tagSSHUser = "ssh-user"

// cloudInitDisk is the name of the disk that carries cloud-init data.
const cloudInitDisk = "cloudinitdisk"

// Defaults of volumes.
const (
	defaultSize       = "10Gi"
	defaultVolumeMode = "Block"
	defaultAccessMode = "ReadWriteMany"
)

// emptyOr lets "" pass, which configurations for the official provider use for
// "not set", and leaves all else to the rule.
func emptyOr(rule validator.String) validator.String { return optional{rule} }

type optional struct{ validator.String }

func (o optional) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.ValueString() != "" {
		o.String.ValidateString(ctx, req, resp)
	}
}

// reference accepts namespace/name and name.
func reference() validator.String {
	return tfbase.Rule("Invalid reference", "must be namespace/name or name", func(value string) []string {
		if _, _, err := tfbase.ParseReference(value, tfbase.DefaultNamespace); err != nil {
			return []string{err.Error()}
		}
		return nil
	})
}

// deviceName accepts names of disks and network interfaces.
func deviceName() validator.String {
	return tfbase.Rule("Invalid name", "must be lower case letters, digits and -", validation.IsDNS1123Label)
}

func hostname() validator.String {
	return tfbase.Rule("Invalid host name", "must be a host name without a domain", validation.IsDNS1123Label)
}

func macAddress() validator.String {
	return tfbase.Rule("Invalid MAC address", "must be a MAC address", func(value string) []string {
		if address, err := net.ParseMAC(value); err != nil || len(address) != 6 {
			return []string{"expected six bytes, as in 52:54:00:12:34:56"}
		}
		return nil
	})
}
