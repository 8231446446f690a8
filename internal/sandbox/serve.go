// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/controlplane"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/front"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/harvester"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/objectstore"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/process"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/rancher"
)

const loopback = "127.0.0.1"

// apiServerKubeconfig is the kubeconfig that reaches kube-apiserver itself.
const apiServerKubeconfig = "kube-apiserver.kubeconfig"

// contextName is the name of the kubeconfigs' context, cluster and user.
const contextName = "harvester-sandbox"

// listeners are the sandbox's own ports, open from the start so that nobody
// else can take them. The first two keep their numbers over restarts, because
// kubeconfigs contain them.
type listeners struct {
	front, apiServer, internal, backend net.Listener
}

func listen(options startOptions) (*listeners, error) {
	last, err := process.Read(options.dir)
	if err != nil {
		return nil, err
	}
	l := &listeners{}
	if options.port != 0 {
		l.front, err = net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(options.port)))
	} else {
		l.front, err = listenAgain(last.Address)
	}
	if err != nil {
		return nil, err
	}
	if l.apiServer, err = listenAgain(last.APIServer); err != nil {
		return nil, err
	}
	for _, listener := range []*net.Listener{&l.internal, &l.backend} {
		if *listener, err = listenAgain(""); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// listenAgain listens at an address, or anywhere if that is empty or taken.
func listenAgain(address string) (net.Listener, error) {
	if address != "" {
		if listener, err := net.Listen("tcp", address); err == nil {
			return listener, nil
		}
	}
	return net.Listen("tcp", net.JoinHostPort(loopback, "0"))
}

func (s *sandbox) startFront(api http.Handler) error {
	token, err := s.plane.Token(controlplane.Admin)
	if err != nil {
		return err
	}
	internal, err := s.plane.Token(controlplane.Harvester)
	if err != nil {
		return err
	}
	apiServer, err := url.Parse(s.plane.Address())
	if err != nil {
		return err
	}
	return s.serveTLS("front", front.New(front.Options{
		Tokens:        []string{token, internal},
		KubeAPIServer: apiServer,
		Authority:     s.plane.Authority().Pool(),
		Harvester:     api,
		Subresources:  s.subresources,
		Sandbox:       s.endpoints(),
		Rancher:       &rancher.Clusters{Kubeconfig: s.kubeconfigText},
		Faults:        s.faults,
		Log:           s.log.With("part", "front"),
	}), s.listeners.front)
}

// endpoints are the sandbox's own.
func (s *sandbox) endpoints() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(faults.Path, s.faults)
	mux.Handle(faults.Path+"/", s.faults)
	mux.HandleFunc("GET /sandbox/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"harvester":  harvester.Version,
			"kubernetes": harvester.KubernetesVersion,
			"backups":    "http://" + s.listeners.backend.Addr().String() + strings.TrimSuffix(objectstore.Path, "/"),
			"pace":       s.pace.String(),
			"pid":        os.Getpid(),
			"started":    s.began,
		})
	})
	return mux
}

// serveTLS serves a handler with a certificate of the sandbox's authority.
func (s *sandbox) serveTLS(name string, handler http.Handler, listener net.Listener) error {
	configuration, err := s.plane.Authority().ServerTLS(name)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, TLSConfig: configuration}
	s.serve(name, server, listener)
	return nil
}

// serve runs a server until the sandbox ends.
func (s *sandbox) serve(name string, server *http.Server, listener net.Listener) {
	server.ErrorLog = slog.NewLogLogger(s.log.With("part", name).Handler(), slog.LevelDebug)
	context.AfterFunc(s.parts, func() { _ = server.Close() })
	s.run(name, func(context.Context) (err error) {
		if server.TLSConfig != nil {
			err = server.ServeTLS(listener, "", "")
		} else {
			err = server.Serve(listener)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
}

func (s *sandbox) writeKubeconfigs() error {
	for name, address := range map[string]string{
		"kubeconfig":        "https://" + s.listeners.front.Addr().String(),
		apiServerKubeconfig: s.plane.Address(),
	} {
		if err := s.writeKubeconfig(name, address); err != nil {
			return err
		}
	}
	return nil
}

func (s *sandbox) writeKubeconfig(name, address string) error {
	config, err := s.kubeconfig(address)
	if err != nil {
		return err
	}
	return clientcmd.WriteToFile(*config, s.file(name))
}

// kubeconfigText is the kubeconfig as Rancher gives it out.
func (s *sandbox) kubeconfigText() (string, error) {
	config, err := s.kubeconfig("https://" + s.listeners.front.Addr().String() + "/k8s/clusters/local")
	if err != nil {
		return "", err
	}
	text, err := clientcmd.Write(*config)
	return string(text), err
}

func (s *sandbox) kubeconfig(address string) (*clientcmdapi.Config, error) {
	token, err := s.plane.Token(controlplane.Admin)
	if err != nil {
		return nil, err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters[contextName] = &clientcmdapi.Cluster{
		Server: address, CertificateAuthorityData: s.plane.Authority().CA(),
	}
	config.AuthInfos[contextName] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[contextName] = &clientcmdapi.Context{Cluster: contextName, AuthInfo: contextName}
	config.CurrentContext = contextName
	return config, nil
}

func (s *sandbox) summarize() {
	s.say("ready")
	fmt.Fprintf(s.terminal, `
  Harvester    %s at https://%s
  Kubernetes   %s at %s
  Hardware     simulated: Longhorn, volumes, CDI, KubeVirt, network cards, load balancers, PCI devices
  kubeconfig   %s

`, harvester.Version, s.listeners.front.Addr(), harvester.KubernetesVersion, s.plane.Address(), s.file("kubeconfig"))
}
