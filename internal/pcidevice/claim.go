// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package pcidevice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// claimant is the user that claims are made for, as the official provider does.
const claimant = "admin"

func devicesOf(s *session.Session) kube.Resource[api.PCIDevice] {
	return kube.For[api.PCIDevice](s.Client, api.PCIDevices, "PCIDevice")
}

func claimsOf(s *session.Session) kube.Resource[api.PCIDeviceClaim] {
	return kube.For[api.PCIDeviceClaim](s.Client, api.PCIDeviceClaims, "PCIDeviceClaim")
}

type switching = tfbase.Switching[*model, *sight]

// look reads a device, its claim, and the others of its IOMMU group.
func look(ctx context.Context, s *session.Session, name string) (*sight, error) {
	device, err := devicesOf(s).Get(ctx, "", name)
	if err != nil {
		return nil, err
	}
	claim, err := claimsOf(s).Get(ctx, "", name)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	seen := &sight{device: device, claim: claim}
	if device.Status.IOMMUGroup == "" {
		return seen, nil
	}
	all, err := devicesOf(s).RecentAll(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, other := range all {
		if other.Name != name && other.Status.NodeName == device.Status.NodeName && other.Status.IOMMUGroup == device.Status.IOMMUGroup {
			seen.group = append(seen.group, other.Name)
		}
	}
	slices.Sort(seen.group)
	return seen, nil
}

// maker notes who made the claim: this resource the one of that UID, or others. A state of the official provider, or an
// import, tells neither, and ends the claim like one of its own.
type maker struct {
	UID     types.UID `json:"uid,omitempty"`
	Foreign bool      `json:"foreign,omitempty"`
}

const keyMaker = "claim"

func madeBy(ctx context.Context, private tfbase.PrivateReader) (made maker) {
	if text, _ := private.GetKey(ctx, keyMaker); text != nil {
		_ = json.Unmarshal(text, &made) // what cannot be read is not known
	}
	return made
}

func madeWith(ctx context.Context, private tfbase.Private, made maker) diag.Diagnostics {
	text, _ := json.Marshal(made) // it always encodes
	return private.SetKey(ctx, keyMaker, text)
}

// enable makes the claim and waits until its agent has followed it. The device is in the state before the wait begins.
func enable(ctx context.Context, s *switching) diag.Diagnostics {
	claim, finish, diags := claimed(ctx, s)
	defer finish()
	if diags.HasError() {
		return diags
	}
	if diags.Append(s.Save(ctx)...); !diags.HasError() {
		diags.Append(awaitEnabled(ctx, s.Session, s.Plan, claim)...)
	}
	return diags
}

// claimed makes the claim, goes on with one that an interrupted apply made, or leaves one of others as it is: Harvester
// makes claims itself, for the other devices of an IOMMU group.
func claimed(ctx context.Context, s *switching) (*api.PCIDeviceClaim, func(), diag.Diagnostics) {
	none := func() {}
	seen, err := look(ctx, s.Session, s.Plan.Name.ValueString())
	if err != nil {
		return nil, none, objects.Failed("pass through", s.Plan.title(), tfbase.NothingDone, err)
	}
	if seen.claimed() && !objects.Unfinished(seen.claim) {
		claim, diags := describe(ctx, s, seen.claim)
		if made := madeBy(ctx, s.Private); s.State == nil || !s.State.PassthroughEnabled.ValueBool() && made.UID != seen.claim.UID {
			diags.Append(madeWith(ctx, s.Private, maker{Foreign: true})...)
		}
		return claim, none, diags
	}
	wanted, diags := claimFor(ctx, s.Plan, seen.device)
	if diags.HasError() {
		return nil, none, diags
	}
	creation := objects.Creating(s.Session.Hub, claimsOf(s.Session), s.Plan.title(), wanted)
	creation.Left = tfbase.NothingDone
	creation.Foreign = objects.Foreign{Type: Type, ID: s.Plan.Name.ValueString(), One: "a claim of a PCI device", Short: "device"}
	creation.Intent = objects.Fingerprint(wanted.Name)
	claim, finish, more := creation.Run(ctx)
	if diags.Append(more...); !diags.HasError() {
		diags.Append(madeWith(ctx, s.Private, maker{UID: claim.UID})...)
	}
	return claim, finish, diags
}

// describe gives a claim that exists the planned description, tags and labels.
func describe(ctx context.Context, s *switching, claim *api.PCIDeviceClaim) (*api.PCIDeviceClaim, diag.Diagnostics) {
	if len(s.Metadata) == 0 {
		return claim, nil
	}
	described, err := kube.Retry(ctx, func(ctx context.Context) (*api.PCIDeviceClaim, error) {
		return claimsOf(s.Session).Patch(ctx, "", claim.Name, objects.With(map[string]any{"metadata": s.Metadata}, claim.UID))
	})
	if err != nil {
		return claim, objects.ChangeFailed(s.Plan.title(), err)
	}
	return described, nil
}

// claimFor is the claim of a device. Its controllers look at the first owner.
func claimFor(ctx context.Context, plan *model, device *api.PCIDevice) (*api.PCIDeviceClaim, diag.Diagnostics) {
	labels, diags := plan.Metadata().Labelled(ctx)
	claim := &api.PCIDeviceClaim{Spec: api.PCIDeviceClaimSpec{Address: device.Status.Address, NodeName: device.Status.NodeName, UserName: claimant}}
	claim.Name, claim.Labels, claim.Annotations = device.Name, labels, plan.Metadata().Annotated()
	claim.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: api.PCIDevices.GroupVersion().String(), Kind: "PCIDevice", Name: device.Name, UID: device.UID,
	}}
	return claim, diags
}

// settle takes the mark of an interrupted creation off the claim.
func settle(ctx context.Context, s *session.Session, seen *sight) {
	if seen.claim == nil {
		return
	}
	objects.Settle(ctx, seen.claim, func(ctx context.Context, claim *api.PCIDeviceClaim, metadata map[string]any) (*api.PCIDeviceClaim, error) {
		return claimsOf(s).Patch(ctx, "", claim.Name, map[string]any{"metadata": metadata})
	})
}

var errGone = errors.New("the claim was deleted meanwhile by someone else")

// awaitEnabled waits until the agent of the node has passed the device through.
func awaitEnabled(ctx context.Context, s *session.Session, plan *model, claim *api.PCIDeviceClaim) diag.Diagnostics {
	target := wait.Target{Resource: api.PCIDeviceClaims, Name: claim.Name, UID: claim.UID}
	_, err := s.Hub.Until(ctx, target, func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		now, err := kube.Decode[api.PCIDeviceClaim](object)
		if err != nil || now.Status.PassthroughEnabled {
			return wait.Progress{Done: true}, err
		}
		return wait.Progress{Message: "the agent of the node " + claim.Spec.NodeName + " has not passed the device through. " +
			"Check that the node is up, that IOMMU is enabled in its firmware, and the pods of pcidevices-controller"}, nil
	}, wait.Options{})
	if err == nil {
		return nil
	}
	return diag.Diagnostics{diagnose.API("pass through", plan.title(), "The claim exists; the agent may still follow it.", err)}
}

// lag is how long a machine that is being deleted may take to leave its device.
const lag = 20 * time.Second

// inUse matches the refusal of the webhook (pcidevices, pkg/webhook/pcideviceclaim.go).
func inUse(err error) bool {
	return err != nil && strings.Contains(err.Error(), "is already in use with vm")
}

// disable ends the claim and waits until the device has its driver back. With a UID only that claim is ended. What is gone,
// as with its node or the add-on, needs nothing.
func disable(ctx context.Context, s *session.Session, m *model, uid types.UID) diag.Diagnostics {
	name := m.Name.ValueString()
	identity := objects.Identity{Title: m.title(), Name: name, UID: uid}
	removal := objects.Removing(s.Hub, claimsOf(s), identity)
	removal.Request = func(ctx context.Context, claim *api.PCIDeviceClaim) diag.Diagnostics {
		for began := time.Now(); ; wait.Pause(ctx, time.Second) {
			err := claimsOf(s).Delete(ctx, "", name, claim.UID)
			switch {
			case err == nil, apierrors.IsNotFound(err):
				return nil
			case inUse(err) && time.Since(began) < lag && ctx.Err() == nil:
			case inUse(err):
				return diag.Diagnostics{usedBy(ctx, s, m, "It is still passed through.", err)}
			default:
				return diag.Diagnostics{diagnose.API("end the passthrough of", m.title(), "It is still passed through.", err)}
			}
		}
	}
	if diags := removal.Run(ctx); diags.HasError() {
		return diags
	}
	target := wait.Target{Resource: api.PCIDevices, Name: name}
	if _, err := devicesOf(s).Get(ctx, "", name); apierrors.IsNotFound(err) {
		return nil
	}
	_, err := s.Hub.Until(ctx, target, func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{Done: true}, nil
		}
		device, err := kube.Decode[api.PCIDevice](object)
		return wait.Progress{Done: err == nil && device.Status.KernelDriverInUse != api.DriverPassthrough, Message: "the device still has the driver " + api.DriverPassthrough}, err
	}, wait.Options{})
	if err != nil {
		return diag.Diagnostics{diagnose.API("end the passthrough of", m.title(), "Its claim is gone.", err)}
	}
	return nil
}

// users are the machines that list a device, as namespace/name.
func users(ctx context.Context, s *session.Session, device string) (titles []string, err error) {
	machines, err := kube.For[api.MachineDevices](s.Client, api.VirtualMachines, "VirtualMachine").List(ctx, "", "")
	for i := range machines {
		if machines[i].Lists(device) {
			titles = append(titles, tfbase.ID(machines[i].Namespace, machines[i].Name))
		}
	}
	return titles, err
}

// usedBy names the machines that keep a device from being given back.
func usedBy(ctx context.Context, s *session.Session, m *model, left string, refused error) diag.Diagnostic {
	by := ""
	if titles, err := users(ctx, s, m.Name.ValueString()); err == nil && len(titles) > 0 {
		by = " by the virtual machines:\n  - " + strings.Join(titles, "\n  - ")
	} else if refused != nil {
		by = ": " + diagnose.Said(refused)
	}
	return diag.NewAttributeErrorDiagnostic(path.Root("passthrough_enabled"), "PCI device in use", diagnose.Paragraphs(
		fmt.Sprintf("The %s is used%s", m.title(), by), left, "Take it from their host_device blocks first, then apply again."))
}
