// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"
)

// longhornBackend is the address inside the cluster to which Harvester sends
// the bytes of images.
const longhornBackend = "longhorn-backend.longhorn-system:9500"

// subresources is the API that KubeVirt serves beside kube-apiserver.
const subresources = "/apis/subresources.kubevirt.io/"

// RedirectBackend makes Harvester, which uses Go's default transport, find
// Longhorn at a local address, and keeps it from reaching anything that is not
// local.
func RedirectBackend(address string) {
	transport := http.DefaultTransport.(*http.Transport)
	// A proxy would resolve the cluster's names itself.
	transport.Proxy = nil
	dialer := &net.Dialer{}
	transport.DialContext = func(ctx context.Context, network, target string) (net.Conn, error) {
		if target == longhornBackend {
			target = address
		}
		if !isLocal(target) {
			return nil, fmt.Errorf("the sandbox does not reach out to %s", target)
		}
		return dialer.DialContext(ctx, network, target)
	}
}

func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// WithSubresources returns a copy of config whose requests for KubeVirt's own
// API go to another host.
func WithSubresources(config *rest.Config, host string) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return detour{next, host} })
	return config
}

// detour sends requests for KubeVirt's own API to a host.
type detour struct {
	next http.RoundTripper
	host string
}

func (d detour) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.HasPrefix(request.URL.Path, subresources) {
		request = request.Clone(request.Context())
		request.URL.Host = d.host
		request.Host = ""
	}
	return d.next.RoundTrip(request)
}
