// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/admission"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/cdi"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/controlplane"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/crds"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/devices"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/harvester"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/kubevirt"
	machineadmission "github.com/harvester-community/terraform-provider-harvester/internal/sandbox/kubevirt/admission"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/loadbalancer"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/longhorn"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/network"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/objectstore"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/process"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/volumes"
)

// longhornMutationPath is where Longhorn's admission webhook is served.
const longhornMutationPath = "/v1/longhorn/mutation"

// partsPatience is how long the simulators get to end.
const partsPatience = 5 * time.Second

// startOptions are what the user chose.
type startOptions struct {
	dir   string
	port  int
	pace  pace.Pace
	debug bool
}

// file is a path in the sandbox's folder.
func (o startOptions) file(name string) string { return filepath.Join(o.dir, name) }

// sandbox is a running sandbox. Its parts start in the order of its methods.
type sandbox struct {
	startOptions
	began     time.Time
	terminal  *os.File
	log       *slog.Logger
	faults    *faults.Switch
	listeners *listeners
	internal  *http.ServeMux // admission webhooks and CDI's proxy for uploads

	plane        *controlplane.ControlPlane
	longhorn     *longhorn.Longhorn
	cdi          *cdi.CDI
	services     []*admission.Service // of simulated services
	subresources http.Handler
	front        *http.Server
	networked    chan error // how the start of the network controller ended

	failed  chan error
	parts   context.Context // ends when the simulators and controllers shall
	stop    context.CancelFunc
	running sync.WaitGroup
}

// start runs a sandbox until ctx ends.
func start(ctx context.Context, options startOptions) error {
	lock, err := process.Acquire(options.dir)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()
	s, err := newSandbox(options)
	if err != nil {
		return err
	}
	// Harvester's code does not always notice that it shall end, so it starts
	// beside this function.
	started := make(chan error, 1)
	go func() { started <- s.start(ctx) }()
	for {
		select {
		case err := <-started:
			if err == nil {
				started = nil
				continue
			}
			return s.end(err)
		case err := <-s.failed:
			return s.end(err)
		case <-ctx.Done():
			return s.end(nil)
		}
	}
}

func newSandbox(options startOptions) (*sandbox, error) {
	terminal, log, err := quieten(options)
	if err != nil {
		return nil, err
	}
	listeners, err := listen(options)
	if err != nil {
		return nil, err
	}
	parts, stop := context.WithCancel(context.Background())
	return &sandbox{
		startOptions: options,
		began:        time.Now(),
		terminal:     terminal,
		log:          log,
		faults:       faults.NewSwitch(),
		listeners:    listeners,
		internal:     http.NewServeMux(),
		networked:    make(chan error, 1),
		failed:       make(chan error, 1),
		parts:        parts,
		stop:         stop,
	}, nil
}

// start starts everything.
func (s *sandbox) start(ctx context.Context) error {
	if err := s.remember(false); err != nil {
		return err
	}
	for _, stage := range []struct {
		done string
		run  func(context.Context) error
	}{
		{"etcd and kube-apiserver are ready", s.startControlPlane},
		{"custom resources are served", s.installDefinitions},
		{"hardware is simulated", s.startSimulators},
		{"admission webhooks are registered", s.startWebhooks},
		{"Harvester answers", s.startHarvester},
	} {
		if err := stage.run(ctx); err != nil {
			return err
		}
		s.say("%s", stage.done)
	}
	if err := s.startControllers(); err != nil {
		return err
	}
	if err := s.writeKubeconfigs(); err != nil {
		return err
	}
	s.summarize()
	return s.remember(true)
}

// end stops everything and returns why.
func (s *sandbox) end(cause error) error {
	// The context of Harvester does not end before the process does.
	if s.front != nil {
		_ = s.front.Close()
	}
	s.stop()
	s.await(partsPatience)
	if s.plane != nil {
		s.plane.Stop()
	}
	s.say("stopped")
	return cause
}

func (s *sandbox) startControlPlane(ctx context.Context) (err error) {
	s.plane, err = controlplane.Start(ctx, controlplane.Options{
		Dir:      s.file("kubernetes"),
		Listener: s.listeners.apiServer,
		LogFile:  s.file(componentsLog),
	})
	if err != nil {
		return err
	}
	s.run("kube-apiserver", s.plane.Wait)
	return nil
}

func (s *sandbox) installDefinitions(ctx context.Context) error {
	config := s.plane.Config(controlplane.Admin)
	if err := harvester.Unregister(ctx, config); err != nil {
		return err
	}
	if err := crds.Install(ctx, config); err != nil {
		return err
	}
	if err := devices.Install(ctx, config); err != nil {
		return err
	}
	return harvester.CreateObjects(ctx, config)
}

func (s *sandbox) startSimulators(context.Context) (err error) {
	config := s.plane.Config(controlplane.Simulators)
	if err := s.newStorage(); err != nil {
		return err
	}
	disks, err := volumes.New(volumes.Options{Config: config, Log: s.log.With("part", "volumes"), Pace: s.pace})
	if err != nil {
		return err
	}
	machines, err := kubevirt.New(kubevirt.Options{Config: config, Log: s.log.With("part", "kubevirt"), Pace: s.pace})
	if err != nil {
		return err
	}
	s.subresources = besideAPIServer(machines.Subresources(), s.cdi.Tokens())
	s.run("longhorn", s.longhorn.Run)
	s.run("cdi", s.cdi.Run)
	s.run("volumes", disks.Run)
	s.run("kubevirt", machines.Run)
	backend := http.NewServeMux()
	backend.Handle("/", s.longhorn.Backend())
	backend.Handle("/images/", s.cdi.Downloads())
	backend.Handle(objectstore.Path, objectstore.New())
	s.serve("backend", &http.Server{Handler: backend}, s.listeners.backend)
	harvester.RedirectBackend(s.listeners.backend.Addr().String())
	return s.startServices()
}

// startServices starts those of Harvester's services that have webhooks of their own.
func (s *sandbox) startServices() error {
	config := s.plane.Config(controlplane.Simulators)
	balancers, err := loadbalancer.New(loadbalancer.Options{Config: config, Faults: s.faults, Log: s.log.With("part", "loadbalancer"), Pace: s.pace})
	if err != nil {
		return err
	}
	hardware, err := devices.New(devices.Options{Config: config, Faults: s.faults, Log: s.log.With("part", "devices"), Pace: s.pace})
	if err != nil {
		return err
	}
	s.run("loadbalancer", balancers.Run)
	s.run("devices", hardware.Run)
	s.services = append(s.services, balancers.Webhooks(), hardware.Webhooks())
	return nil
}

// registerServices serves and registers the webhooks of the services.
func (s *sandbox) registerServices(ctx context.Context, url string) error {
	for _, service := range s.services {
		if err := service.Register(ctx, s.plane.Config(controlplane.Admin), url, s.plane.Authority().CA()); err != nil {
			return err
		}
	}
	return nil
}

// newStorage makes the two that have disks. Each can open those of the other.
func (s *sandbox) newStorage() (err error) {
	config := s.plane.Config(controlplane.Simulators)
	s.cdi, err = cdi.New(cdi.Options{
		Config: config, Dir: s.file("cdi"), Faults: s.faults, Log: s.log.With("part", "cdi"), Pace: s.pace,
		Disk: func(ctx context.Context, volume string) (io.ReadCloser, error) { return s.longhorn.Disk(ctx, volume) },
	})
	if err != nil {
		return err
	}
	s.longhorn, err = longhorn.New(longhorn.Options{
		Config: config, Dir: s.file("longhorn"), Faults: s.faults, Log: s.log.With("part", "longhorn"), Pace: s.pace,
		Written: s.cdi.Disk,
	})
	return err
}

// besideAPIServer serves the APIs that are not kube-apiserver's.
func besideAPIServer(machines, tokens http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", machines)
	mux.Handle(cdi.TokenPath, tokens)
	mux.Handle(cdi.TokenPath+"/", tokens)
	return mux
}

func (s *sandbox) startWebhooks(ctx context.Context) error {
	authority := s.plane.Authority()
	url := "https://" + s.listeners.internal.Addr().String()
	webhooks, err := harvester.NewWebhooks(s.parts, harvester.WebhookOptions{
		Config:               s.plane.Config(controlplane.Admin),
		URL:                  url,
		CA:                   authority.CA(),
		Mux:                  s.internal,
		HarvesterUser:        string(controlplane.Harvester),
		GarbageCollectorUser: string(controlplane.GarbageCollector),
	})
	if err != nil {
		return err
	}
	machines, err := machineadmission.New(ctx, s.plane.Config(controlplane.Simulators), harvester.Namespace)
	if err != nil {
		return err
	}
	machines.Register(s.internal)
	s.internal.Handle(longhornMutationPath, s.longhorn.Mutator())
	s.internal.Handle("/v1beta1/", s.cdi.UploadProxy())
	for _, service := range s.services {
		service.Serve(s.internal)
	}
	if err := s.serveTLS("webhooks", s.internal, s.listeners.internal); err != nil {
		return err
	}
	if err := webhooks.Start(s.parts, machineadmission.Webhook(url, authority.CA()), s.longhorn.Webhook(url+longhornMutationPath, authority.CA())); err != nil {
		return err
	}
	if err := s.startNetwork(url); err != nil {
		return err
	}
	return s.registerServices(s.parts, url)
}

// startNetwork starts the network controller, while Harvester starts too.
func (s *sandbox) startNetwork(url string) error {
	controller, err := network.New(network.Options{
		Config: s.plane.Config(controlplane.Simulators), URL: url, CA: s.plane.Authority().CA(), Mux: s.internal,
		Faults: s.faults, Log: s.log.With("part", "network"), Pace: s.pace,
	})
	if err != nil {
		return err
	}
	s.run("network", controller.Run)
	go func() { s.networked <- controller.Start(s.parts) }()
	return nil
}

func (s *sandbox) startHarvester(ctx context.Context) error {
	config := harvester.WithSubresources(s.plane.Config(controlplane.Harvester), s.listeners.front.Addr().String())
	handler, err := harvester.Start(context.WithoutCancel(ctx), harvester.Options{
		Config:      config,
		Kubeconfig:  s.file(apiServerKubeconfig),
		UploadProxy: s.listeners.internal.Addr().String(),
	})
	if err != nil {
		return err
	}
	return s.startFront(handler)
}

// startControllers starts what works on objects that others delete or create.
func (s *sandbox) startControllers() error {
	if err := <-s.networked; err != nil {
		return fmt.Errorf("network: %w", err)
	}
	if err := s.plane.RunControllers(s.parts); err != nil {
		return err
	}
	s.run("log of images", func(ctx context.Context) error {
		return harvester.LogImages(ctx, s.plane.Config(controlplane.Simulators), s.log)
	})
	return harvester.RunStorageProfiles(s.parts, s.plane.Config(controlplane.Simulators))
}

// run runs a part of the sandbox, which fails if the part does.
func (s *sandbox) run(name string, part func(context.Context) error) {
	s.running.Go(func() {
		if err := part(s.parts); err != nil && s.parts.Err() == nil {
			s.fail(fmt.Errorf("%s: %w", name, err))
		}
	})
}

// fail ends the sandbox; only the first cause counts.
func (s *sandbox) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// await waits for the parts to end.
func (s *sandbox) await(patience time.Duration) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.running.Wait()
	}()
	select {
	case <-done:
	case <-time.After(patience):
	}
}

// say tells the user about a step.
func (s *sandbox) say(format string, arguments ...any) {
	fmt.Fprintf(s.terminal, "[%5.1fs] %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, arguments...))
}

// remember writes what the other commands need to know.
func (s *sandbox) remember(ready bool) error {
	return process.Write(s.dir, process.State{
		PID:       os.Getpid(),
		Started:   s.began,
		Ready:     ready,
		Address:   s.listeners.front.Addr().String(),
		APIServer: s.listeners.apiServer.Addr().String(),
	})
}
