// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package longhorn plays the part of Longhorn that images depend on: it imports, stores, sends and deletes the files of
// backing images, with Longhorn's states, timing and messages, and can be asked to misbehave.
//
// It follows longhorn-manager v1.10.0 and backing-image-manager v1.9.1, with the idle limit of later versions. It keeps
// one copy of a file however many are asked for, because Harvester counts an image as imported only while there is
// exactly one. Files are in Options.Dir; a restore takes its bytes from the file backups/<name> there, <name> being the
// backingImage parameter of the backup's URL.
package longhorn

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/manager"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// Namespace is where Longhorn's objects are.
const Namespace = "longhorn-system"

const (
	finalizer = "longhorn.io"
	// diskUUID and diskPath are those of the one disk there is.
	diskUUID = "0d6ff1f2-5a52-4d5f-8a3c-1d1f1c0b6a11"
	diskPath = "/var/lib/harvester/defaultdisk"
)

// Options is what a Longhorn needs.
type Options struct {
	// Config reaches the Kubernetes API.
	Config *rest.Config
	// Dir is where the files of images are stored.
	Dir string
	// Written opens the disk that somebody has written to a volume. Without it, and where it does not exist, volumes hold
	// what they are made from.
	Written func(volume string) (io.ReadCloser, error)
	// Faults says how to misbehave. Without it there are no faults.
	Faults *faults.Switch
	// Log is where Longhorn logs. Without it, it does not.
	Log *slog.Logger
	// Pace says how fast it works.
	Pace pace.Pace
}

var scheme = manager.Scheme(lhv1beta2.AddToScheme, corev1.AddToScheme)

// Longhorn simulates the backing images of a Longhorn.
type Longhorn struct {
	config  *rest.Config
	api     client.Client
	store   store
	written func(volume string) (io.ReadCloser, error)
	faults  *faults.Switch
	log     *slog.Logger
	pace    pace.Pace
	begin   time.Duration
	idle    time.Duration
	backoff *flowcontrol.Backoff
	news    chan event.GenericEvent // of pods, each about a backing image

	mu   sync.Mutex
	pods map[string]*pod // by the name of their backing image
}

// New returns a Longhorn that does nothing until it is run.
func New(options Options) (*Longhorn, error) {
	api, err := manager.Client(options.Config, scheme)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return newWith(options, api)
}

func newWith(options Options, api client.Client) (*Longhorn, error) {
	if err := os.MkdirAll(options.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("directory of images: %w", err)
	}
	if options.Faults == nil {
		options.Faults = faults.NewSwitch()
	}
	if options.Written == nil {
		options.Written = func(string) (io.ReadCloser, error) { return nil, os.ErrNotExist }
	}
	return &Longhorn{
		config:  options.Config,
		api:     api,
		store:   store{options.Dir},
		written: options.Written,
		faults:  options.Faults,
		log:     manager.Log(options.Log),
		pace:    options.Pace,
		begin:   pace.BeginLimit,
		idle:    pace.IdleLimit,
		backoff: flowcontrol.NewBackOff(pace.RetryBackoff, pace.MaxRetryBackoff),
		news:    make(chan event.GenericEvent, 1024),
		pods:    map[string]*pod{},
	}, nil
}

// Run works until ctx ends.
func (l *Longhorn) Run(ctx context.Context) error {
	defer l.stopAll()
	run, err := manager.New(l.config, scheme, l.log)
	if err != nil {
		return err
	}
	err = builder.ControllerManagedBy(run).Named("backing-images").
		For(&lhv1beta2.BackingImage{}).
		Owns(&lhv1beta2.BackingImageDataSource{}).
		Watches(&lhv1beta2.Volume{}, handler.EnqueueRequestsFromMapFunc(backingImageOf)).
		WatchesRawSource(source.Channel(l.news, &handler.EnqueueRequestForObject{})).
		Complete(manager.Reconciler(l.reconcile))
	if err != nil {
		return fmt.Errorf("controller of backing images: %w", err)
	}
	return run.Start(ctx)
}

// backingImageOf asks for the backing image of a volume: if it is being deleted, it may wait for the volume to go.
func backingImageOf(_ context.Context, volume client.Object) []reconcile.Request {
	name := volume.(*lhv1beta2.Volume).Spec.BackingImage
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: key(name)}}
}

func key(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: Namespace, Name: name}
}

// image gets a backing image.
func (l *Longhorn) image(ctx context.Context, name string) (*lhv1beta2.BackingImage, error) {
	image := &lhv1beta2.BackingImage{}
	return image, l.api.Get(ctx, key(name), image)
}

// source gets the data source of a backing image.
func (l *Longhorn) source(ctx context.Context, name string) (*lhv1beta2.BackingImageDataSource, error) {
	source := &lhv1beta2.BackingImageDataSource{}
	return source, l.api.Get(ctx, key(name), source)
}

// volume gets a volume.
func (l *Longhorn) volume(ctx context.Context, name string) (*lhv1beta2.Volume, error) {
	volume := &lhv1beta2.Volume{}
	return volume, l.api.Get(ctx, key(name), volume)
}

// secret gets a secret.
func (l *Longhorn) secret(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	return secret, l.api.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, secret)
}

// tell asks for another look at a backing image.
func (l *Longhorn) tell(name string) {
	image := &lhv1beta2.BackingImage{}
	image.Namespace, image.Name = Namespace, name
	l.news <- event.GenericEvent{Object: image}
}

func (l *Longhorn) podOf(name string) *pod {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pods[name]
}

// startPod starts the pod of a job, in place of one that may be left of an earlier image of the same name.
func (l *Longhorn) startPod(ctx context.Context, j job) {
	l.stopPod(j.name)
	l.backoff.Next(j.name, time.Now())
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &pod{
		job: j, store: l.store, faults: l.faults, pace: l.pace, begin: l.begin, idle: l.idle,
		log:    l.log.With("backingImage", j.name, "image", j.image.String()),
		notify: func() { l.tell(j.name) },
		ctx:    ctx, cancel: cancel,
	}
	l.mu.Lock()
	l.pods[j.name] = p
	l.mu.Unlock()
	go p.run(l.importer(j.source))
}

func (l *Longhorn) stopPod(name string) {
	l.mu.Lock()
	p := l.pods[name]
	delete(l.pods, name)
	l.mu.Unlock()
	if p != nil {
		p.stop()
	}
}

func (l *Longhorn) stopAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pods {
		p.stop()
	}
}
