// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/placement"
)

// What a machine refers to, of kinds that are not in package api.
var (
	attachments = schema.GroupVersionResource{Group: "k8s.cni.cncf.io", Version: "v1", Resource: "network-attachment-definitions"}
	nodes       = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
)

// Labels and annotations of a machine and of its template.
const (
	labelCreator = placement.LabelCreator
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

	annotationDefaultClass = "storageclass.kubernetes.io/is-default-class"
)

// What a machine has if the configuration does not say.
const (
	defaultCPU    = 1
	defaultMemory = "1Gi"
)

// tagSSHUser is the tag whose value becomes the user of cloud-init.
const tagSSHUser = "ssh-user"

func hostname() validator.String {
	return tfbase.Rule("Invalid host name", "must be a host name without a domain", validation.IsDNS1123Label)
}
