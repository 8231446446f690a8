// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package devices

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// again is when a part that waits is looked at again.
const again = 500 * time.Millisecond

// reconcileClaim passes a claimed device through, and gives it back to its driver at the end of the claim.
func (d *Devices) reconcileClaim(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	claim := blank(claimKind)
	if err := d.api.Get(ctx, request.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	enabled, _, _ := unstructured.NestedBool(claim.Object, "status", "passthroughEnabled")
	switch {
	case claim.GetDeletionTimestamp() == nil && controllerutil.AddFinalizer(claim, finalizer):
		return reconcile.Result{}, d.api.Update(ctx, claim)
	case d.idle(claim.GetName()):
		return reconcile.Result{RequeueAfter: again}, nil
	case claim.GetDeletionTimestamp() != nil:
		return reconcile.Result{}, d.endClaim(ctx, claim)
	case enabled:
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, d.bind(ctx, claim)
}

func (d *Devices) bind(ctx context.Context, claim *unstructured.Unstructured) error {
	device := blank(deviceKind)
	if err := d.api.Get(ctx, client.ObjectKeyFromObject(claim), device); err != nil {
		return err
	}
	if !pace.Wait(ctx, d.pace.Boot()) {
		return nil
	}
	if err := d.permit(ctx, device); err != nil {
		return err
	}
	before := status(device, "kernelDriverInUse")
	put(device, map[string]any{"kernelDriverInUse": vfio})
	if err := d.api.Status().Update(ctx, device); err != nil {
		return err
	}
	put(claim, map[string]any{"passthroughEnabled": true, "kernelDriverToUnbind": before})
	return d.api.Status().Update(ctx, claim)
}

// permit lets machines ask KubeVirt for the device.
func (d *Devices) permit(ctx context.Context, device *unstructured.Unstructured) error {
	settings := &kubevirtv1.KubeVirt{}
	if err := d.api.Get(ctx, types.NamespacedName{Namespace: "harvester-system", Name: "kubevirt"}, settings); err != nil {
		return client.IgnoreNotFound(err)
	}
	permitted := kubevirtv1.PciHostDevice{
		PCIVendorSelector: status(device, "vendorId") + ":" + status(device, "deviceId"), ResourceName: status(device, "resourceName"), ExternalResourceProvider: true,
	}
	if settings.Spec.Configuration.PermittedHostDevices == nil {
		settings.Spec.Configuration.PermittedHostDevices = &kubevirtv1.PermittedHostDevices{}
	}
	all := &settings.Spec.Configuration.PermittedHostDevices.PciHostDevices
	if slices.Contains(*all, permitted) {
		return nil
	}
	*all = append(*all, permitted)
	return d.api.Update(ctx, settings)
}

func (d *Devices) endClaim(ctx context.Context, claim *unstructured.Unstructured) error {
	if !controllerutil.ContainsFinalizer(claim, finalizer) || !pace.Wait(ctx, d.pace.Shutdown()) {
		return nil
	}
	device := blank(deviceKind)
	err := d.api.Get(ctx, client.ObjectKeyFromObject(claim), device)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil {
		put(device, map[string]any{"kernelDriverInUse": driverOf(status(device, "address"))})
		if err := d.api.Status().Update(ctx, device); err != nil {
			return err
		}
	}
	controllerutil.RemoveFinalizer(claim, finalizer)
	return d.api.Update(ctx, claim)
}

// reconcileCard gives a card as many virtual functions as it shall have. As the kernel does, it refuses another number as long
// as there are some, and more than the card can have: then nothing happens, and no status tells why.
func (d *Devices) reconcileCard(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	card := blank(cardKind)
	if err := d.api.Get(ctx, request.NamespacedName, card); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if d.idle(card.GetName()) {
		return reconcile.Result{RequeueAfter: again}, nil
	}
	wanted, _, _ := unstructured.NestedInt64(card.Object, "spec", "numVFs")
	addresses, _, _ := unstructured.NestedStringSlice(card.Object, "status", "vfAddresses")
	have := int64(len(addresses))
	switch {
	case wanted == have:
		return reconcile.Result{}, d.syncFunctions(ctx, card, int(have))
	case !pace.Wait(ctx, d.pace.Provision()):
		return reconcile.Result{}, nil
	case wanted == 0:
		// The names of the devices stay, as in life.
		put(card, map[string]any{"status": cardDisabled, "vfAddresses": nil})
		return reconcile.Result{}, d.api.Status().Update(ctx, card)
	case have != 0, wanted > cardLimit:
		d.log.Warn("error setting vf count", "device", card.GetName(), "count", wanted)
		return reconcile.Result{RequeueAfter: again}, nil
	}
	return reconcile.Result{}, d.enable(ctx, card, int(wanted))
}

func (d *Devices) enable(ctx context.Context, card *unstructured.Unstructured, wanted int) error {
	node, _, _ := unstructured.NestedString(card.Object, "spec", "nodeName")
	var addresses, names []any
	for number := range wanted {
		one := function(number)
		addresses, names = append(addresses, one.address), append(names, deviceName(node, one.address))
	}
	put(card, map[string]any{"status": cardEnabled, "vfAddresses": addresses, "vfPCIDevices": names})
	return d.api.Status().Update(ctx, card)
}

// syncFunctions makes and removes the devices of a card's virtual functions, as the next scan of the hardware does.
func (d *Devices) syncFunctions(ctx context.Context, card *unstructured.Unstructured, count int) error {
	node, _, _ := unstructured.NestedString(card.Object, "spec", "nodeName")
	if !pace.Wait(ctx, d.pace.Provision()) {
		return nil
	}
	for number := range cardLimit {
		one := function(number)
		if number < count {
			if err := d.createDevice(ctx, node, one, map[string]string{labelParentCard: card.GetName()}); err != nil {
				return fmt.Errorf("device of a virtual function: %w", err)
			}
			continue
		}
		gone := blank(deviceKind)
		gone.SetName(deviceName(node, one.address))
		if err := client.IgnoreNotFound(d.api.Delete(ctx, gone)); err != nil {
			return err
		}
	}
	return nil
}
