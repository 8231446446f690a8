// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package virtualmachine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-log/tflog"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// goalOf is what the run strategy wants to see; nil if it wants nothing, as with
// Manual.
func goalOf(m *model, restarted string) *goal {
	switch kubevirtv1.VirtualMachineRunStrategy(m.RunStrategy.ValueString()) {
	case kubevirtv1.RunStrategyAlways, kubevirtv1.RunStrategyRerunOnFailure:
		return &goal{running: true, not: restarted}
	case kubevirtv1.RunStrategyHalted:
		return &goal{}
	default:
		return nil
	}
}

// await waits until the machine has reached the goal. Left says what state
// things are in if it has not.
func (r *Resource) await(ctx context.Context, m *model, g *goal, left string) diag.Diagnostics {
	if g == nil {
		return nil
	}
	return r.watch(ctx, m, *g, left, nil)
}

// watch is await, with somebody to hear of each step; nil if there is nobody.
func (r *Resource) watch(ctx context.Context, m *model, g goal, left string, hear func(string)) diag.Diagnostics {
	w := newWatcher(r, m.Namespace.ValueString(), m.Name.ValueString())
	w.hear = hear
	err := w.run(ctx, g)
	if err == nil {
		return nil
	}
	ctx, cancel := wait.Afterwards(ctx)
	defer cancel()
	doing := "stop"
	if g.running {
		doing = "start"
	}
	hints := strings.Join(r.hints(ctx, w.machine()), "\n")
	if failed := (*failedError)(nil); errors.As(err, &failed) {
		detail := fmt.Sprintf("The %s did not %s: %s.", m.title(), doing, strings.TrimSuffix(failed.Error(), "."))
		return diag.Diagnostics{diag.NewErrorDiagnostic("Virtual machine failed", diagnose.Paragraphs(detail, hints, left))}
	}
	return diag.Diagnostics{diagnose.API(doing, m.title(), diagnose.Paragraphs(hints, left), err)}
}

// failedError says that the goal cannot be reached any more.
type failedError struct{ reason string }

func (e *failedError) Error() string { return e.reason }

// watcher follows a machine and its instance together.
type watcher struct {
	resource        *Resource
	namespace, name string
	started         time.Time
	hear            func(string)

	changed chan struct{} // holds one token while there is something new

	mu  sync.Mutex
	vm  *kubevirtv1.VirtualMachine
	vmi *kubevirtv1.VirtualMachineInstance
}

func newWatcher(r *Resource, namespace, name string) *watcher {
	return &watcher{resource: r, namespace: namespace, name: name, started: time.Now(), changed: make(chan struct{}, 1)}
}

// heartbeat is how often a watcher looks at the clock, and lag how long it
// waits for KubeVirt to notice a change when all is well otherwise.
const (
	heartbeat = time.Second
	lag       = 5 * time.Second
)

func (w *watcher) run(ctx context.Context, g goal) error {
	following, stop := context.WithCancel(ctx)
	defer stop()
	seen, err := pair(ctx, w.namespace, w.name, w.resource.machines.Get, w.resource.instances.Get)
	if err != nil {
		return err
	}
	w.vm, w.vmi = seen.vm, seen.vmi
	broken := make(chan error, 2)
	w.follow(following, broken)
	clock := time.NewTicker(heartbeat)
	defer clock.Stop()
	var spell trouble
	last := ""
	for {
		now := w.judge(g)
		if now.message != last {
			last = now.message
			tflog.Info(ctx, "Waiting for the virtual machine", map[string]any{"name": w.namespace + "/" + w.name, "status": last})
			if w.hear != nil {
				w.hear(last)
			}
		}
		err := spell.check(now, time.Now())
		if err != nil || now.done && (!now.lagging || time.Since(w.started) > lag) {
			return err
		}
		select {
		case <-ctx.Done():
			return w.ended(ctx, last)
		case err := <-broken:
			if ctx.Err() == nil {
				return err
			}
		case <-w.changed:
		case <-clock.C:
		}
	}
}

// trouble remembers since when a machine has been in it.
type trouble struct {
	status string
	since  time.Time
}

// check returns an error when the goal cannot be reached, or trouble has lasted for
// longer than it may.
func (t *trouble) check(v verdict, now time.Time) error {
	switch {
	case v.failed != nil:
		return &failedError{v.failed.Error()}
	case v.trouble == "":
		*t = trouble{}
	case t.since.IsZero():
		*t = trouble{v.trouble, now}
	case now.Sub(t.since) >= v.patience:
		return &failedError{v.trouble}
	}
	return nil
}

func (w *watcher) machine() *kubevirtv1.VirtualMachine {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.vm
}

func (w *watcher) judge(g goal) verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	return g.judge(w.vm, w.vmi)
}

func (w *watcher) ended(ctx context.Context, last string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &wait.TimeoutError{Last: last, Waited: time.Since(w.started)}
	}
	return ctx.Err()
}

// follow keeps machine and instance up to date until the context ends. What
// breaks it, a right that is missing for example, goes to broken.
func (w *watcher) follow(ctx context.Context, broken chan<- error) {
	until := func(target wait.Target, see func(*unstructured.Unstructured) error) {
		_, err := w.resource.Session.Hub.Until(ctx, target, func(object *unstructured.Unstructured) (wait.Progress, error) {
			return wait.Progress{}, see(object)
		}, wait.Options{})
		broken <- err
	}
	go until(wait.Target{Resource: api.VirtualMachines, Namespace: w.namespace, Name: w.name, UID: w.vm.UID}, w.seeMachine)
	go until(wait.Target{Resource: api.VirtualMachineInstances, Namespace: w.namespace, Name: w.name}, w.seeInstance)
}

func (w *watcher) seeMachine(object *unstructured.Unstructured) error {
	vm, err := decoded[kubevirtv1.VirtualMachine](object)
	w.mu.Lock()
	defer w.mu.Unlock()
	// A shared feed can lag behind what was written a moment ago.
	if vm == nil || w.vm == nil || vm.Generation >= w.vm.Generation {
		w.vm = vm
	}
	w.tell()
	return err
}

func (w *watcher) seeInstance(object *unstructured.Unstructured) error {
	vmi, err := decoded[kubevirtv1.VirtualMachineInstance](object)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.vmi = vmi
	w.tell()
	return err
}

func (w *watcher) tell() {
	select {
	case w.changed <- struct{}{}:
	default: // the token is there
	}
}

func decoded[T any](object *unstructured.Unstructured) (*T, error) {
	if object == nil {
		return nil, nil
	}
	return kube.Decode[T](object)
}
