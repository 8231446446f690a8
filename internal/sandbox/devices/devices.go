// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package devices simulates the PCI devices and the network cards with SR-IOV of the nodes, and the add-on pcidevices-controller
// that passes them through. It is written after pcidevices v1.8.1 (pkg/webhook, pkg/controller), whose module cannot be had.
//
// No device is bound to any driver. Devices on USB, vGPUs and the checks of what machines ask for are missing.
package devices

import (
	"context"
	"fmt"
	"log/slog"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// Group is the API group of the devices.
const Group = "devices.harvesterhci.io"

var (
	version    = schema.GroupVersion{Group: Group, Version: "v1beta1"}
	deviceKind = version.WithKind("PCIDevice")
	claimKind  = version.WithKind("PCIDeviceClaim")
	cardKind   = version.WithKind("SRIOVNetworkDevice")
)

const (
	labelNode       = "nodename"
	labelParentCard = "harvesterhci.io/parent-sriov-network-device"
	labelParentGPU  = "harvesterhci.io/parentSRIOVGPUDevice"
	finalizer       = "wrangler.cattle.io/PCIDeviceClaimOnRemove"
	vfio            = "vfio-pci"

	cardEnabled  = "sriovNetworkDeviceEnabled"
	cardDisabled = "sriovNetworkDeviceDisabled"
)

var scheme = manager.Scheme(kubevirtv1.AddToScheme)

// Options is what Devices needs.
type Options struct {
	// Config reaches the Kubernetes API.
	Config *rest.Config
	// Faults says what goes wrong.
	Faults *faults.Switch
	// Log is where it logs. Without it, it does not.
	Log *slog.Logger
	// Pace says how fast it works.
	Pace pace.Pace
}

// Devices simulates the devices of the nodes.
type Devices struct {
	config *rest.Config
	api    client.Client
	faults *faults.Switch
	log    *slog.Logger
	pace   pace.Pace
}

// New returns Devices that do nothing until they are run.
func New(options Options) (*Devices, error) {
	api, err := manager.Client(options.Config, scheme)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &Devices{config: options.Config, api: api, faults: options.Faults, log: manager.Log(options.Log), pace: options.Pace}, nil
}

// Run works until ctx ends.
func (d *Devices) Run(ctx context.Context) error {
	if err := d.scan(ctx); err != nil {
		return fmt.Errorf("scan of the hardware: %w", err)
	}
	run, err := manager.New(d.config, scheme, d.log)
	if err != nil {
		return err
	}
	if err := builder.ControllerManagedBy(run).Named("claims").For(blank(claimKind)).Complete(manager.Reconciler(d.reconcileClaim)); err != nil {
		return fmt.Errorf("controller of claims: %w", err)
	}
	if err := builder.ControllerManagedBy(run).Named("cards").For(blank(cardKind)).Complete(manager.Reconciler(d.reconcileCard)); err != nil {
		return fmt.Errorf("controller of cards: %w", err)
	}
	return run.Start(ctx)
}

// idle says that the agent of a device's node does nothing.
func (d *Devices) idle(name string) bool { return d.faults.ForKey(faults.Key("devices", name)).Idle }

// blank is an object to read into.
func blank(kind schema.GroupVersionKind) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object
}

// status is a field of a status.
func status(object *unstructured.Unstructured, field string) string {
	text, _, _ := unstructured.NestedString(object.Object, "status", field)
	return text
}

// put puts values into a status.
func put(object *unstructured.Unstructured, values map[string]any) {
	have, _, _ := unstructured.NestedMap(object.Object, "status")
	if have == nil {
		have = map[string]any{}
	}
	maps.Copy(have, values)
	object.Object["status"] = runtime.DeepCopyJSON(have)
}
