// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package loadbalancer

import (
	"bytes"
	"errors"
	"fmt"
	"net"

	cnitypes "github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/plugins/pkg/ip"
	"github.com/containernetworking/plugins/plugins/ipam/host-local/backend/allocator"
)

var errNoRange = errors.New("range can't be empty")

// rangeSet is what a pool's ranges mean to the allocator. A start behind the end is swapped with it.
func rangeSet(ranges []addressRange) (set allocator.RangeSet, err error) {
	if len(ranges) == 0 {
		return nil, errNoRange
	}
	for _, r := range ranges {
		one, err := r.resolve()
		if err != nil {
			return nil, err
		}
		set = append(set, one)
	}
	return set, nil
}

// resolve fills in what a range leaves out: the first address and the last one but the broadcast address, and the
// first as gateway. A single address has no gateway.
func (r addressRange) resolve() (allocator.Range, error) {
	base, subnet, err := net.ParseCIDR(r.Subnet)
	if err != nil {
		return allocator.Range{}, fmt.Errorf("%w, a valid example is 192.168.1.0/24", err)
	}
	start, end, gateway := ip.NextIP(subnet.IP).To16(), last(subnet).To16(), ip.NextIP(subnet.IP).To16()
	if ones, bits := subnet.Mask.Size(); ones == bits && bits == 8*net.IPv4len {
		start, end, gateway = base.To16(), base.To16(), nil
	}
	for _, given := range []struct {
		what, text string
		into       *net.IP
	}{{"range start", r.RangeStart, &start}, {"range end", r.RangeEnd, &end}, {"gateway", r.Gateway, &gateway}} {
		if given.text == "" {
			continue
		}
		if *given.into, err = inside(given.text, subnet); err != nil {
			return allocator.Range{}, fmt.Errorf("invalid %s %s: %w", given.what, given.text, err)
		}
	}
	if bytes.Compare(start, end) > 0 {
		start, end = end, start
	}
	return allocator.Range{RangeStart: start, RangeEnd: end, Subnet: cnitypes.IPNet(*subnet), Gateway: gateway}, nil
}

func inside(text string, subnet *net.IPNet) (net.IP, error) {
	found := net.ParseIP(text)
	switch {
	case found == nil:
		return nil, fmt.Errorf("invalid IP %s", text)
	case !subnet.Contains(found):
		return nil, fmt.Errorf("IP %s is out of subnet %s", text, subnet)
	case found.Equal(subnet.IP):
		return nil, fmt.Errorf("IP %s is the network address", text)
	case found.Equal(broadcast(subnet)):
		return nil, fmt.Errorf("IP %s is the broadcast address", text)
	}
	return found, nil
}

func broadcast(subnet *net.IPNet) net.IP {
	address := make(net.IP, len(subnet.IP))
	for i := range subnet.IP {
		address[i] = subnet.IP[i] | ^subnet.Mask[i]
	}
	return address
}

// last is the last address that can be given away.
func last(subnet *net.IPNet) net.IP {
	address := broadcast(subnet)
	if len(address) == net.IPv4len {
		address[3]--
	}
	return address
}

// count is how many addresses a range gives away.
func count(r *allocator.Range) int64 {
	var number int64
	for i := range net.IPv6len {
		number = number<<8 + int64(r.RangeEnd.To16()[i]) - int64(r.RangeStart.To16()[i])
	}
	number++
	if r.Gateway != nil && r.Contains(r.Gateway) {
		number--
	}
	return number
}
