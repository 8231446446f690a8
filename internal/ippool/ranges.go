// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package ippool

import (
	"fmt"
	"math/big"
	"net/netip"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
)

// span is a range as the server understands it: what a range leaves out is the first address of the subnet, the last one but
// the broadcast address, and the first as gateway (load-balancer-harvester, pkg/ipam/allocator.go).
type span struct {
	subnet     netip.Prefix
	start, end netip.Addr
	gateway    netip.Addr // not valid: none
}

// mistake is what is wrong with an argument of a range.
type mistake struct{ argument, reason string }

// understand returns what a range is, or what is wrong with it. An argument of "" was left out.
func understand(r api.IPPoolRange) (span, *mistake) {
	subnet, err := netip.ParsePrefix(r.Subnet)
	if err != nil {
		return span{}, &mistake{"subnet", fmt.Sprintf("%q is no subnet. Give one as in 192.168.1.0/24.", r.Subnet)}
	}
	given := subnet.Addr()
	subnet = subnet.Masked()
	s := span{subnet: subnet, start: subnet.Addr().Next(), end: lastOf(subnet), gateway: subnet.Addr().Next()}
	if subnet.Addr().Is4() {
		s.end = s.end.Prev()
	}
	if subnet.Addr().Is4() && subnet.IsSingleIP() {
		s.start, s.end, s.gateway = given, given, netip.Addr{}
	}
	for _, one := range []struct {
		argument, text string
		into           *netip.Addr
	}{{"start", r.RangeStart, &s.start}, {"end", r.RangeEnd, &s.end}, {"gateway", r.Gateway, &s.gateway}} {
		if one.text == "" {
			continue
		}
		address, wrong := within(one.text, subnet)
		if wrong != "" {
			return span{}, &mistake{one.argument, wrong}
		}
		*one.into = address
	}
	if s.end.Less(s.start) { // the server swaps them
		s.start, s.end = s.end, s.start
	}
	return s, nil
}

func within(text string, subnet netip.Prefix) (address netip.Addr, wrong string) {
	address, err := netip.ParseAddr(text)
	address = address.Unmap()
	switch {
	case err != nil || address.Zone() != "":
		return address, fmt.Sprintf("%q is no IP address.", text)
	case !subnet.Contains(address):
		return address, fmt.Sprintf("%s is outside of the subnet %s.", text, subnet)
	case address == subnet.Addr():
		return address, fmt.Sprintf("%s is the network address of %s, which nobody can have.", text, subnet)
	case address == lastOf(subnet):
		return address, fmt.Sprintf("%s is the broadcast address of %s, which nobody can have.", text, subnet)
	}
	return address, ""
}

// lastOf is the last address of a subnet.
func lastOf(subnet netip.Prefix) netip.Addr {
	bytes := subnet.Masked().Addr().AsSlice()
	for bit := subnet.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(bytes) // it has the length of an address
	return last
}

func (s span) overlaps(other span) bool {
	return s.start.Is4() == other.start.Is4() && !s.end.Less(other.start) && !other.end.Less(s.start)
}

func (s span) contains(address netip.Addr) bool {
	return address.Is4() == s.start.Is4() && !address.Less(s.start) && !s.end.Less(address)
}

// count is how many addresses the server counts: it leaves the gateway out.
func (s span) count() int64 {
	number := func(address netip.Addr) *big.Int { return new(big.Int).SetBytes(address.AsSlice()) }
	count := new(big.Int).Sub(number(s.end), number(s.start)).Int64() + 1
	if s.gateway.IsValid() && s.contains(s.gateway) {
		count--
	}
	return count
}

func (s span) String() string { return s.start.String() + " to " + s.end.String() }

// spans are the ranges of a pool that can be understood.
func spans(ranges []api.IPPoolRange) (all []span) {
	for _, r := range ranges {
		if one, wrong := understand(r); wrong == nil {
			all = append(all, one)
		}
	}
	return all
}

// total is how many addresses the server counts in a pool.
func total(ranges []api.IPPoolRange) (count int64) {
	for _, one := range spans(ranges) {
		count += one.count()
	}
	return count
}

// sameAddress says that two texts are the same address or subnet, or both left out.
func sameAddress(a, b string) bool {
	if a == b {
		return true
	}
	if one, err := netip.ParseAddr(a); err == nil {
		other, err := netip.ParseAddr(b)
		return err == nil && one.Unmap() == other.Unmap()
	}
	one, err := netip.ParsePrefix(a)
	other, otherErr := netip.ParsePrefix(b)
	return err == nil && otherErr == nil && one == other
}
