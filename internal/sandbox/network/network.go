// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package network runs Harvester's network controller: its admission webhooks and those of its manager's controllers
// that stay within the cluster are the real ones, of v1.8.0, which is what Harvester 1.8.1 ships.
//
// Two parts are stand-ins, written after the same source. The agent (pkg/controller/agent) would configure the host's
// network cards: here nodes have cards on paper. The controller of network attachment definitions
// (pkg/controller/manager/nad) would send pings and start pods that ask for an address: here both are answered at once.
// So no packet leaves the machine.
package network

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	networkv1 "github.com/harvester/harvester-network-controller/pkg/apis/network.harvesterhci.io/v1beta1"
	cniv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

const (
	namespace = "harvester-system"
	threads   = 2
)

var scheme = manager.Scheme(corev1.AddToScheme, networkv1.AddToScheme, cniv1.AddToScheme)

// Options is what a Network needs.
type Options struct {
	// Config reaches the Kubernetes API.
	Config *rest.Config
	// URL and CA are those of the server that Mux is served by.
	URL string
	CA  []byte
	Mux *http.ServeMux
	// Faults says what goes wrong.
	Faults *faults.Switch
	// Log is where the stand-ins log. Without it, they do not.
	Log *slog.Logger
	// Pace says how fast the stand-ins work.
	Pace pace.Pace
}

// Network is the network controller of a cluster.
type Network struct {
	Options
	api client.Client
}

// New returns a Network that does nothing until it is started.
func New(options Options) (*Network, error) {
	options.Log = manager.Log(options.Log)
	options.Config = rest.CopyConfig(options.Config)
	options.Config.QPS, options.Config.Burst = 200, 400
	api, err := manager.Client(options.Config, scheme)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return &Network{Options: options, api: api}, nil
}

// Start registers the webhooks and starts the real controllers, which run until ctx ends. The definitions of the
// network's kinds must be served.
func (n *Network) Start(ctx context.Context) error {
	if err := n.startWebhooks(ctx); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	if err := n.startManager(ctx); err != nil {
		return fmt.Errorf("controllers: %w", err)
	}
	return nil
}

// Run runs the stand-ins until ctx ends.
func (n *Network) Run(ctx context.Context) error {
	run, err := manager.New(n.Config, scheme, n.Log)
	if err != nil {
		return err
	}
	if err := n.addAgent(run); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	if err := n.addAttachments(run); err != nil {
		return fmt.Errorf("controller of networks: %w", err)
	}
	return run.Start(ctx)
}
