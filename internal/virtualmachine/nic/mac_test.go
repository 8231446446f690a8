// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package nic

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// An address is the same in any spelling: it is sent as libvirt reads it, and neither sent again nor shown anew.
func TestMACSpelling(t *testing.T) {
	const plain = "52:54:00:ab:cd:ef"
	for spelling, same := range map[string]bool{
		plain: true, "52:54:00:AB:CD:EF": true, "52-54-00-ab-cd-ef": true, "5254.00AB.CDEF": true,
		"52:54:00:ab:cd:ee": false, "": false, "52:54:00:ab:cd:ef:00:11": false, "nonsense": false,
	} {
		if sameMAC(spelling, plain) != same || sameMAC(plain, spelling) != same {
			t.Errorf("%q is the same: %t", spelling, !same)
		}
		if !same {
			continue
		}
		n := Interface{Name: types.StringValue("a"), MACAddress: types.StringValue(spelling)}
		if got := n.device(nil).MacAddress; got != plain {
			t.Errorf("%q is sent as %q", spelling, got)
		}
		live := kubevirtv1.Interface{Name: "a", MacAddress: "52-54-00-AB-CD-EF"}
		if got := n.device([]kubevirtv1.Interface{live}).MacAddress; got != live.MacAddress {
			t.Errorf("%q is sent again, as %q", spelling, got)
		}
		if n.read(live, nil); n.MACAddress.ValueString() != spelling {
			t.Errorf("%q is shown as %s", spelling, n.MACAddress)
		}
	}
	n := Interface{MACAddress: types.StringValue("52:54:00:00:00:01")}
	if n.read(kubevirtv1.Interface{MacAddress: plain}, nil); n.MACAddress.ValueString() != plain {
		t.Errorf("another address is not shown: %s", n.MACAddress)
	}
}
