// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"fmt"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

// checking is one reading of what would refuse a machine: with the plan, by recent look-ups, and again by
// fresh ones right before the first write. It is one list for both.
type checking struct {
	*Resource
	// applying says that the first write comes next. Before that, what is missing may be made by this run, and what
	// is in the way may go.
	applying bool
	// named are the disks whose volumes the configuration names; a plan has made up the others.
	named map[string]bool
	// open: something the machine needs is not there yet, so nobody can tell what Harvester will say.
	open bool
}

// run is the list. It completes the machine with what only the cluster knows.
func (c *checking) run(ctx context.Context, m machine, before *machine) (machine, *cloudinit.Seed, diag.Diagnostics) {
	images, diags := c.checkImages(ctx, m, before)
	if diags.HasError() {
		return m, nil, diags
	}
	c.named = map[string]bool{}
	for _, d := range m.disks {
		c.named[d.Name.ValueString()] = d.VolumeName.ValueString() != ""
	}
	m.disks = slices.Clone(m.disks) // the plan's own stay as planned
	diags.Append(c.completeDisks(ctx, m, before, images)...)
	diags.Append(c.checkVolumes(ctx, m, before)...)
	diags.Append(c.checkContent(ctx, m, before)...)
	diags.Append(c.checkNetworks(ctx, m, before)...)
	diags.Append(c.checkHosts(ctx, m, before)...)
	wanted, more := c.prepareSeed(ctx, m, before)
	diags.Append(more...)
	if before == nil {
		diags.Append(c.checkSnapshot(ctx, m)...)
	}
	return m, wanted, diags
}

// read is how a reading looks up one object.
func read[T any](c *checking, objects kube.Resource[T]) get[T] {
	if c.applying {
		return objects.Get
	}
	return objects.Recent
}

// left is what a refusal leaves behind when it is worth saying: at apply.
func (c *checking) left() string {
	if c.applying {
		return nothingDone
	}
	return ""
}

// missing tells of something that the machine needs and that is not there. This run is not known to make it, but may.
func (c *checking) missing(at path.Path, summary, fact, remedy string) diag.Diagnostics {
	c.open = true
	return c.judged(at, summary, fact, "That is well if this run creates it by then.", remedy)
}

// inTheWay tells of something that must not be there.
func (c *checking) inTheWay(at path.Path, summary, fact, remedy string) diag.Diagnostics {
	c.open = true
	return c.judged(at, summary, fact, "That is well if this run deletes it by then.", remedy)
}

func (c *checking) judged(at path.Path, summary, fact, meanwhile, remedy string) diag.Diagnostics {
	if c.applying {
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, summary, fact+" "+nothingDone+"\n\n"+remedy)}
	}
	return diag.Diagnostics{diag.NewAttributeWarningDiagnostic(at, summary, fact+" "+meanwhile+"\n\n"+remedy)}
}

// unchecked warns of a plan that could not look; at apply the write itself tells.
func (c *checking) unchecked(err error) diag.Diagnostics {
	if c.applying || err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	c.open = true
	return c.Session.Unchecked(err)
}

// planned says that something need not be looked for, because this run makes it.
func (c *checking) planned(promised bool) bool {
	c.open = c.open || promised && !c.applying
	return promised && !c.applying
}

// makes is planned for an object.
func (c *checking) makes(resource schema.GroupVersionResource, namespace, name string) bool {
	return c.planned(c.Session.Objects.Has(session.Object(resource, namespace, name)))
}

// checkNetworks: a machine whose network is missing never gets its pod.
func (c *checking) checkNetworks(ctx context.Context, m machine, before *machine) (diags diag.Diagnostics) {
	networks := kube.For[metav1.PartialObjectMetadata](c.Session.Client, attachments, "NetworkAttachmentDefinition")
	for i, n := range m.interfaces {
		if before != nil {
			if old := nic.Named(before.interfaces, n.Name.ValueString()); old != nil && old.NetworkName.Equal(n.NetworkName) {
				continue
			}
		}
		namespace, name, err := tfbase.ParseReference(n.NetworkName.ValueString(), m.Namespace.ValueString())
		if n.Managed() || n.NetworkName.IsUnknown() || err != nil || c.makes(attachments, namespace, name) {
			continue
		}
		if _, err := read(c, networks)(ctx, namespace, name); !apierrors.IsNotFound(err) {
			diags.Append(c.unchecked(err)...) // a right that is missing, or the like, is no proof
			continue
		}
		diags.Append(c.missing(path.Root("network_interface").AtListIndex(i).AtName("network_name"), "Network not found",
			fmt.Sprintf("There is no network %q in the namespace %q, so the %s could not start.", name, namespace, m.title()),
			"Create it, or refer to it as harvester_network.<name>.id, so that Terraform makes it first.")...)
	}
	return diags
}

// checkHosts: a device that no node offers keeps a machine from being scheduled. Right after its passthrough was
// enabled a node may not offer it yet, so only the plan tells.
func (c *checking) checkHosts(ctx context.Context, m machine, before *machine) (diags diag.Diagnostics) {
	if c.applying || len(m.hosts) == 0 || before != nil && m.HostDevice.Equal(before.HostDevice) {
		return nil
	}
	all, err := kube.For[corev1.Node](c.Session.Client, nodes, "Node").RecentAll(ctx, "")
	if err != nil {
		return c.unchecked(err)
	}
	for i, host := range m.hosts {
		device := corev1.ResourceName(host.DeviceName.ValueString())
		offers := func(node corev1.Node) bool {
			offered := node.Status.Allocatable[device]
			return offered.Sign() > 0
		}
		if device == "" || slices.ContainsFunc(all, offers) {
			continue
		}
		diags.AddAttributeWarning(path.Root("host_device").AtListIndex(i).AtName("device_name"), "Device not offered",
			fmt.Sprintf("No node offers a device %q now, so the %s could not start. That is well if this run enables it by then.\n\n"+
				"Enable the passthrough of the device in Harvester, and look for its resource name there.", device, m.title()))
	}
	return diags
}

// names says that the configuration itself names the volume of a disk.
func (c *checking) names(d disk.Disk) bool { return c.named[d.Name.ValueString()] }
