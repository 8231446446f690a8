// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package harvester

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
)

// longhornBackend is the address inside the cluster to which Harvester sends
// the bytes of images.
const longhornBackend = "longhorn-backend.longhorn-system:9500"

// downloaders are the addresses of the deployments that Harvester makes to serve
// the disks of images.
var downloaders = regexp.MustCompile(`^[^:]+-downloader\.[^.:]+:80$`)

// subresources are the APIs that KubeVirt and CDI serve beside kube-apiserver.
var subresources = []string{"/apis/subresources.kubevirt.io/", "/apis/upload.cdi.kubevirt.io/"}

// RedirectBackend makes Harvester, which uses Go's default transport, find
// Longhorn and its own deployments at a local address, and keeps it from
// reaching anything that is not local.
func RedirectBackend(address string) {
	transport := http.DefaultTransport.(*http.Transport)
	// A proxy would resolve the cluster's names itself.
	transport.Proxy = nil
	dialer := &net.Dialer{}
	transport.DialContext = func(ctx context.Context, network, target string) (net.Conn, error) {
		if target == longhornBackend || downloaders.MatchString(target) {
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

// WithSubresources returns a copy of config whose requests for KubeVirt's and
// CDI's own APIs go to another host.
func WithSubresources(config *rest.Config, host string) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return detour{next, host} })
	return config
}

// detour sends requests for the APIs beside kube-apiserver to a host.
type detour struct {
	next http.RoundTripper
	host string
}

func (d detour) RoundTrip(request *http.Request) (*http.Response, error) {
	if slices.ContainsFunc(subresources, func(api string) bool { return strings.HasPrefix(request.URL.Path, api) }) {
		request = request.Clone(request.Context())
		request.URL.Host = d.host
		request.Host = ""
	}
	return d.next.RoundTrip(request)
}
