// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// sends is how often the data of one upload is sent at most. To an image of
// the backend cdi it can be sent once only: the next apply makes a new one.
const sends = 5

// errGone says that the image vanished while it was waited for.
var errGone = errors.New("it was deleted by someone else")

// failure is an import that the server gave up, or that it will not finish
// without different data.
type failure struct {
	image imagestate.Image
	// before is the last thing the server said earlier that was not about clearing away.
	before string
}

// Error is what the server says. Harvester counts its own clearing away after a
// failure as another one, so the cause can be in what it said before.
func (f *failure) Error() string {
	if clearing(f.image.Message) && f.before != "" {
		return f.image.Message + "; before that: " + f.before
	}
	return f.image.Message
}

// errCleared says that Harvester began anew after the data had arrived, because it had
// not seen yet what it had made itself. It wants the data again.
var errCleared = errors.New("Harvester began anew and wants the data again")

func clearing(message string) bool { return strings.HasSuffix(message, "is being deleted") }

// discarded is why an incomplete image was deleted, which is then as gone as one
// that others deleted.
type discarded struct{ error }

func (d discarded) Unwrap() error { return d.error }

func (d discarded) Is(target error) bool { return target == errGone }

// filler brings one image to Active: it sends the data if the server wants any,
// and follows the server's status.
type filler struct {
	session *session.Session
	images  kube.Resource[api.VirtualMachineImage]
	target  wait.Target
	backend string
	// content provides what is to be sent; nil if the data comes from elsewhere.
	content func(context.Context) (*transfer.Content, error)
	// offered is what was sent, or begun to be.
	offered *transfer.Content
	stall   time.Duration
	// sent is called once when all data has left.
	sent func()
	// told is the last cause of a failure that the server named.
	told atomic.Value
}

// fill returns the image as last seen, nil if never, and an error unless it is Active.
func (f *filler) fill(ctx context.Context) (*api.VirtualMachineImage, error) {
	if f.content == nil {
		return f.until(ctx, followed)
	}
	for try := 1; ; try++ {
		image, err := f.until(ctx, receptive)
		if err != nil || imagestate.Of(image).Ready() {
			return image, err
		}
		content, err := f.content(ctx)
		if err != nil {
			return image, err
		}
		f.offered = content
		all, broken := f.send(ctx, *content)
		if broken == nil {
			f.sent()
		}
		if broken == nil {
			image, err = f.until(ctx, verified(image.Status.Failed))
			if errors.Is(err, errCleared) && try < sends {
				continue
			}
			return image, err
		}
		if f.backend == api.BackendCDI && all && worthRetrying(ctx, broken, try) {
			// CDI answers only when it has converted the data, which takes longer than
			// proxies wait. It goes on without them.
			f.sent()
			return f.until(ctx, followed)
		}
		tflog.Warn(ctx, "The upload broke", map[string]any{"image": f.title(), "try": try, "cause": diagnose.Said(broken)})
		if try == sends || f.backend == api.BackendCDI || !worthRetrying(ctx, broken, try) {
			return f.afterBroken(ctx, image, broken)
		}
		if all && lost(broken) {
			// A proxy may have all the data and Harvester be about to begin with it: a second
			// upload at the same time would make Harvester take the good first one for failed.
			_, _ = f.watch(ctx, underWay, settle)
			continue
		}
		wait.Pause(ctx, time.Second<<try)
	}
}

// settle is how long an upload that arrived may show no sign of life. Harvester
// looks for Longhorn's pod every 2 s before it begins.
const settle = 8 * time.Second

// lost: what became of the data is not known.
func lost(broken error) bool {
	status, ok := errors.AsType[*transfer.StatusError](broken)
	return !ok || status.Code == http.StatusBadGateway || status.Code == http.StatusGatewayTimeout
}

// underWay waits until the server has begun, or ended, with the data it has.
func underWay(image imagestate.Image) (bool, error) { return !image.AwaitsData, nil }

// send transfers the data once. All says that every byte has left, whatever
// became of it.
func (f *filler) send(ctx context.Context, content transfer.Content) (all bool, err error) {
	upload := &transfer.Upload{
		URL:  f.session.Client.ImageURL(f.target.Namespace, f.target.Name),
		Part: f.part(ctx), Content: content,
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go f.supervise(ctx, stop, upload)
	err = upload.Send(ctx, f.session.Client.Transfers())
	all = upload.Sent() >= content.Size
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errArrived):
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
	meter := newMeter(upload.Content.Size, f.stall)
	for ctx.Err() == nil {
		wait.Pause(ctx, time.Second)
		line, stalled := meter.read(upload.Sent(), time.Now())
		if line != "" {
			tflog.Info(ctx, "Uploading: "+line, map[string]any{"image": f.title()})
		}
		switch {
		case upload.Sent() >= upload.Content.Size:
			if _, err := f.watch(ctx, followed, 0); err == nil {
				stop(errArrived)
			} else {
				stop(err)
			}
			return
		case stalled:
			stop(&wait.TimeoutError{Last: "uploading, " + meter.percent(), Stalled: f.stall})
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

// worthRetrying: what the client or the request is to blame for stays broken,
// and a server that has given up does not change its mind. A 401 is believed the
// second time: a proxy that restarts may not know its tokens for a moment.
func worthRetrying(ctx context.Context, err error, try int) bool {
	if status, ok := errors.AsType[*transfer.StatusError](err); ok {
		busy := status.Code == http.StatusBadRequest && strings.Contains(status.Body, "already exists")
		return status.Transient() || busy || status.Code == http.StatusUnauthorized && try == 1
	}
	return ctx.Err() == nil && !transport.Final(err) && !errors.As(err, new(*transfer.FileError)) && !errors.As(err, new(*failure)) && !errors.Is(err, errGone)
}

// afterBroken looks at the image a last time: it knows the cause better than
// the broken connection does, and the data may have arrived after all. What a file
// that changed has left behind is removed, for it would be taken for the whole.
func (f *filler) afterBroken(ctx context.Context, image *api.VirtualMachineImage, broken error) (*api.VirtualMachineImage, error) {
	if errors.As(broken, new(*transfer.FileError)) {
		return image, f.discard(ctx, broken)
	}
	if ctx.Err() != nil {
		return image, broken
	}
	latest, err := f.images.Get(ctx, f.target.Namespace, f.target.Name)
	if err != nil || latest.UID != f.target.UID {
		return image, broken
	}
	state := imagestate.Of(latest)
	switch {
	case state.Ready():
		return latest, nil
	case state.Message != "" && !errors.As(broken, new(*failure)):
		return latest, fmt.Errorf("%w (Harvester says: %s)", broken, state.Message)
	}
	return latest, broken
}

// discard deletes the image, also when the run was interrupted.
func (f *filler) discard(ctx context.Context, broken error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := f.images.Delete(ctx, f.target.Namespace, f.target.Name, f.target.UID)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("%w (and the incomplete image could not be deleted: %w)", broken, err)
	}
	return discarded{broken}
}

// goal decides when to stop waiting.
type goal func(imagestate.Image) (done bool, err error)

// followed waits for Active. Harvester's own retries are waited out.
func followed(image imagestate.Image) (bool, error) {
	switch {
	case image.Ready():
		return true, nil
	case image.State == imagestate.Terminating:
		return false, errGone
	case image.Terminal:
		return false, &failure{image: image}
	}
	return false, nil
}

// receptive waits until the server wants data (or has it all). While an earlier transfer
// is still being digested it ends in Active or starts over at 0 %.
func receptive(image imagestate.Image) (bool, error) {
	if done, err := followed(image); done || err != nil {
		return done, err
	}
	return image.AwaitsData, nil
}

// verified waits for Active after all data were accepted. One more failure means
// that the server refused what it got; it would refuse the same data again.
func verified(failedBefore int64) goal {
	return func(image imagestate.Image) (bool, error) {
		if done, err := followed(image); done || err != nil {
			return done, err
		}
		switch {
		case image.Attempts > failedBefore && clearing(image.Message):
			return false, errCleared
		case image.Attempts > failedBefore:
			return false, &failure{image: image}
		}
		return false, nil
	}
}

// until watches the image until the goal is reached or nothing moves.
func (f *filler) until(ctx context.Context, reached goal) (*api.VirtualMachineImage, error) {
	return f.watch(ctx, reached, f.stall)
}

func (f *filler) watch(ctx context.Context, reached goal, stall time.Duration) (*api.VirtualMachineImage, error) {
	object, err := f.session.Hub.Until(ctx, f.target, func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		image, err := kube.Decode[api.VirtualMachineImage](object)
		if err != nil {
			return wait.Progress{}, err
		}
		state := imagestate.Of(image)
		if state.Message != "" && !clearing(state.Message) {
			f.told.Store(state.Message)
		}
		done, err := reached(state)
		if failed, ok := errors.AsType[*failure](err); ok {
			failed.before, _ = f.told.Load().(string)
		}
		return wait.Progress{Done: done, Message: seen(state)}, err
	}, wait.Options{Stall: stall, OnChange: func(message string) {
		tflog.Info(ctx, "The image is "+message, map[string]any{"image": f.title()})
	}})
	if object == nil {
		return nil, err
	}
	image, wrong := kube.Decode[api.VirtualMachineImage](object)
	if err == nil {
		err = wrong
	}
	return image, err
}

func seen(image imagestate.Image) string {
	if image.Message == "" {
		return image.Status()
	}
	return image.Status() + ": " + image.Message
}

func (f *filler) title() string { return tfbase.ID(f.target.Namespace, f.target.Name) }
