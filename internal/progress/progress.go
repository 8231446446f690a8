// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package progress draws the images that a cluster is importing, as bars that
// move, until interrupted. A Terraform resource has no way to show progress
// itself, so this runs beside it: terraform-provider-harvester watch.
package progress

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/redact"
	"github.com/harvester-community/terraform-provider-harvester/internal/units"
)

// view shows images as they change.
type view interface {
	show(object any)
	drop(object any)
}

// Watch draws the images of a namespace (all, if empty) that are being imported
// until the context ends: as bars that move on a terminal, else as lines. It returns nil then, and an error if the images cannot be read at all.
func Watch(ctx context.Context, client dynamic.Interface, namespace string, out io.Writer, terminal bool) error {
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(client, 0, namespace, nil)
	informer := factory.ForResource(api.Images).Informer()
	failed := make(chan error, 1)
	if err := informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if !informer.HasSynced() {
			select {
			case failed <- err:
			default:
			}
		}
	}); err != nil {
		return err
	}
	var board view = newLines(out)
	if terminal {
		board = newBoard(mpb.NewWithContext(ctx, mpb.WithOutput(out), mpb.WithAutoRefresh()))
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { board.show(object) },
		UpdateFunc: func(_, object any) { board.show(object) },
		DeleteFunc: func(object any) { board.drop(object) },
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// probe looks whether the images can be read: Watch itself tries again and again to reach a cluster, without a word.
func probe(ctx context.Context, client dynamic.Interface, namespace string) error {
	_, err := client.Resource(api.Images).Namespace(namespace).List(ctx, metav1.ListOptions{Limit: 1})
	return err
}

// board has a bar for each image that is being imported.
type board struct {
	progress *mpb.Progress

	mu   sync.Mutex
	rows map[string]*row
}

type row struct {
	bar   *mpb.Bar
	image imagestate.Image
	total int64 // bytes; 100 (percent) if the size is not known
	began time.Time
	from  int64 // where it stood when first seen
}

func newBoard(progress *mpb.Progress) *board {
	return &board{progress: progress, rows: map[string]*row{}}
}

// show brings an image's bar up to date. Images that were ready when first seen have none.
func (b *board) show(object any) {
	image, size, ok := read(object)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rows[image.UID]
	if r == nil {
		if image.Ready() || image.Terminal {
			return
		}
		r = b.add(image, size)
	}
	r.image = image
	r.bar.SetCurrent(r.total * image.Progress / 100)
	if image.Ready() || image.Terminal {
		delete(b.rows, image.UID)
		r.bar.Abort(false) // the bar stays as it is, with its last word
	}
}

func (b *board) drop(object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	image, _, ok := read(object)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.rows[image.UID]; r != nil {
		delete(b.rows, image.UID)
		r.bar.Abort(true)
	}
}

func (b *board) add(image imagestate.Image, size int64) *row {
	r := &row{image: image, total: max(size, 0), began: time.Now()}
	if r.total == 0 {
		r.total = 100
	}
	r.from = r.total * image.Progress / 100
	r.bar = b.progress.AddBar(r.total,
		mpb.BarWidth(30),
		mpb.PrependDecorators(decor.Name(redact.Line(image.ID()), decor.WCSyncSpaceR), decor.Any(b.status(r), decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(b.pace(r, size > 0))),
	)
	r.bar.SetCurrent(r.from)
	b.rows[image.UID] = r
	return r
}

// status is the state in a few words, or what went wrong.
func (b *board) status(r *row) decor.DecorFunc {
	return func(decor.Statistics) string {
		b.mu.Lock()
		defer b.mu.Unlock()
		if r.image.Message != "" {
			return fmt.Sprintf("%s (%.60s)", r.image.State, redact.Line(r.image.Message))
		}
		return string(r.image.State)
	}
}

// pace is how far it is, how fast, and how long it will take.
func (b *board) pace(r *row, bytes bool) decor.DecorFunc {
	return func(s decor.Statistics) string {
		return pace(s.Current, r.total, s.Current-r.from, time.Since(r.began), bytes)
	}
}

// pace describes current of total, done of which took so long.
func pace(current, total, done int64, took time.Duration, bytes bool) string {
	text := fmt.Sprintf("%3d %%", 100*current/total)
	rate := float64(done) / max(took.Seconds(), 0.001)
	if bytes {
		text += fmt.Sprintf("  %s of %s  %s/s", units.Bytes(current), units.Bytes(total), units.Bytes(int64(rate)))
	}
	if done > 0 && current < total {
		left := time.Duration(float64(total-current) / rate * float64(time.Second))
		text += fmt.Sprintf("  %s left", left.Round(time.Second))
	}
	return text
}

// read returns the image and, if known, how many bytes it will have.
func read(object any) (image imagestate.Image, size int64, ok bool) {
	raw, ok := object.(*unstructured.Unstructured)
	if !ok {
		return image, 0, false
	}
	decoded, err := kube.Decode[api.VirtualMachineImage](raw)
	if err != nil {
		return image, 0, false
	}
	image = imagestate.Of(decoded)
	size = image.Size
	if announced, err := strconv.ParseInt(decoded.Annotations[api.AnnotationSize], 10, 64); err == nil && size == 0 {
		size = announced
	}
	return image, size, true
}
