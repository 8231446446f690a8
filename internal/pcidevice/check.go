// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package pcidevice

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
)

var nodes = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}

// check looks at everything that would keep the device from what is planned (pcidevices, pkg/webhook/pcideviceclaim.go).
func check(ctx context.Context, c *tfbase.Checking[*model], seen *sight) (diags diag.Diagnostics) {
	switch enabled := c.Plan.PassthroughEnabled; {
	case enabled.IsNull() || enabled.IsUnknown() || enabled.ValueBool() == seen.claimed():
		return nil
	case enabled.ValueBool():
		return checkEnabling(ctx, c, seen)
	case c.Applying:
		return nil // the request itself tells
	}
	if titles, err := users(ctx, c.Session, c.Plan.Name.ValueString()); err == nil && len(titles) > 0 {
		found := usedBy(ctx, c.Session, c.Plan, "That is well if this run takes it from them.", nil)
		diags.AddAttributeWarning(path.Root("passthrough_enabled"), found.Summary(), found.Detail())
	}
	return diags
}

// missing names the devices that there are: the name begins with the one of a node, which may be wrong as well.
func missing(ctx context.Context, s *session.Session, plan *model, left string) diag.Diagnostic {
	name := plan.Name.ValueString()
	var same, of []string
	all, _ := devicesOf(s).RecentAll(ctx, "") // without it the message is shorter
	seen := map[string]bool{}
	for _, device := range all {
		node := device.Status.NodeName
		if strings.HasPrefix(name, node+"-") {
			same = append(same, device.Name+" ("+device.Status.Description+")")
		}
		if !seen[node] {
			seen[node] = true
			of = append(of, node)
		}
	}
	hint := "Nodes with devices are: " + strings.Join(of, ", ") + "."
	if len(same) > 0 {
		hint = "The node has:\n  - " + strings.Join(same, "\n  - ")
	}
	return diag.NewAttributeErrorDiagnostic(path.Root("name"), "PCI device not found", diagnose.Paragraphs(
		fmt.Sprintf("There is no PCI device %q in the cluster. A name is that of a node and an address, as in node1-000001000.", name), hint, left))
}

func checkEnabling(ctx context.Context, c *tfbase.Checking[*model], seen *sight) (diags diag.Diagnostics) {
	at := path.Root("passthrough_enabled")
	node := seen.device.Status.NodeName
	if seen.device.Status.IOMMUGroup == "" {
		diags.AddAttributeError(at, "PCI device without IOMMU group", diagnose.Paragraphs(fmt.Sprintf(
			"The %s has no IOMMU group, so it cannot be passed through.", c.Plan.title()), c.Left(), "Enable IOMMU (VT-d, AMD-Vi) in the firmware of the node "+node+", if the device can do it at all."))
		return diags
	}
	children, err := devicesOf(c.Session).List(ctx, "", api.LabelParentGPU+"="+c.Plan.Name.ValueString())
	if err == nil && len(children) > 0 {
		diags.AddAttributeError(at, "PCI device has vGPUs", diagnose.Paragraphs(fmt.Sprintf(
			"The %s is divided into virtual GPUs, so it cannot be passed through as a whole.", c.Plan.title()), c.Left(), "Disable them first (SR-IOV GPU devices in Harvester's dashboard)."))
	}
	if machine, err := kube.For[corev1.Node](c.Session.Client, nodes, "Node").Recent(ctx, "", node); err == nil && !ready(machine) {
		diags.AddAttributeWarning(at, "Node not ready", fmt.Sprintf("The node %s is not ready. Its agent passes the device through, so apply may wait until its time limit.", node))
	}
	return diags
}

func ready(node *corev1.Node) bool {
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
