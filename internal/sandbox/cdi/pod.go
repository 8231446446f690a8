// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	cdiv1 "kubevirt.io/containerized-data-importer-api/pkg/apis/core/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// errStopped is why a pod that was stopped does not finish.
var errStopped = errors.New("the pod has been stopped")

// job is the filling of one claim.
type job struct {
	kind   kind
	claim  types.NamespacedName
	uid    types.UID
	size   int64                // that a disk may have
	image  bool                 // it is for a Harvester image, whose name the claim has and by which faults are set
	url    string               // to download from
	source types.NamespacedName // the claim to copy
}

func jobOf(data *cdiv1.DataVolume, claim *corev1.PersistentVolumeClaim) job {
	j := job{
		kind: kindOf(data), claim: client.ObjectKeyFromObject(claim), uid: claim.UID,
		size: claim.Status.Capacity.Storage().Value(), image: isImage(data),
	}
	if !isBlock(claim.Spec.VolumeMode) {
		asked := specOf(data).Resources
		j.size = asked.Requests.Storage().Value()
	}
	switch j.kind {
	case downloaded:
		j.url = data.Spec.Source.HTTP.URL
	case copied:
		j.source = sourceOf(data)
	}
	return j
}

// pod plays the pod that fills a claim: an importer, a cloner or a server for an upload.
type pod struct {
	job
	store  store
	faults *faults.Switch
	pace   pace.Pace
	log    *slog.Logger
	notify func() // called when there is something new to see

	ctx    context.Context
	cancel context.CancelFunc

	mu        sync.Mutex
	state     podState
	uploading bool
	done      bool
	read, all int64 // how far a download is
}

// run lives as long as the pod. fill fills the claim; an upload has none, its bytes come by upload.
func (p *pod) run(fill func(context.Context, *pod) error) {
	p.change(podState{phase: corev1.PodPending, reason: podPending})
	if !pace.Wait(p.ctx, p.pace.PodStart()) {
		return
	}
	p.change(podState{phase: corev1.PodRunning, running: true, reason: podRunning})
	if fill == nil {
		return
	}
	go p.report()
	for p.ctx.Err() == nil && !p.attempt(fill) {
		pace.Wait(p.ctx, p.pace.Restart())
		p.restart()
	}
}

// report asks for looks at the progress until the pod is done.
func (p *pod) report() {
	for pace.Wait(p.ctx, p.pace.Poll()) {
		p.notify()
	}
}

// attempt tries to fill the claim and says whether there is nothing left to do.
func (p *pod) attempt(fill func(context.Context, *pod) error) bool {
	err := fill(p.ctx, p)
	if err == nil {
		err = p.finish()
	}
	if err == nil || p.ctx.Err() != nil {
		return true
	}
	p.log.Info("import failed", "error", err)
	p.mu.Lock()
	p.state.running, p.state.reason, p.state.message = false, podFailed, simplified(err)
	p.mu.Unlock()
	p.notify()
	return false
}

func (p *pod) restart() {
	p.mu.Lock()
	p.state.restarts++
	p.state.running, p.state.reason, p.state.message = true, podRunning, ""
	p.read = 0
	p.mu.Unlock()
	p.notify()
}

func (p *pod) change(state podState) {
	p.mu.Lock()
	p.state = state
	p.mu.Unlock()
	p.notify()
}

// observed is what the pod shows.
func (p *pod) observed() podState {
	hold := p.hold()
	p.mu.Lock()
	defer p.mu.Unlock()
	state := p.state
	if state.phase == corev1.PodRunning {
		state.progress = progress(p.read, p.all, hold)
	}
	return state
}

// progress words how far a download is, empty if nobody knows. A fault may hold it.
func progress(read, all int64, hold *int) string {
	if all <= 0 {
		return ""
	}
	percent := min(float64(read)/float64(all)*100, 100)
	if hold != nil {
		percent = min(percent, float64(*hold))
	}
	return fmt.Sprintf("%.2f%%", percent)
}

func (p *pod) expect(all int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = all
}

func (p *pod) advance(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read += int64(n)
}

// hold is the progress at which a fault holds the import, if there is one.
func (p *pod) hold() *int {
	if !p.image {
		return nil
	}
	return p.faults.For(p.claim.Namespace, p.claim.Name).HoldProgress
}

// spoil does to a disk that is there what the faults of its image ask for: it waits, or fails.
func (p *pod) spoil() error {
	if !p.image {
		return nil
	}
	if p.faults.AwaitRelease(p.ctx, p.claim.Namespace, p.claim.Name) != nil {
		return errStopped
	}
	if message, fail := p.faults.TakeFailure(p.claim.Namespace, p.claim.Name); fail {
		return errors.New(message)
	}
	return nil
}

// finish makes the disk that is there a finished one.
func (p *pod) finish() error {
	if err := p.spoil(); err != nil {
		p.store.discard(p.uid)
		return err
	}
	p.mu.Lock()
	// A pod that has been stopped in the meantime must not bring a removed disk back.
	err := p.ctx.Err()
	if err == nil {
		err = p.store.commit(p.uid)
	}
	if err == nil {
		p.done = true
		p.state = podState{phase: corev1.PodSucceeded, restarts: p.state.restarts, reason: completed, message: farewells[p.kind]}
	}
	p.mu.Unlock()
	p.notify()
	return err
}

// stop ends the pod. When it returns, the pod finishes no disk any more.
func (p *pod) stop() {
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
}
