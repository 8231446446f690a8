// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	kubevirtv1 "kubevirt.io/api/core/v1"
)

func (m machine) ontoFirmware(domain *kubevirtv1.DomainSpec) {
	if machineType := m.MachineType.ValueString(); machineType != "" {
		domain.Machine = &kubevirtv1.Machine{Type: machineType}
	}
	secured := secureBoot(domain)
	switch {
	case m.EFI.ValueBool():
		if wanted := m.SecureBoot.ValueBool(); !efi(domain) || secured != wanted {
			bootloader(domain).SecureBoot = &wanted
		}
	case domain.Firmware != nil && domain.Firmware.Bootloader != nil:
		domain.Firmware.Bootloader.EFI = nil
		if domain.Firmware.Bootloader.BIOS == nil {
			domain.Firmware.Bootloader = nil
		}
	}
	if secured != secureBoot(domain) {
		securedBy(domain, m.SecureBoot.ValueBool())
	}
}

// bootloader returns the EFI settings, made if need be. UUID and serial of the
// firmware stay: guests are known by them.
func bootloader(domain *kubevirtv1.DomainSpec) *kubevirtv1.EFI {
	if domain.Firmware == nil {
		domain.Firmware = &kubevirtv1.Firmware{}
	}
	if domain.Firmware.Bootloader == nil {
		domain.Firmware.Bootloader = &kubevirtv1.Bootloader{}
	}
	domain.Firmware.Bootloader.BIOS = nil
	if domain.Firmware.Bootloader.EFI == nil {
		domain.Firmware.Bootloader.EFI = &kubevirtv1.EFI{}
	}
	return domain.Firmware.Bootloader.EFI
}

// securedBy turns on the processor mode that secure boot needs, or off with it.
func securedBy(domain *kubevirtv1.DomainSpec, secure bool) {
	if !secure {
		if domain.Features != nil {
			domain.Features.SMM = nil
		}
		return
	}
	if domain.Features == nil {
		domain.Features = &kubevirtv1.Features{}
	}
	domain.Features.SMM = &kubevirtv1.FeatureState{Enabled: &secure}
}

func efi(domain *kubevirtv1.DomainSpec) bool {
	return domain.Firmware != nil && domain.Firmware.Bootloader != nil && domain.Firmware.Bootloader.EFI != nil
}

// secureBoot is on with EFI unless turned off: so KubeVirt has it.
func secureBoot(domain *kubevirtv1.DomainSpec) bool {
	return efi(domain) && (domain.Firmware.Bootloader.EFI.SecureBoot == nil || *domain.Firmware.Bootloader.EFI.SecureBoot)
}
