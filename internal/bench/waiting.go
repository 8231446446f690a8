// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/wait"
)

// crowd is how many images are made at once.
const crowd = 100

// made is the end of one Create.
type made struct {
	name string
	at   time.Time
	err  error
}

// fleet is a crowd of images that one provider makes.
type fleet struct {
	*cluster
	ends chan made
	// planning is how many requests were made before the first Create.
	planning int
}

// launch plans all images, then begins to make them, and returns when all are
// there and wait for their end. Requests are counted from the first Create.
func launch(ctx context.Context) (*fleet, error) {
	f := &fleet{cluster: startCluster(), ends: make(chan made, crowd)}
	terraform, err := configure(ctx, f.URL, certificate(f.Server), nil)
	if err != nil {
		f.stop()
		return nil, err
	}
	var plans sync.WaitGroup
	planned := make(chan struct{})
	for i := range crowd {
		plans.Add(1)
		done := sync.OnceFunc(plans.Done)
		name := "bench-" + strconv.Itoa(i)
		go func() {
			defer done()
			_, err := terraform.create(ctx, map[string]string{
				"name": name, "namespace": "default", "display_name": name, "source_type": "download", "url": "https://images.example/" + name,
			}, func() {
				done()
				<-planned
			})
			f.ends <- made{name, time.Now(), err}
		}()
	}
	plans.Wait()
	_, f.planning = f.asked.take()
	close(planned)
	for len(f.names()) < crowd && ctx.Err() == nil {
		select {
		case early := <-f.ends:
			f.stop()
			return nil, fmt.Errorf("%s ended too soon: %w", early.name, early.err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return f, ctx.Err()
}

// settleAll ends all imports at once and returns how long after each its Create did, in milliseconds.
func (f *fleet) settleAll(settle func(name string), expect func(error) error) ([]float64, error) {
	for _, name := range f.names() {
		settle(name)
	}
	lags := make([]float64, 0, crowd)
	for range crowd {
		end := <-f.ends
		if err := expect(end.err); err != nil {
			return nil, err
		}
		lags = append(lags, milliseconds(end.at.Sub(f.settled[end.name])))
	}
	return lags, nil
}

func success(err error) error { return err }

// lag makes images, lets them import for a while and returns the 95th percentile of
// the time from the end of an import to that of its Create, in milliseconds.
func lag(ctx context.Context, settle func(f *fleet, name string), expect func(error) error) (float64, error) {
	f, err := launch(ctx)
	if err != nil {
		return 0, err
	}
	defer f.stop()
	wait.Pause(ctx, 2*time.Second)
	var lags []float64
	err = profiled("settle", func() error {
		lags, err = f.settleAll(func(name string) { settle(f, name) }, expect)
		return err
	})
	if err != nil {
		return 0, err
	}
	return percentile(lags, 95), nil
}

func readyToDone(ctx context.Context, b *bench, r *report) error {
	return lags(ctx, b, r, func(f *fleet, name string) { f.finish(name) }, success)
}

// failedImport expects the server's own words in the error.
func failedImport(ctx context.Context, b *bench, r *report) error {
	const words = "checksum mismatch: got 1234"
	return lags(ctx, b, r, func(f *fleet, name string) { f.fail(name, words) }, func(err error) error {
		if err == nil || !strings.Contains(err.Error(), words) {
			return fmt.Errorf("the import failed with %q, but Create returned: %w", words, errors.Join(err))
		}
		return nil
	})
}

func lags(ctx context.Context, b *bench, r *report, settle func(f *fleet, name string), expect func(error) error) error {
	values := make([]float64, 0, b.rounds)
	for range b.rounds {
		value, err := lag(ctx, settle, expect)
		if err != nil {
			return err
		}
		values = append(values, value)
	}
	r.figure(r.goals[0], median(values), 0, fmt.Sprintf("%d images at once; rounds from %.0f to %.0f", crowd, values[0], values[len(values)-1]))
	return nil
}

// requests lets the images import for 30 s, in which the server says nothing of
// them, and counts all that the provider asks from the first to the last Create.
func requests(ctx context.Context, b *bench, r *report) error {
	f, err := launch(ctx)
	if err != nil {
		return err
	}
	defer f.stop()
	wait.Pause(ctx, 30*time.Second)
	if _, err := f.settleAll(f.finish, success); err != nil {
		return err
	}
	b.takeMarksOff()
	applying, count := f.asked.take()
	r.figure("requests_per_100_images", float64(count), 0, fmt.Sprintf("%s; planning them took %d more", applying, f.planning))
	return nil
}
