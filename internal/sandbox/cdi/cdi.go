// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package cdi plays the part of CDI, the containerized data importer, that images depend on: it makes the claims of data
// volumes and fills them by download, upload or copy, and serves the disks of images for download, with CDI's states and
// messages, and can be asked to misbehave.
//
// It follows CDI v1.64.0 where that works without volume populators: a claim is bound first and filled then. It has no
// pods and reads raw and qcow2 disks, also in gzip, but no other formats. The disks are in Options.Dir.
package cdi

import (
	"context"
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	harvesterv1 "github.com/harvester/harvester/pkg/apis/harvesterhci.io/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	cdiv1 "kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// Options is what a CDI needs.
type Options struct {
	// Config reaches the Kubernetes API.
	Config *rest.Config
	// Dir is where the disks are stored.
	Dir string
	// Disk opens the disk of a volume that CDI has not filled.
	Disk func(ctx context.Context, volume string) (io.ReadCloser, error)
	// Faults says how to misbehave. Without it there are no faults.
	Faults *faults.Switch
	// Log is where CDI logs. Without it, it does not.
	Log *slog.Logger
	// Pace says how fast it works.
	Pace pace.Pace
}

var scheme = manager.Scheme(corev1.AddToScheme, storagev1.AddToScheme, appsv1.AddToScheme, cdiv1.AddToScheme, harvesterv1.AddToScheme)

// CDI simulates the data volumes of a CDI.
type CDI struct {
	config *rest.Config
	api    client.Client
	store  store
	disk   func(ctx context.Context, volume string) (io.ReadCloser, error)
	faults *faults.Switch
	events record.EventRecorder
	log    *slog.Logger
	pace   pace.Pace
	key    func() (*rsa.PrivateKey, error) // signs the tokens of uploads
	news   chan event.GenericEvent         // of pods, each about a data volume

	mu   sync.Mutex
	pods map[types.NamespacedName]*pod // by their claim
}

// New returns a CDI that does nothing until it is run.
func New(options Options) (*CDI, error) {
	api, err := manager.Client(options.Config, scheme)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return newWith(options, api)
}

func newWith(options Options, api client.Client) (*CDI, error) {
	if err := os.MkdirAll(options.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("directory of disks: %w", err)
	}
	if options.Faults == nil {
		options.Faults = faults.NewSwitch()
	}
	return &CDI{
		config: options.Config,
		api:    api,
		store:  store{options.Dir},
		disk:   options.Disk,
		faults: options.Faults,
		log:    manager.Log(options.Log),
		pace:   options.Pace,
		key:    sync.OnceValues(newKey),
		news:   make(chan event.GenericEvent, 1024),
		pods:   map[types.NamespacedName]*pod{},
	}, nil
}

// Run works until ctx ends.
func (c *CDI) Run(ctx context.Context) error {
	defer c.stopAll()
	run, err := manager.New(c.config, scheme, c.log)
	if err != nil {
		return err
	}
	c.events = run.GetEventRecorderFor("datavolume-controller")
	err = builder.ControllerManagedBy(run).Named("data-volumes").
		For(&cdiv1.DataVolume{}).
		// A claim has the name of its data volume.
		Watches(&corev1.PersistentVolumeClaim{}, &handler.EnqueueRequestForObject{}).
		WatchesRawSource(source.Channel(c.news, &handler.EnqueueRequestForObject{})).
		Complete(manager.Reconciler(c.reconcile))
	if err != nil {
		return fmt.Errorf("controller of data volumes: %w", err)
	}
	err = builder.ControllerManagedBy(run).Named("downloaders").
		For(&appsv1.Deployment{}).
		Complete(manager.Reconciler(c.reconcileDownloader))
	if err != nil {
		return fmt.Errorf("controller of downloaders: %w", err)
	}
	return run.Start(ctx)
}

// tell asks for another look at a data volume.
func (c *CDI) tell(at types.NamespacedName) {
	data := &cdiv1.DataVolume{}
	data.Namespace, data.Name = at.Namespace, at.Name
	c.news <- event.GenericEvent{Object: data}
}

func (c *CDI) podOf(at types.NamespacedName) *pod {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pods[at]
}

// startPod starts the pod that fills a claim.
func (c *CDI) startPod(ctx context.Context, j job) *pod {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &pod{
		job: j, store: c.store, faults: c.faults, pace: c.pace,
		log:    c.log.With("dataVolume", j.claim.String()),
		notify: func() { c.tell(j.claim) },
		ctx:    ctx, cancel: cancel,
	}
	c.mu.Lock()
	c.pods[j.claim] = p
	c.mu.Unlock()
	go p.run(c.filler(j))
	return p
}

func (c *CDI) stopPod(at types.NamespacedName) {
	c.mu.Lock()
	p := c.pods[at]
	delete(c.pods, at)
	c.mu.Unlock()
	if p != nil {
		p.stop()
	}
}

func (c *CDI) stopAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pods {
		p.stop()
	}
}
