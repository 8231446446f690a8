// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// attempt sends the data once and tells what came of it; wrong is nil if it arrived.
func (f *filler) attempt(ctx context.Context, try int) (came outcome, wrong error) {
	all, wrong := f.send(ctx, *f.offered)
	f.sent = f.sent || all
	return judge(ctx, wrong, all, try), wrong
}

// judge tells what an attempt came to. All says that every byte has left: then a connection that breaks, and a
// server in trouble, leave it open whether they have arrived, and a server that does not go on with them is not
// helped by more of the same.
func judge(ctx context.Context, wrong error, all bool, try int) outcome {
	status, answered := errors.AsType[*transfer.StatusError](wrong)
	stalled := errors.As(wrong, new(*wait.TimeoutError))
	switch {
	case wrong == nil:
		return arrived
	case all && stalled, !worthRetrying(ctx, wrong, try):
		return refused
	case all && (!answered || status.Code >= http.StatusInternalServerError):
		return lost
	}
	return broken
}

// worthRetrying: what the client or the request is to blame for stays broken,
// and a server that has given up does not change its mind. A 401 is believed the
// second time: a proxy that restarts may not know its tokens for a moment.
func worthRetrying(ctx context.Context, err error, try int) bool {
	if kube.Denied(err) {
		return false
	}
	if status, ok := errors.AsType[*transfer.StatusError](err); ok {
		busy := status.Code == http.StatusBadRequest && strings.Contains(status.Body, "already exists")
		return status.Transient() || busy || status.Code == http.StatusUnauthorized && try == 1
	}
	return ctx.Err() == nil && !transport.Final(err) && !errors.As(err, new(*transfer.FileError)) && !errors.As(err, new(*failure)) && !errors.Is(err, errGone)
}

// send transfers the data once. All says that every byte has left, whatever
// became of it.
func (f *filler) send(ctx context.Context, content transfer.Content) (all bool, err error) {
	upload := &transfer.Upload{
		URL:  f.session.Client.ImageURL(f.target.Namespace, f.target.Name),
		Part: f.part(ctx), Content: content,
	}
	ctx, stop := context.WithCancelCause(ctx)
	var supervisor sync.WaitGroup
	supervisor.Go(func() { f.supervise(ctx, stop, upload) })
	err = upload.Send(ctx, f.session.Client.Transfers())
	cause := context.Cause(ctx)
	stop(nil)
	supervisor.Wait() // it reads what changes now
	all = upload.Sent() >= content.Size
	if found, read := upload.Found(); read {
		f.offered = &found
	}
	switch {
	case errors.Is(cause, errArrived):
		f.broke = true
		return all, nil
	case cause != nil:
		return all, cause
	}
	return all, err
}

// errArrived ends a request whose answer is not needed any more.
var errArrived = errors.New("the image is ready")

// supervise logs the progress of an upload and ends it when it stalls. Once all has
// left, only the image counts: its state can say more than a proxy that lost the answer.
func (f *filler) supervise(ctx context.Context, stop context.CancelCauseFunc, upload *transfer.Upload) {
	meter := transfer.NewMeter(upload.Content.Size, f.stall)
	for ctx.Err() == nil {
		wait.Pause(ctx, time.Second)
		sent := upload.Sent()
		line, stalled := meter.Read(sent, sent, time.Now())
		if line != "" {
			tflog.Info(ctx, "Uploading: "+line, map[string]any{"image": f.title()})
		}
		switch {
		case sent >= upload.Content.Size:
			if _, err := f.until(ctx, followed); err == nil {
				wait.Pause(ctx, f.lastWord) // Harvester takes a request that ends before its answer for broken, image ready or not
				stop(errArrived)
			} else {
				stop(err)
			}
			return
		case stalled:
			stop(&wait.TimeoutError{Last: "uploading, " + meter.State(), Stalled: f.stall, Setting: stallSetting})
			return
		}
	}
}

// part is the form part that the backend looks for. CDI's name is understood
// since Harvester 1.7.1; before, the header is cut off whatever it says.
func (f *filler) part(ctx context.Context) string {
	if f.backend != api.BackendCDI || f.session.ServerOlderThan(ctx, 1, 7, 1) {
		return "chunk"
	}
	return "file"
}
