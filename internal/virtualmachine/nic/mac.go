// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package nic

import "net"

// reservedMAC is the address of the bridge that KubeVirt makes in the pod behind a masquerade (pkg/network/link/mac.go).
const reservedMAC = "02:00:00:00:00:00"

// parseMAC is nil for what is no MAC address.
func parseMAC(text string) net.HardwareAddr {
	address, err := net.ParseMAC(text)
	if err != nil || len(address) != 6 {
		return nil
	}
	return address
}

// sameMAC says that two texts are the same address, in other case or with other separators perhaps.
func sameMAC(a, b string) bool {
	address := parseMAC(a)
	return address != nil && address.String() == parseMAC(b).String()
}

// written is how libvirt, which gets the address from KubeVirt as it is, can read it: it knows colons only.
func written(text string) string {
	if address := parseMAC(text); address != nil {
		return address.String()
	}
	return text
}

// SameMAC says that two interfaces have the same address, however it is written.
func (n Interface) SameMAC(other Interface) bool {
	return sameMAC(n.MACAddress.ValueString(), other.MACAddress.ValueString())
}
