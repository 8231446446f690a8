// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kubevirt

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// instanceIn is an instance in a phase.
func instanceIn(phase kubevirtv1.VirtualMachineInstancePhase) *kubevirtv1.VirtualMachineInstance {
	return &kubevirtv1.VirtualMachineInstance{
		ObjectMeta: metav1.ObjectMeta{UID: "here"},
		Status:     kubevirtv1.VirtualMachineInstanceStatus{Phase: phase},
	}
}

// machineWith is a machine with a run strategy.
func machineWith(strategy kubevirtv1.VirtualMachineRunStrategy, ranWith kubevirtv1.VirtualMachineRunStrategy, requests ...kubevirtv1.VirtualMachineStateChangeRequest) *kubevirtv1.VirtualMachine {
	return &kubevirtv1.VirtualMachine{
		Spec:   kubevirtv1.VirtualMachineSpec{RunStrategy: &strategy, Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{}},
		Status: kubevirtv1.VirtualMachineStatus{RunStrategy: ranWith, StateChangeRequests: requests},
	}
}

func stopOf(uid types.UID) kubevirtv1.VirtualMachineStateChangeRequest {
	return kubevirtv1.VirtualMachineStateChangeRequest{Action: kubevirtv1.StopRequest, UID: &uid}
}

var startOf = kubevirtv1.VirtualMachineStateChangeRequest{Action: kubevirtv1.StartRequest}

func TestNextAction(t *testing.T) {
	const (
		always  = kubevirtv1.RunStrategyAlways
		halted  = kubevirtv1.RunStrategyHalted
		manual  = kubevirtv1.RunStrategyManual
		failure = kubevirtv1.RunStrategyRerunOnFailure
		once    = kubevirtv1.RunStrategyOnce
	)
	deleted := instanceIn(kubevirtv1.Running)
	deleted.DeletionTimestamp = new(metav1.Now())
	for name, test := range map[string]struct {
		machine  *kubevirtv1.VirtualMachine
		instance *kubevirtv1.VirtualMachineInstance
		want     action
	}{
		"always, none":                     {machineWith(always, ""), nil, startInstance},
		"always, runs":                     {machineWith(always, always), instanceIn(kubevirtv1.Running), keep},
		"always, ended":                    {machineWith(always, always), instanceIn(kubevirtv1.Succeeded), stopInstance},
		"always, asked to stop":            {machineWith(always, always, stopOf("here")), instanceIn(kubevirtv1.Running), stopInstance},
		"always, an earlier one to stop":   {machineWith(always, always, stopOf("gone")), instanceIn(kubevirtv1.Running), keep},
		"always, being deleted":            {machineWith(always, always, stopOf("here")), deleted, keep},
		"halted, none":                     {machineWith(halted, halted), nil, keep},
		"halted, runs":                     {machineWith(halted, always), instanceIn(kubevirtv1.Running), stopInstance},
		"manual, none":                     {machineWith(manual, ""), nil, keep},
		"manual, asked to start":           {machineWith(manual, manual, startOf), nil, startInstance},
		"manual, ended":                    {machineWith(manual, manual), instanceIn(kubevirtv1.Succeeded), keep},
		"rerun on failure, new":            {machineWith(failure, ""), nil, startInstance},
		"rerun on failure, was halted":     {machineWith(failure, halted), nil, startInstance},
		"rerun on failure, was stopped":    {machineWith(failure, failure), nil, keep},
		"rerun on failure, asked to start": {machineWith(failure, failure, startOf), nil, startInstance},
		"rerun on failure, asked to stop":  {machineWith(failure, failure, stopOf("here")), instanceIn(kubevirtv1.Running), stopInstance},
		"rerun on failure, failed":         {machineWith(failure, failure), instanceIn(kubevirtv1.Failed), stopInstance},
		"once, none":                       {machineWith(once, ""), nil, startInstance},
		"once, ended":                      {machineWith(once, once), instanceIn(kubevirtv1.Succeeded), keep},
	} {
		if got := nextAction(test.machine, test.instance); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestRunningIsTheOldRunStrategy(t *testing.T) {
	machine := &kubevirtv1.VirtualMachine{Spec: kubevirtv1.VirtualMachineSpec{Running: new(true)}}
	if got := nextAction(machine, nil); got != startInstance {
		t.Errorf("running: %v", got)
	}
	machine.Spec.Running = new(false)
	if got := nextAction(machine, instanceIn(kubevirtv1.Running)); got != stopInstance {
		t.Errorf("not running: %v", got)
	}
}

func TestNextPhase(t *testing.T) {
	fast := pace.Fast
	for name, test := range map[string]struct {
		phase   kubevirtv1.VirtualMachineInstancePhase
		blocked *obstacle
		next    kubevirtv1.VirtualMachineInstancePhase
		after   time.Duration
	}{
		"new":                        {kubevirtv1.VmPhaseUnset, nil, kubevirtv1.Pending, 0},
		"no claim":                   {kubevirtv1.Pending, &obstacle{early: true}, kubevirtv1.Pending, 0},
		"unbound claim":              {kubevirtv1.Pending, &obstacle{}, kubevirtv1.Scheduling, 0},
		"unbound claim, scheduling":  {kubevirtv1.Scheduling, &obstacle{}, kubevirtv1.Scheduling, 0},
		"all there":                  {kubevirtv1.Scheduling, nil, kubevirtv1.Scheduled, fast.Schedule()},
		"scheduled":                  {kubevirtv1.Scheduled, nil, kubevirtv1.Running, fast.Boot()},
		"a claim gone while running": {kubevirtv1.Running, &obstacle{early: true}, kubevirtv1.Running, 0},
	} {
		if next, after := nextPhase(test.phase, test.blocked, fast); next != test.next || after != test.after {
			t.Errorf("%s: %s after %v, want %s after %v", name, next, after, test.next, test.after)
		}
	}
}

func TestPrintableStatus(t *testing.T) {
	const always = kubevirtv1.RunStrategyAlways
	noClaim := instanceIn(kubevirtv1.Pending)
	setConditions(noClaim, inTheWay("default", disks{missing: "disk"}))
	pausedOne := instanceIn(kubevirtv1.Running)
	setCondition(pausedOne, paused())
	leaving := instanceIn(kubevirtv1.Running)
	leaving.DeletionTimestamp = new(metav1.Now())
	moving := instanceIn(kubevirtv1.Running)
	moving.Status.MigrationState = &kubevirtv1.VirtualMachineInstanceMigrationState{StartTimestamp: new(metav1.Now())}
	terminating := machineWith(always, always)
	terminating.DeletionTimestamp = new(metav1.Now())
	for want, test := range map[kubevirtv1.VirtualMachinePrintableStatus]struct {
		machine  *kubevirtv1.VirtualMachine
		instance *kubevirtv1.VirtualMachineInstance
		found    disks
	}{
		kubevirtv1.VirtualMachineStatusRunning:                 {machineWith(always, always), instanceIn(kubevirtv1.Running), disks{}},
		kubevirtv1.VirtualMachineStatusPaused:                  {machineWith(always, always), pausedOne, disks{}},
		kubevirtv1.VirtualMachineStatusMigrating:               {machineWith(always, always), moving, disks{}},
		kubevirtv1.VirtualMachineStatusStarting:                {machineWith(always, always), instanceIn(kubevirtv1.Scheduling), disks{}},
		kubevirtv1.VirtualMachineStatusWaitingForVolumeBinding: {machineWith(always, always), instanceIn(kubevirtv1.Scheduling), disks{unbound: true}},
		kubevirtv1.VirtualMachineStatusProvisioning:            {machineWith(always, always), instanceIn(kubevirtv1.Pending), disks{importing: true, unbound: true}},
		kubevirtv1.VirtualMachineStatusPvcNotFound:             {machineWith(always, always), noClaim, disks{missing: "disk"}},
		kubevirtv1.VirtualMachineStatusDataVolumeError:         {machineWith(always, always), instanceIn(kubevirtv1.Pending), disks{missingData: "disk"}},
		kubevirtv1.VirtualMachineStatusStopping:                {machineWith(always, always), leaving, disks{}},
		kubevirtv1.VirtualMachineStatusStopped:                 {machineWith(kubevirtv1.RunStrategyHalted, ""), nil, disks{unbound: true}},
		kubevirtv1.VirtualMachineStatusTerminating:             {terminating, leaving, disks{}},
	} {
		if got := printableStatus(test.machine, test.instance, test.found); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestRequestDone(t *testing.T) {
	type requests = []kubevirtv1.VirtualMachineStateChangeRequest
	for name, test := range map[string]struct {
		requests requests
		instance *kubevirtv1.VirtualMachineInstance
		want     bool
	}{
		"none":                       {nil, nil, false},
		"to stop, still there":       {requests{stopOf("here")}, instanceIn(kubevirtv1.Running), false},
		"to stop, gone":              {requests{stopOf("here")}, nil, true},
		"to stop, a new one is here": {requests{stopOf("gone")}, instanceIn(kubevirtv1.Running), true},
		"to start, none yet":         {requests{startOf}, nil, false},
		"to start, ended":            {requests{startOf}, instanceIn(kubevirtv1.Failed), false},
		"to start, there":            {requests{startOf}, instanceIn(kubevirtv1.Pending), true},
	} {
		if got := requestDone(test.requests, test.instance); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestInterfaces(t *testing.T) {
	instance := instanceIn(kubevirtv1.Running)
	instance.Spec.Networks = []kubevirtv1.Network{{Name: "default", NetworkSource: *kubevirtv1.DefaultPodNetwork().NetworkSource.DeepCopy()}, {Name: "vlan"}}
	instance.Spec.Domain.Devices.Interfaces = []kubevirtv1.Interface{{Name: "default", MacAddress: "AA:BB:CC:00:11:22"}, {Name: "vlan"}}

	booted, settled := interfaces(instance, false), interfaces(instance, true)
	if booted[0].IP == "" || booted[0].MAC != "aa:bb:cc:00:11:22" || booted[0].InfoSource != "domain" {
		t.Errorf("pod network at boot: %+v", booted[0])
	}
	if booted[1].IP != "" || booted[1].MAC == "" {
		t.Errorf("other network at boot: %+v", booted[1])
	}
	if settled[0].IP != booted[0].IP || settled[1].MAC != booted[1].MAC {
		t.Error("addresses do not stay the same")
	}
	if settled[1].IP == "" || settled[1].InterfaceName != "enp2s0" || settled[1].InfoSource != "domain, guest-agent" {
		t.Errorf("other network with agent: %+v", settled[1])
	}
}

func TestOutdated(t *testing.T) {
	claim := func(name string, hot bool) kubevirtv1.Volume {
		source := &kubevirtv1.PersistentVolumeClaimVolumeSource{Hotpluggable: hot}
		source.ClaimName = name
		return kubevirtv1.Volume{Name: name, VolumeSource: kubevirtv1.VolumeSource{PersistentVolumeClaim: source}}
	}
	type spec = kubevirtv1.VirtualMachineInstanceSpec
	for name, test := range map[string]struct {
		change func(*spec)
		want   bool
	}{
		"nothing":       {func(*spec) {}, false},
		"node selector": {func(s *spec) { s.NodeSelector = map[string]string{"a": "b"} }, false},
		"sockets":       {func(s *spec) { s.Domain.CPU.Sockets = 4 }, false},
		"mac address":   {func(s *spec) { s.Domain.Devices.Interfaces[0].MacAddress = "x" }, false},
		"cores":         {func(s *spec) { s.Domain.CPU.Cores = 2 }, true},
		"a hot-pluggable volume more": {func(s *spec) {
			s.Volumes = append(s.Volumes, claim("new", true))
			s.Domain.Devices.Disks = append(s.Domain.Devices.Disks, kubevirtv1.Disk{Name: "new"})
		}, false},
		"another volume more": {func(s *spec) {
			s.Volumes = append(s.Volumes, claim("new", false))
			s.Domain.Devices.Disks = append(s.Domain.Devices.Disks, kubevirtv1.Disk{Name: "new"})
		}, true},
		"a hot-pluggable volume less": {func(s *spec) { s.Volumes, s.Domain.Devices.Disks = s.Volumes[:1], s.Domain.Devices.Disks[:2] }, false},
		"another volume less":         {func(s *spec) { s.Volumes, s.Domain.Devices.Disks = s.Volumes[1:], s.Domain.Devices.Disks[1:] }, true},
		"another claim":               {func(s *spec) { s.Volumes[1].PersistentVolumeClaim.ClaimName = "other" }, false},
		"another permanent claim":     {func(s *spec) { s.Volumes[0].PersistentVolumeClaim.ClaimName = "other" }, true},
		"a medium":                    {func(s *spec) { s.Volumes = append(s.Volumes, claim("cdrom", true)) }, false},
		"no drive": {func(s *spec) {
			s.Domain.Devices.Disks = append(s.Domain.Devices.Disks[:1:1], s.Domain.Devices.Disks[2])
		}, true},
	} {
		machine := machineWith(kubevirtv1.RunStrategyAlways, "")
		machine.Spec.Template.Spec = spec{
			Volumes: []kubevirtv1.Volume{claim("root", false), claim("data", true)},
			Domain: kubevirtv1.DomainSpec{CPU: &kubevirtv1.CPU{Cores: 1}, Devices: kubevirtv1.Devices{
				Interfaces: []kubevirtv1.Interface{{Name: "default"}},
				Disks: []kubevirtv1.Disk{
					{Name: "root"}, {Name: "cdrom", DiskDevice: kubevirtv1.DiskDevice{CDRom: &kubevirtv1.CDRomTarget{Bus: kubevirtv1.DiskBusSATA}}}, {Name: "data"},
				},
			}},
		}
		instance := newInstance(machine)
		test.change(&machine.Spec.Template.Spec)
		if got := outdated(machine, instance); got != test.want {
			t.Errorf("%s: outdated %v, want %v", name, got, test.want)
		}
	}
}

func TestChooseNode(t *testing.T) {
	node := func(name string, ready corev1.ConditionStatus, cordoned bool) corev1.Node {
		return corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Unschedulable: cordoned},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
		}
	}
	nodes := []corev1.Node{node("down", corev1.ConditionFalse, false), node("cordoned", corev1.ConditionTrue, true), node("good", corev1.ConditionTrue, false)}
	if got, _ := chooseNode(nodes, instanceIn(kubevirtv1.Scheduling)); got != "good" {
		t.Errorf("chose %q", got)
	}
	got, why := chooseNode(nodes[:2], instanceIn(kubevirtv1.Scheduling))
	if want := "0/2 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 1 node(s) were unschedulable. " +
		"preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."; got != "" || why != want {
		t.Errorf("chose %q, because %s", got, why)
	}
}
