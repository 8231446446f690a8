// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// errGone says that the image vanished while it was waited for.
var errGone = errors.New("it was deleted by someone else")

// errCleared says that Harvester began anew after the data had arrived, because it had
// not seen yet what it had made itself. It wants the data again.
var errCleared = errors.New("Harvester began anew and wants the data again")

// failure is an import that the server gave up, or that it will not finish
// without different data.
type failure struct {
	image imagestate.Image
	// before is the last thing the server said earlier that was not about clearing away.
	before string
	// stuck says that the cluster has all of the data all the same.
	stuck bool
}

// Error is what the server says. Harvester counts its own clearing away after a
// failure as another one, so the cause can be in what it said before.
func (f *failure) Error() string {
	if f.stuck {
		return "its upload broke (" + f.image.Message + "), which Harvester does not take back, although its storage has all of the data"
	}
	if clearing(f.image.Message) && f.before != "" {
		return f.image.Message + "; before that: " + f.before
	}
	return f.image.Message
}

func clearing(message string) bool { return strings.HasSuffix(message, "is being deleted") }

// goal decides when to stop waiting.
type goal func(imagestate.Image) (done bool, err error)

// followed waits until Harvester has all of the image. Harvester's own retries are waited out.
func followed(image imagestate.Image) (bool, error) {
	switch {
	case image.Imported():
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

// verified waits for Harvester's verdict after all data were accepted. One more failure means
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

// underWay waits until the server has begun, or ended, with the data it has.
func underWay(image imagestate.Image) (bool, error) { return !image.AwaitsData, nil }

// clock says how long an image may look as it does. size is that of its data in bytes, 0 if not known.
type clock func(image imagestate.Image, size int64) time.Duration

// briefly is how long data that may have arrived can show no sign of life. Harvester
// looks for Longhorn's pod every 2 s before it begins.
func briefly(imagestate.Image, int64) time.Duration { return 8 * time.Second }

// lastWord is how long after the end of a connection Harvester can still write that the upload broke, even over an image that is
// ready: three tries, 2 s apart (FailUpload in pkg/image/common/operator.go).
const lastWord = 5 * time.Second

// unlessBroken is the clock of an import, but for a broken upload, which Harvester soon goes on from.
func (f *filler) unlessBroken(image imagestate.Image, size int64) time.Duration {
	if image.Broke {
		return min(f.stall, 2*f.lastWord)
	}
	return patience(f.stall)(image, size)
}

// slowest is what a busy cluster can be trusted to take in, verify and convert, in bytes a second.
const slowest = 1 << 20

// percent and verifying are how Harvester reports: in whole percents, and with 99 from the last byte until
// Longhorn has computed the SHA-512, or CDI has converted the disk.
const (
	percent   = 100
	verifying = 99
)

// patience is the clock of an import: stall, and the time for the bytes of which the cluster reports nothing.
// Of data whose length nobody knows it reports nothing at all, so that only the limit of the whole counts.
func patience(stall time.Duration) clock {
	return func(image imagestate.Image, size int64) time.Duration {
		switch {
		case !image.Importing():
			return stall
		case size <= 0:
			return wait.Unlimited
		}
		return stall + time.Duration(unreported(image, size)/slowest)*time.Second
	}
}

// unreported is how many bytes the image's progress may stand still for.
func unreported(image imagestate.Image, size int64) int64 {
	silent := image.Backend == api.BackendCDI && image.Progress == 0 // it reports a download only, and not always
	if silent || image.Progress >= verifying {
		return size
	}
	return size / percent
}

// size is that of the data on its way, in bytes; 0 if it is not known. Harvester knows that of a download if
// the server says it.
func (f *filler) size(image *api.VirtualMachineImage) int64 {
	if f.offered != nil {
		return f.offered.Size
	}
	if size, err := strconv.ParseInt(image.Annotations[api.AnnotationSize], 10, 64); err == nil {
		return size
	}
	return image.Status.Size
}

// stallSetting is the argument that sets the stall clock.
const stallSetting = "stall_timeout"

// until watches the image until the goal is reached or nothing moves.
func (f *filler) until(ctx context.Context, reached goal) (*api.VirtualMachineImage, error) {
	return f.watch(ctx, reached, patience(f.stall))
}

func (f *filler) watch(ctx context.Context, reached goal, limit clock) (*api.VirtualMachineImage, error) {
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
		return wait.Progress{Done: done, Message: seen(state), Stall: limit(state, f.size(image))}, err
	}, wait.Options{Setting: stallSetting, OnChange: func(message string) {
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
