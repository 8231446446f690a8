// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package image

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/harvester-community/terraform-provider-harvester/internal/api"
	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/imagestate"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/session"
	"github.com/harvester-community/terraform-provider-harvester/internal/tfbase"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// filler brings one image to Active: it sends the data if the server wants any,
// and follows the server's status.
type filler struct {
	session *session.Session
	images  kube.Resource[api.VirtualMachineImage]
	target  wait.Target
	// made is the image as it was when its filling began.
	made    *api.VirtualMachineImage
	backend string
	// content provides what is to be sent; nil if the data comes from elsewhere.
	content func(context.Context) (*transfer.Content, error)
	// offered is what was sent, or begun to be, with its checksums as soon as they are known.
	offered *transfer.Content
	// sent says that all of it has left in this run.
	sent bool
	// marked says that Harvester does not compare the data, so that the image carries a mark until that is done here.
	marked bool
	// backingImages tell what is stored. They show it within the time tells.
	backingImages kube.Resource[api.BackingImage]
	tells         time.Duration
	// broke says that an upload broke, perhaps in an earlier run. What Harvester makes of that it says within the time lastWord.
	broke    bool
	lastWord time.Duration
	// place is held while data is on its way.
	place *place
	// stall is how long nothing may happen in a phase that is reported on; see patience.
	stall time.Duration
	// told is the last cause of a failure that the server named.
	told atomic.Value
	// renew deletes the image and makes it anew; nil if that is left to the next apply.
	renew func(ctx context.Context, image *api.VirtualMachineImage) (*api.VirtualMachineImage, error)
}

// sends is how often the data of one upload is sent at most. To an image of
// the backend cdi it can be sent once only: the next apply makes a new one.
const sends = 5

// outcome is what an attempt to send the data came to.
type outcome int

const (
	arrived outcome = iota // the server has all bytes, and says so
	lost                   // all bytes have left, and what became of them is not known
	broken                 // the server has not got them all, and the same may work later
	refused                // the cause has to go first
)

// step is what comes after an attempt.
type step int

const (
	await  step = iota // wait for the verdict on the data
	follow             // wait for the image, which goes on without the connection
	settle             // see whether the server begins with what it may have, then send again if it wants
	repeat             // send again after a pause
	giveUp
)

// next is what comes after an attempt. A second upload while Longhorn works on a good first one makes
// Harvester take that for failed, so what may have arrived gets the chance to show it. CDI answers only when
// it has converted the data, which takes longer than proxies wait, and goes on without them.
var next = map[outcome]struct{ longhorn, cdi step }{
	arrived: {await, await},
	lost:    {settle, follow},
	broken:  {repeat, giveUp},
	refused: {giveUp, giveUp},
}

// after is the step after an attempt, the last if so.
func (o outcome) after(backend string, last bool) step {
	does := next[o].longhorn
	if backend == api.BackendCDI {
		does = next[o].cdi
	}
	if last && (does == settle || does == repeat) {
		return giveUp
	}
	return does
}

// fill returns the image as last seen, nil if never, and an error unless Harvester has all of it. After an upload that broke
// it looks again, because Harvester may have its last word on it later.
func (f *filler) fill(ctx context.Context) (image *api.VirtualMachineImage, err error) {
	if f.content == nil {
		return f.until(ctx, followed)
	}
	for {
		if image, err = f.deliver(ctx); err != nil || !f.broke {
			return image, err
		}
		f.place.release()
		f.broke = false
		wait.Pause(ctx, f.lastWord)
	}
}

// deliver sends the data as often as that can help, until Harvester has all of it.
func (f *filler) deliver(ctx context.Context) (*api.VirtualMachineImage, error) {
	for try := 1; ; try++ {
		image, err := f.untilWanted(ctx)
		if f.renew != nil && gaveUp(err, try) {
			image, err = f.anew(ctx, image, err)
		}
		if err != nil || imagestate.Of(image).Imported() {
			return image, err
		}
		if f.offered, err = f.content(ctx); err != nil {
			return image, err
		}
		if image, err = f.announce(ctx, image); err != nil {
			return image, err
		}
		came, wrong := f.attempt(ctx, try)
		if wrong != nil {
			f.broke = true
			tflog.Warn(ctx, "The upload broke", map[string]any{"image": f.title(), "try": try, "cause": diagnose.Said(wrong)})
		}
		switch came.after(f.backend, try == sends) {
		case await:
			f.place.release()
			image, err = f.until(ctx, verified(image.Status.Failed))
			if !errors.Is(err, errCleared) || try == sends {
				return image, err
			}
		case follow:
			f.place.release()
			return f.until(ctx, followed)
		case settle:
			_, _ = f.watch(ctx, underWay, briefly)
		case repeat:
			wait.Pause(ctx, time.Second<<try)
		case giveUp:
			return f.afterBroken(ctx, image, wrong)
		}
	}
}

// gaveUp says that a new image is needed, after uploads that broke: try is the number of the next one. Harvester counts a
// broken connection as a failure of its own, and clearing away after it as another, so that two are enough for its four attempts
// (createBackingImage in pkg/image/backingimage/backingimage.go).
func gaveUp(err error, try int) bool {
	failed, ok := errors.AsType[*failure](err)
	return ok && (failed.stuck || try > 1 && failed.image.Terminal && !refusesChecksum(failed.Error()))
}

// anew goes on with a new image, as the next apply would, and returns it when the server wants its data.
func (f *filler) anew(ctx context.Context, image *api.VirtualMachineImage, why error) (*api.VirtualMachineImage, error) {
	tflog.Warn(ctx, "Harvester gave up the image after uploads that broke, so it is made anew", map[string]any{"image": f.title(), "cause": diagnose.Said(why)})
	image, err := f.renew(ctx, image)
	if err != nil {
		return image, errors.Join(err, why)
	}
	f.made, f.target.UID, f.marked = image, image.UID, image.Unverified()
	return f.untilWanted(ctx)
}

// untilWanted waits until the server wants data, or has it all, and a place among the uploads is held.
// Things may have changed while others had their turn.
func (f *filler) untilWanted(ctx context.Context) (*api.VirtualMachineImage, error) {
	image, err := f.untilReceptive(ctx)
	if err != nil || imagestate.Of(image).Imported() || f.place.held() {
		return image, err
	}
	if err := f.place.take(ctx); err != nil {
		return image, fmt.Errorf("wait for other uploads to end: %w", err)
	}
	return f.untilReceptive(ctx)
}

// untilReceptive waits until the server wants data, or has it all. Harvester calls an upload broken until Longhorn has news of it.
// There are none if Longhorn has all of it already, and for a minute if it still waits for the first byte, which can then be
// sent; but to an image that is not initialized only after that minute, because Harvester does not hear what becomes of it.
func (f *filler) untilReceptive(ctx context.Context) (image *api.VirtualMachineImage, err error) {
	for range 2 { // Harvester may be about to notice
		image, err = f.watch(ctx, receptive, f.unlessBroken)
		if !errors.As(err, new(*wait.TimeoutError)) || image == nil || !imagestate.Of(image).Broke {
			return image, err
		}
		switch stored := f.backingImage(ctx, image); {
		case stored.AwaitsData() && image.Condition(api.ImageInitialized).Status == "True":
			return image, nil
		case stored.Status.Checksum == "":
			return f.until(ctx, receptive)
		}
	}
	return image, &failure{image: imagestate.Of(image), stuck: true}
}

// backingImage is what Longhorn has of the image, as far as it tells.
func (f *filler) backingImage(ctx context.Context, image *api.VirtualMachineImage) *api.BackingImage {
	if f.backend != api.BackendCDI {
		if found, err := f.backingImages.Get(ctx, api.NamespaceLonghorn, api.BackingImageName(image)); err == nil {
			return found
		}
	}
	return &api.BackingImage{}
}

// afterBroken looks at the image a last time: it knows the cause better than
// the broken connection does, and the data may have arrived after all. What a file
// that changed has left behind is removed, for it would be taken for the whole.
func (f *filler) afterBroken(ctx context.Context, image *api.VirtualMachineImage, wrong error) (*api.VirtualMachineImage, error) {
	if errors.As(wrong, new(*transfer.FileError)) {
		return image, f.discard(ctx, wrong)
	}
	if ctx.Err() != nil {
		return image, wrong
	}
	latest, err := f.images.Get(ctx, f.target.Namespace, f.target.Name)
	if err != nil || latest.UID != f.target.UID {
		return image, wrong
	}
	state := imagestate.Of(latest)
	switch {
	case state.Imported():
		return latest, nil
	case state.Message != "" && !errors.As(wrong, new(*failure)):
		return latest, fmt.Errorf("%w (Harvester says: %s)", wrong, state.Message)
	}
	return latest, wrong
}

// discard deletes the image, also when the run was interrupted.
func (f *filler) discard(ctx context.Context, wrong error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := f.images.Delete(ctx, f.target.Namespace, f.target.Name, f.target.UID)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("%w (and the incomplete image could not be deleted: %w)", wrong, err)
	}
	return discarded{wrong}
}

// discarded is why an incomplete image was deleted, which is then as gone as one
// that others deleted.
type discarded struct{ error }

func (d discarded) Unwrap() error { return d.error }

func (d discarded) Is(target error) bool { return target == errGone }

// place is one among the parallel uploads. It is for one goroutine.
type place struct {
	slots session.Slots
	give  func() // nil while it is not held
}

func (p *place) held() bool { return p.give != nil }

// take waits for a place unless it is held. The error is the context's.
func (p *place) take(ctx context.Context) (err error) {
	if !p.held() {
		p.give, err = p.slots.Take(ctx)
	}
	return err
}

// release gives the place back, if it is held.
func (p *place) release() {
	if p.held() {
		p.give()
		p.give = nil
	}
}

func (f *filler) title() string { return tfbase.ID(f.target.Namespace, f.target.Name) }
