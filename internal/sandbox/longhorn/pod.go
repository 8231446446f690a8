// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package longhorn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	lhv1beta2 "github.com/longhorn/longhorn-manager/k8s/pkg/apis/longhorn/v1beta2"
	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/faults"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// beginTimeout is the message of a data source whose first byte never came.
const beginTimeout = "timeout waiting for the datasource file processing begin"

// job is the import of one backing image.
type job struct {
	name, uuid string
	image      types.NamespacedName // the Harvester image it is for, by which faults are set
	source     lhv1beta2.BackingImageDataSourceType
	parameters map[string]string
	checksum   string // that the file has to have; empty: any
}

// fileInfo is what the pod of a data source says of the file it prepares.
type fileInfo struct {
	fileMeta
	State    lhv1beta2.BackingImageState
	Progress int
	Message  string
}

// pod plays the pod of a data source: it imports one file, and can be asked how far it is.
type pod struct {
	job
	store  store
	faults *faults.Switch
	pace   pace.Pace
	begin  time.Duration
	idle   time.Duration
	log    *slog.Logger
	notify func() // called when there is something new to see

	ctx    context.Context
	cancel context.CancelFunc

	mu        sync.Mutex
	file      fileInfo
	processed int64
	claimed   bool // an upload has begun
	seen      fileInfo
}

// run lives as long as the pod. importFile brings the bytes in; an upload has none, its bytes come by upload.
func (p *pod) run(importFile func(context.Context, *pod) error) {
	if !pace.Wait(p.ctx, p.pace.PodStart()) {
		return
	}
	p.start()
	giveUp := time.AfterFunc(p.begin, p.giveUp)
	defer giveUp.Stop()
	if importFile != nil {
		go func() { _ = p.finish(p.ctx, importFile(p.ctx, p)) }()
	}
	p.observe()
	for pace.Wait(p.ctx, p.pace.Poll()) {
		p.observe()
	}
}

func (p *pod) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file.State = lhv1beta2.BackingImageStateStarting
	if p.source == lhv1beta2.BackingImageDataSourceTypeUpload {
		p.file.State = lhv1beta2.BackingImageStatePending
	}
}

// giveUp fails a data source that has not seen a byte yet.
func (p *pod) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file.State == lhv1beta2.BackingImageStatePending || p.file.State == lhv1beta2.BackingImageStateStarting {
		p.file.State, p.file.Message = lhv1beta2.BackingImageStateFailed, beginTimeout
		p.log.Info("import failed", "message", beginTimeout)
	}
}

// observe does what Longhorn does at every poll: it looks at the file, and takes a file over that it has seen finished.
func (p *pod) observe() {
	hold := p.hold()
	p.mu.Lock()
	before := p.seen
	p.seen = nextSeen(p.seen, p.file, hold)
	changed := p.seen != before
	p.mu.Unlock()
	if changed {
		p.notify()
	}
}

// nextSeen is what Longhorn sees of a file next, when it has seen some of it already.
func nextSeen(seen, file fileInfo, hold *int) fileInfo {
	if hold != nil {
		file.Progress = min(file.Progress, *hold)
	}
	if file.State == lhv1beta2.BackingImageStateReadyForTransfer &&
		(seen.State == lhv1beta2.BackingImageStateReadyForTransfer || seen.State == lhv1beta2.BackingImageStateReady) {
		file.State = lhv1beta2.BackingImageStateReady
	}
	return file
}

// observed is what Longhorn has last seen of the file.
func (p *pod) observed() fileInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// claim reserves the pod for one upload of so many bytes.
func (p *pod) claim(size int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.claimed {
		return fmt.Errorf("file /data/tmp/%s-%s already exists", p.name, p.uuid)
	}
	if p.file.State != lhv1beta2.BackingImageStatePending {
		return fmt.Errorf("invalid state %v for actual processing", p.file.State)
	}
	p.claimed = true
	p.file.Size = size
	p.file.State = lhv1beta2.BackingImageStateStarting
	return nil
}

// expect sets the size of the file to come.
func (p *pod) expect(size int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file.Size = size
}

// advance counts bytes that have come.
func (p *pod) advance(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file.State == lhv1beta2.BackingImageStateStarting {
		p.file.State = lhv1beta2.BackingImageStateInProgress
	}
	p.processed += n
	p.file.Progress = percent(p.processed, p.file.Size)
}

func percent(done, all int64) int {
	if all <= 0 {
		return 0
	}
	return int(float64(done) / float64(all) * 100)
}

// hold is the progress at which a fault holds the import, if there is one.
func (p *pod) hold() *int { return p.faults.For(p.image.Namespace, p.image.Name).HoldProgress }

// transfer is how bytes get into the file of this pod.
func (p *pod) transfer() transfer {
	return transfer{idle: p.idle, held: func() bool { return p.hold() != nil }, advance: p.advance}
}

// finish ends an import whose bytes are there, or that failed. As in Longhorn, it returns before the checksum is known:
// that is found out in the background, because it takes longer than a client waits.
//
// A fault that holds the import holds it here: the bytes have been taken in, but the import does not say so. ctx is the
// one of the client that waits for it.
func (p *pod) finish(ctx context.Context, err error) error {
	if err == nil {
		err = p.awaitRelease(ctx)
	}
	if err == nil {
		err = p.checkSize()
	}
	if err != nil {
		p.fail("failed to process sync file: " + err.Error())
		return err
	}
	go p.verify()
	return nil
}

func (p *pod) awaitRelease(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	if p.faults.AwaitRelease(ctx, p.image.Namespace, p.image.Name) != nil {
		return errors.New("failed to copy the data with timeout: unexpected EOF")
	}
	return nil
}

func (p *pod) checkSize() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file.State == lhv1beta2.BackingImageStateFailed {
		return errors.New(p.file.Message)
	}
	if p.file.Size > 0 && p.processed != p.file.Size {
		return fmt.Errorf("processed data size %v does not match the expected file size %v", p.processed, p.file.Size)
	}
	return nil
}

// verify makes a file whose bytes are there a finished one, unless it is not the expected one.
func (p *pod) verify() {
	if message, fail := p.faults.TakeFailure(p.image.Namespace, p.image.Name); fail {
		p.fail(message)
		return
	}
	if err := p.damage(); err != nil {
		p.fail("failed to process sync file: " + err.Error())
		return
	}
	meta, err := inspect(p.ctx, p.store.tmpPath(p.name, p.uuid))
	if err == nil && p.checksum != "" && p.checksum != meta.Checksum {
		err = fmt.Errorf("the expected checksum %v doesn't match the file actual checksum %v", p.checksum, meta.Checksum)
	}
	if err == nil {
		err = p.complete(meta)
	}
	if err != nil {
		p.fail("failed to process sync file: " + err.Error())
	}
}

func (p *pod) complete(meta fileMeta) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A pod that has been stopped in the meantime must not bring a removed file back.
	if err := p.ctx.Err(); err != nil {
		return err
	}
	if p.file.State == lhv1beta2.BackingImageStateFailed {
		return nil
	}
	if err := p.store.commit(p.name, p.uuid, meta); err != nil {
		return err
	}
	p.file.fileMeta = meta
	p.file.Progress = 100
	p.file.State = lhv1beta2.BackingImageStateReadyForTransfer
	return nil
}

func (p *pod) fail(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file.State == lhv1beta2.BackingImageStateFailed {
		return
	}
	p.file.State, p.file.Message = lhv1beta2.BackingImageStateFailed, message
	p.log.Info("import failed", "message", message)
	if err := p.store.discard(p.name, p.uuid); err != nil {
		p.log.Error("cannot remove the file of a failed import", "error", err)
	}
}

// stop ends the pod. When it returns, the pod adds no file any more.
func (p *pod) stop() {
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
}
