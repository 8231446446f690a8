// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package admission

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kubevirtv1 "kubevirt.io/api/core/v1"
	virtconfig "kubevirt.io/kubevirt/pkg/virt-config"
)

// Limits of virt-api.
const (
	maxCloudInit = 2048
	maxSerial    = 256
)

var validSerial = regexp.MustCompile(`^[A-Za-z0-9_.+-]+$`)

// causes are what is wrong with a machine, in the order in which KubeVirt finds out.
type causes []metav1.StatusCause

func (c *causes) add(at *field.Path, format string, arguments ...any) {
	*c = append(*c, metav1.StatusCause{Type: metav1.CauseTypeFieldValueInvalid, Message: fmt.Sprintf(format, arguments...), Field: at.String()})
}

// checkInstance says what is wrong with the processors, the memory and the devices of a machine, its network excepted
// (ValidateVirtualMachineInstanceSpec in vmi-create-admitter.go). It has what this provider can send, not all that
// KubeVirt looks at.
func checkInstance(at *field.Path, spec *kubevirtv1.VirtualMachineInstanceSpec, config *virtconfig.ClusterConfig) (found causes) {
	if errs := validation.IsDNS1123Label(spec.Hostname); spec.Hostname != "" && len(errs) > 0 {
		found.add(at.Child("hostname"), "%s does not conform to the kubernetes DNS_LABEL rules : %s", at.Child("hostname"), strings.Join(errs, ", "))
	}
	found.memory(at, spec)
	found.machineType(at, spec, config)
	found.processors(at, spec)
	return found
}

func (c *causes) memory(at *field.Path, spec *kubevirtv1.VirtualMachineInstanceSpec) {
	c.exceeds(at, corev1.ResourceMemory, spec)
}

// exceeds compares a request with its limit.
func (c *causes) exceeds(at *field.Path, name corev1.ResourceName, spec *kubevirtv1.VirtualMachineInstanceSpec) {
	resources := at.Child("domain", "resources")
	request, limit := spec.Domain.Resources.Requests[name], spec.Domain.Resources.Limits[name]
	if limit.Sign() > 0 && request.Cmp(limit) > 0 {
		asked := resources.Child("requests", string(name))
		c.add(asked, "%s '%s' is greater than %s '%s'", asked, &request, resources.Child("limits", string(name)), &limit)
	}
}

func (c *causes) machineType(at *field.Path, spec *kubevirtv1.VirtualMachineInstanceSpec, config *virtconfig.ClusterConfig) {
	if spec.Domain.Machine == nil || spec.Domain.Machine.Type == "" {
		return
	}
	known, wanted := config.GetEmulatedMachines(spec.Architecture), spec.Domain.Machine.Type
	if slices.ContainsFunc(known, func(pattern string) bool { ok, _ := filepath.Match(pattern, wanted); return ok }) {
		return
	}
	where := at.Child("domain", "machine", "type")
	c.add(where, "%s is not supported: %s (allowed values: %v)", where, wanted, known)
}

// processors checks the requests and limits, and more of them where the processors are dedicated (validateCpuPinning).
func (c *causes) processors(at *field.Path, spec *kubevirtv1.VirtualMachineInstanceSpec) {
	c.exceeds(at, corev1.ResourceCPU, spec)
	cpu := spec.Domain.CPU
	if cpu == nil {
		return
	}
	dedicated := at.Child("domain", "cpu", "dedicatedCpuPlacement")
	if cpu.DedicatedCPUPlacement {
		c.dedicated(at, dedicated, spec)
	} else if cpu.IsolateEmulatorThread {
		c.add(at.Child("domain", "cpu", "isolateEmulatorThread"), "IsolateEmulatorThread should be only set in combination with DedicatedCPUPlacement")
	}
	c.sockets(at, cpu)
}

// sockets compares the sockets with how many there may be while the machine runs. Harvester's own webhook allows one to a
// machine whose processors cannot grow. KubeVirt looks at them twice (validateCPUHotplug and validateLiveUpdateCPU).
func (c *causes) sockets(at *field.Path, cpu *kubevirtv1.CPU) {
	if cpu.MaxSockets != 0 && cpu.Sockets > cpu.MaxSockets {
		c.add(at.Child("domain", "cpu", "sockets"), "Number of sockets in CPU topology is greater than the maximum sockets allowed")
	}
}

func (c *causes) dedicated(at, dedicated *field.Path, spec *kubevirtv1.VirtualMachineInstanceSpec) {
	resources, cpu := at.Child("domain", "resources"), spec.Domain.CPU
	requests, limits := resources.Child("requests", "cpu"), resources.Child("limits", "cpu")
	request, limit := spec.Domain.Resources.Requests.Cpu(), spec.Domain.Resources.Limits.Cpu()
	if request.Value()*1000 != request.MilliValue() {
		c.add(requests, "provided resources CPU requests must be an interger")
	}
	if limit.Value()*1000 != limit.MilliValue() {
		c.add(limits, "provided resources CPU limits must be an interger")
	}
	memory, most := spec.Domain.Resources.Requests.Memory(), spec.Domain.Resources.Limits.Memory()
	if memory.Sign() > 0 && most.Sign() > 0 && memory.Value() != most.Value() {
		asked := resources.Child("requests", "memory")
		c.add(asked, "%s must be equal to %s", asked, resources.Child("limits", "memory"))
	}
	virtual := processorsOf(cpu)
	cores := at.Child("domain", "cpu", "cores")
	if request.IsZero() && limit.IsZero() && virtual == 0 {
		c.add(dedicated, "either %s or %s or %s must be provided when DedicatedCPUPlacement is true ", requests, limits, cores)
	}
	if request.Sign() > 0 && limit.Sign() > 0 && request.Value() != limit.Value() {
		c.add(dedicated, "%s or %s must be equal when DedicatedCPUPlacement is true ", requests, limits)
	}
	if (request.Sign() > 0 || limit.Sign() > 0) && virtual > 0 && request.Value() != virtual && limit.Value() != virtual {
		c.add(dedicated, "%s or %s must not be provided at the same time with %s when DedicatedCPUPlacement is true ", requests, limits, cores)
	}
	if cpu.Threads > 2 {
		c.add(dedicated, "Not more than two threads must be provided at %s (got %v) when DedicatedCPUPlacement is true", at.Child("domain", "cpu", "threads"), cpu.Threads)
	}
}

// processorsOf is how many virtual processors there are. What is not given is one, if anything is.
func processorsOf(cpu *kubevirtv1.CPU) int64 {
	all := int64(0)
	for _, n := range []uint32{cpu.Sockets, cpu.Cores, cpu.Threads} {
		if n > 0 {
			all = max(all, 1) * int64(n)
		}
	}
	return all
}

// checkDevices says what is wrong with the disks, inputs and volumes of a machine (validateBootOrder, validateInputDevices,
// validateDomainSpec and validateVolumes in vmi-create-admitter.go, and disks.go of pkg/storage/admitters).
func checkDevices(at *field.Path, spec *kubevirtv1.VirtualMachineInstanceSpec, config *virtconfig.ClusterConfig) (found causes) {
	found.bootOrder(at, spec, config)
	for i, input := range spec.Domain.Devices.Inputs {
		found.input(at.Child("domain", "devices", "inputs").Index(i), input)
	}
	for i := range spec.Domain.Devices.Disks {
		found.disk(at.Child("domain", "devices", "disks"), i, spec.Domain.Devices.Disks)
	}
	found.firmware(at.Child("domain"), &spec.Domain)
	for i := range spec.Volumes {
		found.volume(at.Child("volumes"), i, spec.Volumes)
	}
	return found
}

// bootOrder checks that a disk has a volume, which a CD-ROM drive need not have, and that no order is there twice.
func (c *causes) bootOrder(at *field.Path, spec *kubevirtv1.VirtualMachineInstanceSpec, config *virtconfig.ClusterConfig) {
	taken := map[uint]bool{}
	take := func(order *uint, where *field.Path) {
		if order == nil {
			return
		}
		if taken[*order] {
			c.add(where, "Boot order for %s already set for a different device.", where)
		}
		taken[*order] = true
	}
	for i, disk := range spec.Domain.Devices.Disks {
		where := at.Child("domain", "devices", "disks").Index(i)
		has := slices.ContainsFunc(spec.Volumes, func(v kubevirtv1.Volume) bool { return v.Name == disk.Name })
		switch {
		case !has && disk.CDRom == nil:
			c.add(where.Child("name"), "%s '%s' not found.", where.Child("Name"), disk.Name)
		case !has && !config.DeclarativeHotplugVolumesEnabled():
			c.add(where.Child("name"), "DeclarativeHotplugVolumes feature gate not enabled, cannot define an empty CD-ROM disk")
		}
		take(disk.BootOrder, where.Child("bootOrder"))
	}
	for i, device := range spec.Domain.Devices.Interfaces {
		if device.BootOrder != nil && *device.BootOrder < 1 {
			c.add(at.Index(i).Child("bootOrder"), "%s must have a boot order > 0, if supplied", at.Index(i))
			continue
		}
		take(device.BootOrder, at.Child("domain", "devices", "interfaces").Index(i).Child("bootOrder"))
	}
}

func (c *causes) input(where *field.Path, input kubevirtv1.Input) {
	if !slices.Contains([]kubevirtv1.InputBus{"", kubevirtv1.InputBusVirtio, kubevirtv1.InputBusUSB}, input.Bus) {
		c.add(where.Child("bus"), "Input device can have only virtio or usb bus.")
	}
	if input.Type != kubevirtv1.InputTypeTablet {
		c.add(where.Child("type"), "Input device can have only tablet type.")
	}
}

func (c *causes) disk(at *field.Path, i int, disks []kubevirtv1.Disk) {
	disk, where := disks[i], at.Index(i)
	for j := range i {
		if disks[j].Name == disk.Name {
			c.add(where.Child("name"), "%s and %s must not have the same Name.", where, at.Index(j))
		}
	}
	kind, bus := target(&disk)
	if kinds := strings.Count(kind, " ") + 1; kinds > 1 {
		c.add(where, "%s can only have a single target type defined", where)
	}
	if disk.BootOrder != nil && *disk.BootOrder < 1 {
		c.add(where.Child("bootOrder"), "%s must have a boot order > 0, if supplied", where)
	}
	c.bus(where, &disk, kind, bus)
	if disk.Serial != "" && !validSerial.MatchString(disk.Serial) {
		c.add(where.Child("serial"), "%s must be made up of the following characters [A-Za-z0-9_.+-], if specified", where)
	}
	if len([]rune(disk.Serial)) > maxSerial {
		c.add(where.Child("serial"), "%s must be less than or equal to %d in length, if specified", where, maxSerial)
	}
	if !slices.Contains([]kubevirtv1.DriverCache{"", kubevirtv1.CacheNone, kubevirtv1.CacheWriteThrough, kubevirtv1.CacheWriteBack}, disk.Cache) {
		c.add(where.Child("cache"), "%s has invalid value %s", where.Child("cache"), disk.Cache)
	}
	for _, text := range validation.IsDNS1123Label(disk.Name) {
		c.add(at.Child("domain", "devices", "disks").Index(i).Child("name"), "%s", text)
	}
}

// target is the kind of a disk, all of them if there are several, and its bus.
func target(disk *kubevirtv1.Disk) (kind string, bus kubevirtv1.DiskBus) {
	var kinds []string
	add := func(kind string, on kubevirtv1.DiskBus) {
		if len(kinds) == 0 {
			bus = on
		}
		kinds = append(kinds, kind)
	}
	if disk.Disk != nil {
		add("disk", disk.Disk.Bus)
	}
	if disk.LUN != nil {
		add("lun", disk.LUN.Bus)
	}
	if disk.CDRom != nil {
		add("cdrom", disk.CDRom.Bus)
	}
	return strings.Join(kinds, " "), bus
}

func (c *causes) bus(where *field.Path, disk *kubevirtv1.Disk, kind string, bus kubevirtv1.DiskBus) {
	known := []kubevirtv1.DiskBus{kubevirtv1.DiskBusVirtio, kubevirtv1.DiskBusSCSI, kubevirtv1.DiskBusSATA, kubevirtv1.DiskBusUSB}
	switch {
	case bus == "":
	case bus == "ide":
		c.add(where.Child(kind, "bus"), "IDE bus is not supported")
	case bus == kubevirtv1.DiskBusVirtio && kind == "cdrom":
		c.add(where.Child("cdrom", "bus"), "Bus type %s is invalid for CD-ROM device", bus)
	case bus == kubevirtv1.DiskBusSATA && disk.Disk != nil && disk.Disk.ReadOnly:
		c.add(where.Child("disk", "bus"), "%s hard-disks do not support read-only.", bus)
	case !slices.Contains(known, bus):
		c.add(where.Child(kind, "bus"), "%s is set with an unrecognized bus %s, must be one of: %v", where, bus, known)
	}
}

func (c *causes) firmware(at *field.Path, domain *kubevirtv1.DomainSpec) {
	enabled := func(b *bool) bool { return b == nil || *b }
	if domain.Firmware == nil || domain.Firmware.Bootloader == nil || domain.Firmware.Bootloader.EFI == nil || !enabled(domain.Firmware.Bootloader.EFI.SecureBoot) {
		return
	}
	if domain.Features == nil || domain.Features.SMM == nil || !enabled(domain.Features.SMM.Enabled) {
		c.add(at, "%s has EFI SecureBoot enabled. SecureBoot requires SMM, which is currently disabled.", at)
	}
}

func (c *causes) volume(at *field.Path, i int, volumes []kubevirtv1.Volume) {
	volume, where := volumes[i], at.Index(i)
	for j := range i {
		if volumes[j].Name == volume.Name {
			c.add(where.Child("name"), "%s and %s must not have the same Name.", where, at.Index(j))
			break
		}
	}
	if volume.VolumeSource == (kubevirtv1.VolumeSource{}) {
		c.add(where, "%s must have exactly one source type set", where)
	}
	if source := volume.CloudInitNoCloud; source != nil {
		c.cloudInit(where.Child("cloudInitNoCloud"), cloudInit{source.UserData, source.UserDataBase64, source.UserDataSecretRef},
			cloudInit{source.NetworkData, source.NetworkDataBase64, source.NetworkDataSecretRef})
	}
	if source := volume.CloudInitConfigDrive; source != nil {
		c.cloudInit(where.Child("cloudInitConfigDrive"), cloudInit{source.UserData, source.UserDataBase64, source.UserDataSecretRef},
			cloudInit{source.NetworkData, source.NetworkDataBase64, source.NetworkDataSecretRef})
	}
}

// cloudInit is the user data or the network data of a cloud-init volume.
type cloudInit struct {
	plain, encoded string
	secret         *corev1.LocalObjectReference
}

// sources is in how many ways the data are given.
func (d cloudInit) sources() (n int) {
	for _, given := range []bool{d.plain != "", d.encoded != "", d.secret != nil && d.secret.Name != ""} {
		if given {
			n++
		}
	}
	return n
}

func (c *causes) cloudInit(where *field.Path, user, network cloudInit) {
	c.data(where, "user", "userdatasource", "UserDataSecretRef", user)
	c.data(where, "network", "networkdata source", "NetworkDataSecretRef", network)
	if user.sources() == 0 && network.sources() == 0 {
		c.add(where, "%s must have at least one userdatasource or one networkdatasource set.", where)
	}
}

// data checks one kind of data, with KubeVirt's names for a source of them, and for the way without limit.
func (c *causes) data(where *field.Path, kind, source, unlimited string, data cloudInit) {
	length := len(data.plain)
	if data.encoded != "" && data.plain == "" {
		raw, err := base64.StdEncoding.DecodeString(data.encoded)
		if err != nil {
			key, volume := where.Child(kind+"DataBase64"), where.String()[strings.LastIndex(where.String(), ".")+1:]
			c.add(key, "%s.%s.%sDataBase64 is not a valid base64 value.", key, volume, kind)
		}
		length = len(raw)
	}
	if data.sources() > 1 {
		c.add(where, "%s must have only one %s set.", where, source)
	}
	if length > maxCloudInit {
		c.add(where, "%s %sdata exceeds %d byte limit. Should use %s for larger data.", where, kind, maxCloudInit, unlimited)
	}
}

// checkMachine says what is wrong with a machine besides its template (validateRunStrategy and
// validateLiveUpdateFeatures in vms-admitter.go).
func checkMachine(at *field.Path, spec *kubevirtv1.VirtualMachineSpec, config *virtconfig.ClusterConfig) (found causes) {
	known := []kubevirtv1.VirtualMachineRunStrategy{
		kubevirtv1.RunStrategyHalted, kubevirtv1.RunStrategyManual, kubevirtv1.RunStrategyAlways, kubevirtv1.RunStrategyRerunOnFailure, kubevirtv1.RunStrategyOnce,
	}
	switch {
	case spec.Running != nil && spec.RunStrategy != nil:
		found.add(at.Child("running"), "Running and RunStrategy are mutually exclusive. Note that Running is deprecated, please use RunStrategy instead")
	case spec.Running == nil && spec.RunStrategy == nil:
		found.add(at.Child("running"), "RunStrategy must be specified")
	}
	if spec.RunStrategy != nil && !slices.Contains(known, *spec.RunStrategy) {
		found.add(at.Child("runStrategy"), "Invalid RunStrategy (%s)", *spec.RunStrategy)
	}
	if config.IsVMRolloutStrategyLiveUpdate() {
		template, domain := at.Child("template", "spec"), &spec.Template.Spec.Domain
		if domain.CPU != nil {
			found.sockets(template, domain.CPU)
		}
		if text := refuseMemory(domain.Memory); text != "" {
			found.add(template.Child("domain", "memory", "guest"), "%s", text)
		}
	}
	return found
}

// refuseMemory says what is wrong with memory that can grow while the machine runs (pkg/liveupdate/memory/memory.go).
func refuseMemory(memory *kubevirtv1.Memory) string {
	const block, least = 2 << 20, 1 << 30
	switch {
	case memory == nil || memory.MaxGuest == nil:
		return ""
	case memory.Guest == nil:
		return "Guest memory must be configured when memory hotplug is enabled"
	case memory.Guest.Cmp(*memory.MaxGuest) > 0:
		return "Guest memory is greater than the configured maxGuest memory"
	case memory.Guest.Value()%block != 0:
		return "Guest memory must be 2Mi aligned"
	case memory.MaxGuest.Value()%block != 0:
		return "MaxGuest must be 2Mi aligned"
	case memory.Guest.Value() < least:
		return "Memory hotplug is only available for VMs with at least 1Gi of guest memory"
	}
	return ""
}
