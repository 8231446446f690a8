// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/cloudinit"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/disk"
	"github.com/harvester-community/terraform-provider-harvester/internal/virtualmachine/nic"
)

// check reads with the plan what would refuse it. The second half of a replacement is planned as a creation, and checked there.
func (p *planning) check(ctx context.Context, r *Resource) diag.Diagnostics {
	s, m := r.Session, p.machine
	if s.PlanChecks == session.ChecksOff || m.Namespace.IsUnknown() || p.before != nil && p.replaced() {
		return nil
	}
	c := checking{Resource: r}
	m, wanted, diags := c.run(ctx, m, p.before)
	if len(diags) == 0 && !c.open && p.Config.Raw.IsFullyKnown() {
		diags = c.rehearse(ctx, m, p.before, wanted)
	}
	return s.PlanChecks.Soften(diags...)
}

// rehearse lets the webhooks of Harvester and KubeVirt judge what is planned, by a request that stores nothing.
func (c *checking) rehearse(ctx context.Context, m machine, before *machine, wanted *cloudinit.Seed) diag.Diagnostics {
	object, err := c.request(ctx, m, before, wanted)
	switch {
	case err == nil, apierrors.IsAlreadyExists(err), apierrors.IsForbidden(err), apierrors.IsNotFound(err), !kube.Refused(err):
		return c.Session.Unchecked(err) // a replacement, or something that the apply will report better
	case mayPass(err):
		return diag.Diagnostics{diag.NewWarningDiagnostic("Harvester would refuse this now", fmt.Sprintf(
			"Harvester would not accept the %s as things are: %s\n\nThat is well if this run changes what is in the way.", m.title(), diagnose.Said(err)))}
	}
	found := diagnose.API("plan", m.title(), "Harvester was asked without changing anything."+m.advice(err), err)
	if at, known := m.blamed(err, object); known {
		return diag.Diagnostics{diag.WithPath(at, found)}
	}
	return diag.Diagnostics{found}
}

// request sends what create or change would send, and returns the machine that it is about.
func (c *checking) request(ctx context.Context, m machine, before *machine, wanted *cloudinit.Seed) (*kubevirtv1.VirtualMachine, error) {
	namespace, name := m.Namespace.ValueString(), m.Name.ValueString()
	live := blank(namespace, name)
	if before != nil {
		var err error
		if live, err = c.machines.Recent(ctx, namespace, name); err != nil {
			return nil, err
		}
	}
	if wanted != nil {
		seed := *wanted
		seed.Offload(cloudinit.SecretPrefix(name) + "rehearsal")
		wanted = &seed
	}
	live = withTemplate(live)
	desired := live.DeepCopy()
	if diags := m.onto(ctx, desired, before, wanted); diags.HasError() {
		return nil, nil // apply will say
	}
	if before == nil {
		m.hold(desired)
		return desired, c.machines.DryRunCreate(ctx, namespace, desired)
	}
	patch, err := changes(live, desired)
	if err != nil || len(patch) == 0 {
		return desired, err
	}
	return desired, c.machines.DryRunPatch(ctx, namespace, name, patch)
}

// advice is what to do about a refusal whose words leave that open.
func (m machine) advice(err error) string {
	if !strings.Contains(err.Error(), "maximum sockets allowed") {
		return ""
	}
	if m.grows() {
		return " Raise max_cpu."
	}
	return " Harvester allows one socket to a machine whose CPUs cannot grow while it runs: set cpu_sockets = 1, and cpu to the number of cores, or let them grow with max_cpu and max_memory."
}

// mayPass says that Harvester refuses something that other resources of the same run may change: what is not there
// yet, a volume that another machine has, or its MAC address.
func mayPass(err error) bool {
	return slices.ContainsFunc([]string{"not found", inUse, "duplicate mac address"}, func(said string) bool { return strings.Contains(err.Error(), said) })
}

// field is where in a machine a webhook finds something wrong.
var field = regexp.MustCompile(`\bdomain\.devices\.(disks|interfaces)\[(\d+)\](?:\.(?:disk|cdrom))?(?:\.(\w+))?`)

// fieldArguments are those that KubeVirt's fields stand for.
var fieldArguments = []struct{ field, argument string }{
	{"reservedMemory", "reserved_memory"},
	{".domain.machine.", "machine_type"},
	{".domain.firmware", "efi"},
	{".domain.cpu.sockets", "cpu_sockets"},
	{".domain.cpu", "cpu"},
	{".evictionStrategy", "eviction_strategy"},
	{"erminationGracePeriodSeconds", "termination_grace_period_seconds"},
	{".domain.resources.requests", "requests"},
	{".domain.memory", "memory"},
	{".domain.resources.limits.memory", "memory"},
	{".spec.hostname", "hostname"},
	{".domain.devices.hostDevices", "host_device"},
	{".domain.devices.inputs", "input"},
	{"runStrategy", "run_strategy"},
	{".nodeAffinity", "node_affinity"},
	{".podAffinity", "pod_affinity"},
	{".podAntiAffinity", "pod_anti_affinity"},
	{".tolerations", "toleration"},
}

// blamed finds the argument behind a refusal of the machine that was sent.
func (m machine) blamed(err error, sent *kubevirtv1.VirtualMachine) (at path.Path, known bool) {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || status.Status().Details == nil || sent == nil {
		return at, false
	}
	for _, cause := range status.Status().Details.Causes {
		if found := field.FindStringSubmatch(cause.Field); found != nil {
			if at, known = m.device(sent, found[1], found[2], found[3]); known {
				return at, true
			}
		}
		for _, a := range fieldArguments {
			if strings.Contains(cause.Field+" "+cause.Message, a.field) {
				return m.argument(a.argument), true
			}
		}
	}
	return at, false
}

// argument is where an argument is, or the one that stands for it if it is not set.
func (m machine) argument(name string) path.Path {
	if name == "cpu_sockets" && m.CPUSockets.IsNull() {
		name = "cpu"
	}
	return path.Root(name)
}

// device is the block of a disk or an interface, or the argument in it that a field stands for.
func (m machine) device(sent *kubevirtv1.VirtualMachine, kind, index, name string) (at path.Path, known bool) {
	i, err := strconv.Atoi(index)
	devices := sent.Spec.Template.Spec.Domain.Devices
	place := -1
	switch {
	case err != nil:
	case kind == "disks" && i < len(devices.Disks):
		place = slices.IndexFunc(m.disks, func(d disk.Disk) bool { return d.Name.ValueString() == devices.Disks[i].Name })
		at = path.Root("disk").AtListIndex(max(place, 0))
	case kind == "interfaces" && i < len(devices.Interfaces):
		place = slices.IndexFunc(m.interfaces, func(n nic.Interface) bool { return n.Name.ValueString() == devices.Interfaces[i].Name })
		at = path.Root("network_interface").AtListIndex(max(place, 0))
	}
	argument := map[string]string{"bootOrder": "boot_order", "bus": "bus", "cache": "cache_mode", "macAddress": "mac_address", "model": "model", "name": "name"}[name]
	if argument != "" {
		at = at.AtName(argument)
	}
	return at, place >= 0
}
