// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

// FieldManager is the name under which this provider's writes are recorded.
const FieldManager = "terraform-provider-harvester"

// Client is a connection to one cluster. It is safe for concurrent use.
type Client struct {
	dynamic dynamic.Interface
	// transfers speaks HTTP/1.1 only: behind Harvester's ingress, HTTP/2 moves
	// one 64 KiB window per round trip.
	transfers *http.Client
	base      *url.URL
	recent    *recent
	// served says that Harvester's own API has answered, so that it need not be asked again.
	served atomic.Bool
}

// Connect prepares a client; it sends nothing. Mistakes in the connection are
// returned as *ConfigError.
func Connect(connection Connection, userAgent string) (*Client, error) {
	config, err := connection.restConfig()
	if err != nil {
		return nil, err
	}
	config.UserAgent = userAgent
	// Every Kubernetes that Harvester 1.4 or newer runs on has API Priority and
	// Fairness, so the server itself keeps order; client-go's own limit of 5
	// requests a second would only make big plans wait.
	config.QPS = -1
	return newClient(config)
}

// warnings logs what the API server warns of.
type warnings struct{}

// HandleWarningHeader logs one warning.
func (warnings) HandleWarningHeader(code int, agent, text string) {
	rest.WarningLogger{}.HandleWarningHeader(code, agent, redact.Line(text))
}

func newClient(config *rest.Config) (*Client, error) {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		// The error quotes the address, and nobody knows what stands in its place.
		return nil, configError(FieldHost, "The address of the cluster cannot be used: it is not a URL such as https://harvester.example.com.")
	}
	objects := rest.CopyConfig(config)
	objects.Wrap(transport.Bounded)
	objects.WarningHandler = warnings{}
	over, err := rest.TransportFor(objects)
	if err != nil {
		return nil, configError("", "The connection cannot be set up: %s.", err)
	}
	api, err := dynamic.NewForConfigAndClient(objects, transport.Client(over))
	if err != nil {
		return nil, configError("", "The connection cannot be set up: %s.", err)
	}
	http1 := rest.CopyConfig(config)
	http1.NextProtos = []string{"http/1.1"}
	if over, err = rest.TransportFor(http1); err != nil {
		return nil, configError("", "The connection for uploads and downloads cannot be set up: %s.", err)
	}
	return &Client{dynamic: api, transfers: transport.Client(over), base: base, recent: newRecent()}, nil
}

// Dynamic is the underlying client, for watching.
func (c *Client) Dynamic() dynamic.Interface { return c.dynamic }

// Transfers is the HTTP client for uploads and downloads, with the cluster's
// TLS settings and credentials. It has no total timeout.
func (c *Client) Transfers() *http.Client { return c.transfers }

// Host is the address of the cluster, for messages.
func (c *Client) Host() string { return redact.Line(c.base.String()) }

// ImageURL is the address of an image in Harvester's own API, which serves
// uploads and downloads. kube-apiserver does not have it.
func (c *Client) ImageURL(namespace, name string) *url.URL {
	return c.base.JoinPath("v1/harvester/harvesterhci.io.virtualmachineimages", namespace, name)
}

// HarvesterAPIError says that the address does not serve Harvester's own API.
type HarvesterAPIError struct {
	Host   string
	Status string
}

func (e *HarvesterAPIError) Error() string {
	return fmt.Sprintf("%s does not serve Harvester's own API (/v1/harvester answers %s)", e.Host, e.Status)
}

// ProbeHarvesterAPI checks that uploads and downloads have an address to go to,
// by asking for a small schema. A 404 is a *HarvesterAPIError: the address is that of
// kube-apiserver. A redirect that is not followed is a *transport.RedirectError. Other failures are
// left to the request that matters.
func (c *Client) ProbeHarvesterAPI(ctx context.Context) error {
	if c.served.Load() {
		return nil
	}
	address := c.base.JoinPath("v1/harvester/schemas/harvesterhci.io.virtualmachineimage")
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return fmt.Errorf("build the request: %w", err)
	}
	resp, err := c.transfers.Do(req)
	if redirect, refused := errors.AsType[*transport.RedirectError](err); refused {
		return redirect
	}
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if resp.StatusCode == http.StatusNotFound && !strings.Contains(string(body), `"type":"error"`) {
		return &HarvesterAPIError{Host: c.Host(), Status: redact.Line(resp.Status)}
	}
	c.served.Store(resp.StatusCode < http.StatusMultipleChoices)
	return nil
}

func names[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), ", ")
}
