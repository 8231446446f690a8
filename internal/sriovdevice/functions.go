// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package sriovdevice

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

type switching = tfbase.Switching[*model, *api.SRIOVNetworkDevice]

// check finds what keeps the card from having another number of virtual functions.
func check(ctx context.Context, c *tfbase.Checking[*model], card *api.SRIOVNetworkDevice) diag.Diagnostics {
	wanted := c.Plan.VirtualFunctions
	if wanted.IsNull() || wanted.IsUnknown() || wanted.ValueInt64() == card.Spec.NumVFs || !enabled(card) {
		return nil
	}
	claimed, err := claims(ctx, c.Session, card)
	if err != nil || len(claimed) == 0 {
		return c.Session.Unchecked(err)
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(path.Root("virtual_functions"), "Virtual functions in use", diagnose.Paragraphs(
		fmt.Sprintf("The %s has %d virtual functions, and another number is reached by way of 0. But some of them are passed through:\n%s",
			c.Plan.title(), card.Spec.NumVFs, strings.Join(claimed, "\n")), c.Left(), "End their passthrough (harvester_pcidevice) in an apply before this one."))}
}

// missing names the cards that there are.
func missing(ctx context.Context, s *session.Session, plan *model, left string) diag.Diagnostic {
	var lines []string
	all, _ := cardsOf(s).RecentAll(ctx, "") // without it the message is shorter
	for _, card := range all {
		lines = append(lines, "  - "+card.Name)
	}
	hint := "The cluster has none. Cards that the management network or a VLAN uses are not listed."
	if len(lines) > 0 {
		hint = "The cluster has:\n" + strings.Join(lines, "\n")
	}
	return diag.NewAttributeErrorDiagnostic(path.Root("name"), "SR-IOV network device not found", diagnose.Paragraphs(fmt.Sprintf(
		"There is no SR-IOV network device %q in the cluster. A name is that of a node and of an interface, as in node1-enp3s0f0.", plan.Name.ValueString()), hint, left))
}

// claims lists the virtual functions that are passed through, with the machines that use them.
func claims(ctx context.Context, s *session.Session, card *api.SRIOVNetworkDevice) (lines []string, err error) {
	machines, _ := kube.For[api.MachineDevices](s.Client, api.VirtualMachines, "VirtualMachine").List(ctx, "", "") // without it the message is shorter
	for _, name := range names(card) {
		_, err := kube.For[api.PCIDeviceClaim](s.Client, api.PCIDeviceClaims, "PCIDeviceClaim").Get(ctx, "", name)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return nil, err
		}
		line := []string{"  - " + name}
		for i := range machines {
			if machines[i].Lists(name) {
				line = append(line, "used by the virtual machine "+tfbase.ID(machines[i].Namespace, machines[i].Name))
			}
		}
		lines = append(lines, strings.Join(line, ", "))
	}
	return lines, nil
}

// describe gives the card the planned description, tags and labels, and returns it as it is then.
func describe(ctx context.Context, s *switching, card *api.SRIOVNetworkDevice) (*api.SRIOVNetworkDevice, diag.Diagnostics) {
	if len(s.Metadata) == 0 {
		return card, nil
	}
	described, err := kube.Retry(ctx, func(ctx context.Context) (*api.SRIOVNetworkDevice, error) {
		return cardsOf(s.Session).Patch(ctx, "", card.Name, map[string]any{"metadata": s.Metadata})
	})
	if err != nil {
		return card, objects.ChangeFailed(s.Plan.title(), err)
	}
	return described, nil
}

// reach brings the card to a number of virtual functions. The kernel takes another number only when there are none, so the
// way from one to another leads over 0 (F3).
func reach(ctx context.Context, s *session.Session, plan *model, card *api.SRIOVNetworkDevice, goal int64) diag.Diagnostics {
	if goal != 0 && enabled(card) && !settled(card, goal) {
		if diags := set(ctx, s, plan, 0); diags.HasError() {
			return diags
		}
	}
	return set(ctx, s, plan, goal)
}

var errGone = errors.New("it is gone, perhaps with its node")

// set asks for a number of virtual functions, and waits until they are there, each with the device that it is passed through as.
func set(ctx context.Context, s *session.Session, m *model, count int64) diag.Diagnostics {
	name := m.Name.ValueString()
	card, err := kube.Retry(ctx, func(ctx context.Context) (*api.SRIOVNetworkDevice, error) {
		return cardsOf(s).Patch(ctx, "", name, map[string]any{"spec": map[string]any{"numVFs": count}})
	})
	if err != nil {
		return objects.ChangeFailed(m.title(), err)
	}
	silent := fmt.Sprintf("the pcidevices agent of the node %s did not set %d virtual functions", card.Spec.NodeName, count)
	if count > 0 {
		silent += "; the card's sriov_totalvfs may be lower"
	}
	object, err := s.Hub.Until(ctx, wait.Target{Resource: api.SRIOVNetworkDevices, Name: name, UID: card.UID}, func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		now, err := kube.Decode[api.SRIOVNetworkDevice](object)
		return wait.Progress{Done: err == nil && settled(now, count), Message: silent}, err
	}, wait.Options{})
	if err == nil {
		card, err = kube.Decode[api.SRIOVNetworkDevice](object)
	}
	if err != nil {
		return notSet(m, count, err)
	}
	return awaitFunctions(ctx, s, m, card, count)
}

func notSet(m *model, count int64, err error) diag.Diagnostics {
	return diag.Diagnostics{diagnose.API(fmt.Sprintf("set %d virtual functions of", count), m.title(), "The number was asked for; the agent may still follow it.", err)}
}

// awaitFunctions waits for the devices of the virtual functions: until each can be passed through, or until none is left.
func awaitFunctions(ctx context.Context, s *session.Session, m *model, card *api.SRIOVNetworkDevice, count int64) diag.Diagnostics {
	for _, name := range card.Status.VFPCIDevices {
		_, err := s.Hub.Until(ctx, wait.Target{Resource: api.PCIDevices, Name: name}, func(object *unstructured.Unstructured) (wait.Progress, error) {
			switch {
			case count == 0:
				return wait.Progress{Done: object == nil || object.GetLabels()[api.LabelParentCard] != card.Name, Message: "the device " + name + " is still there"}, nil
			case object == nil:
				return wait.Progress{Message: "the device " + name + " is not there yet"}, nil
			}
			device, err := kube.Decode[api.PCIDevice](object)
			return wait.Progress{Done: err == nil && device.Status.ResourceName != "", Message: "the device " + name + " has no resource name yet"}, err
		}, wait.Options{})
		if err != nil {
			return notSet(m, count, err)
		}
	}
	return nil
}
