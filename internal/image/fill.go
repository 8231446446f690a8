// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// sends is how often the data of one upload is sent at most.
const sends = 5

// errGone says that the image vanished while it was waited for.
var errGone = errors.New("it was deleted by someone else")

// failure is an import that the server gave up, or that it will not finish
// without different data.
type failure struct{ image imagestate.Image }

func (f *failure) Error() string { return f.image.Message }

// filler brings one image to Active: it sends the data if the server wants any,
// and follows the server's status.
type filler struct {
	session *tfbase.Session
	target  wait.Target
	file    *transfer.File // nil if there is nothing to send
	backend string
}

func newFiller(session *tfbase.Session, image *api.VirtualMachineImage, file *transfer.File) *filler {
	return &filler{
		session: session, file: file, backend: image.Spec.Backend,
		target: wait.Target{Resource: api.Images, Namespace: image.Namespace, Name: image.Name, UID: image.UID},
	}
}

// fill returns the image as last seen, nil if never, and an error unless it is Active.
func (f *filler) fill(ctx context.Context) (*api.VirtualMachineImage, error) {
	if f.file == nil {
		return f.until(ctx, followed)
	}
	for try := 1; ; try++ {
		image, err := f.until(ctx, receptive)
		if err != nil || imagestate.Of(image).Ready() {
			return image, err
		}
		broken := f.send(ctx)
		if broken == nil {
			return f.until(ctx, verified(image.Status.Failed))
		}
		tflog.Warn(ctx, "The upload broke", map[string]any{"image": f.title(), "try": try, "cause": broken.Error()})
		if try == sends || !worthRetrying(ctx, broken) {
			return f.afterBroken(ctx, image, broken)
		}
		f.pause(ctx, try)
	}
}

// send transfers the file once.
func (f *filler) send(ctx context.Context) error {
	upload := &transfer.Upload{
		URL:  f.session.Client.ImageURL(f.target.Namespace, f.target.Name),
		Part: part(f.backend), File: *f.file, Pad: f.backend != api.BackendCDI,
	}
	tflog.Info(ctx, "Uploading the image", map[string]any{"image": f.title(), "file": f.file.Path, "bytes": upload.Size()})
	return upload.Send(ctx, f.session.Client.Transfers())
}

// part is the form part the backend looks for: Longhorn's name, or CDI's since Harvester 1.7.1.
func part(backend string) string {
	if backend == api.BackendCDI {
		return "file"
	}
	return "chunk"
}

// worthRetrying: what the client or the request is to blame for stays broken.
func worthRetrying(ctx context.Context, err error) bool {
	var status *transfer.StatusError
	if errors.As(err, &status) {
		return status.Transient()
	}
	return ctx.Err() == nil && !errors.As(err, new(*transfer.FileError))
}

// afterBroken looks at the image a last time: it knows the cause better than
// the broken connection does, and the data may have arrived after all.
func (f *filler) afterBroken(ctx context.Context, image *api.VirtualMachineImage, broken error) (*api.VirtualMachineImage, error) {
	if ctx.Err() != nil {
		return image, broken
	}
	latest, err := kube.For[api.VirtualMachineImage](f.session.Client, api.Images, api.KindImage).Get(ctx, f.target.Namespace, f.target.Name)
	if err != nil || latest.UID != f.target.UID {
		return image, broken
	}
	state := imagestate.Of(latest)
	switch {
	case state.Ready():
		return latest, nil
	case state.Message != "":
		return latest, fmt.Errorf("%w (Harvester says: %s)", broken, state.Message)
	}
	return latest, broken
}

// pause waits a little longer after each broken try.
func (f *filler) pause(ctx context.Context, try int) {
	timer := time.NewTimer(time.Second << try)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// goal decides when to stop waiting.
type goal func(imagestate.Image) (done bool, err error)

// followed waits for Active. Harvester's own retries are waited out.
func followed(image imagestate.Image) (bool, error) {
	if image.Ready() {
		return true, nil
	}
	if image.Terminal {
		return false, &failure{image}
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
		if image.Attempts > failedBefore {
			return false, &failure{image}
		}
		return false, nil
	}
}

// until watches the image until the goal is reached.
func (f *filler) until(ctx context.Context, reached goal) (*api.VirtualMachineImage, error) {
	object, err := f.session.Hub.Until(ctx, f.target, func(object *unstructured.Unstructured) (wait.Progress, error) {
		if object == nil {
			return wait.Progress{}, errGone
		}
		image, err := kube.Decode[api.VirtualMachineImage](object)
		if err != nil {
			return wait.Progress{}, err
		}
		state := imagestate.Of(image)
		done, err := reached(state)
		return wait.Progress{Done: done, Message: seen(state)}, err
	}, wait.Options{OnChange: func(message string) {
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
