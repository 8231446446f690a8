// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package harvester runs the real Harvester server and its admission webhooks
// in this process, on objects like those of a fresh installation.
package harvester

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/harvester/harvester/pkg/config"
	"github.com/harvester/harvester/pkg/server"
	"github.com/sirupsen/logrus"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

const (
	// Version is the version of Harvester that this module is built with.
	Version = "v1.8.2"
	// KubernetesVersion is the version of Kubernetes it is built with.
	KubernetesVersion = "v1.33.7"
	// Namespace is where Harvester keeps its own objects.
	Namespace = "harvester-system"

	// threads is how many workers each controller has.
	threads   = 5
	readyPoll = 50 * time.Millisecond
	// attempts and pause are how often and when a start is tried again.
	attempts = 10
	pause    = 500 * time.Millisecond
	// readyPath is answered when the server knows the kinds of the cluster.
	readyPath = "/v1/harvester/harvesterhci.io.virtualmachineimages"
)

// environment is what Harvester's container images and charts set, and what
// suits a single process that may be suspended for longer than a lease lasts.
var environment = map[string]string{
	"HARVESTER_SERVER_VERSION":                        Version,
	"HARVESTER_UPGRADE_CHECKER_ENABLED_DEFAULT_VALUE": "false",
	"CATTLE_ELECTION_LEASE_DURATION":                  "1h",
	"CATTLE_ELECTION_RENEW_DEADLINE":                  "50m",
	"CATTLE_ELECTION_RETRY_PERIOD":                    "10s",
}

// Options is what Harvester needs.
type Options struct {
	// Config reaches the Kubernetes API.
	Config *rest.Config
	// Kubeconfig is a file that does so too, which may not exist yet. Helm's code in
	// Harvester would look for that of the user instead.
	Kubeconfig string
	// UploadProxy is the address of CDI's proxy for uploads.
	UploadProxy string
}

// Start starts Harvester's controllers and returns the handler of its API, once
// that knows the cluster's kinds.
//
// Harvester must not see ctx end before the process does: its leader election
// ends the process then.
func Start(ctx context.Context, options Options) (http.Handler, error) {
	for name, value := range environment {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	if err := os.Setenv("KUBECONFIG", options.Kubeconfig); err != nil {
		return nil, err
	}
	harvester, err := newServer(ctx, options.Config)
	if err != nil {
		return nil, fmt.Errorf("starting Harvester: %w", err)
	}
	if err := waitReady(ctx, harvester.Handler); err != nil {
		return nil, err
	}
	return harvester.Handler, redirectUploads(harvester, options.UploadProxy)
}

// newServer tries again where a cluster would restart the pod: Harvester makes
// objects that its webhooks refuse as long as they have not seen the ones made
// just before.
func newServer(ctx context.Context, config *rest.Config) (harvester *server.HarvesterServer, err error) {
	for range attempts {
		if harvester, err = server.New(ctx, clientConfig{config}, settings()); err == nil {
			return harvester, nil
		}
		logrus.WithError(err).Warn("Harvester did not start")
		if !pace.Wait(ctx, pause) {
			break
		}
	}
	return nil, err
}

func settings() config.Options {
	return config.Options{Namespace: Namespace, Threadiness: threads}
}

func waitReady(ctx context.Context, handler http.Handler) error {
	for {
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, http.MethodGet, readyPath, nil))
		if recorder.Code == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("Harvester's API answers %d: %w", recorder.Code, ctx.Err())
		case <-time.After(readyPoll):
		}
	}
}

// clientConfig hands Harvester a finished configuration where it expects a
// kubeconfig.
type clientConfig struct{ config *rest.Config }

func (c clientConfig) ClientConfig() (*rest.Config, error)     { return rest.CopyConfig(c.config), nil }
func (c clientConfig) RawConfig() (clientcmdapi.Config, error) { return clientcmdapi.Config{}, nil }
func (c clientConfig) Namespace() (string, bool, error)        { return Namespace, false, nil }
func (c clientConfig) ConfigAccess() clientcmd.ConfigAccess    { return nil }
