// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package cdi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
)

// outside reaches every address that the machine does. Go's default transport, which Harvester uses, does not.
var outside = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}

// filler returns how the claim of a job is filled, nil if the bytes are sent instead.
func (c *CDI) filler(j job) func(context.Context, *pod) error {
	switch j.kind {
	case downloaded:
		return download
	case copied:
		return c.copy
	case blank:
		return func(_ context.Context, p *pod) error { return p.write(http.NoBody) }
	}
	return nil
}

// download fills a claim from a URL.
func download(ctx context.Context, p *pod) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return connectError{err}
	}
	answer, err := outside.Do(request)
	if err != nil {
		return connectError{fmt.Errorf("HTTP request errored: %w", err)}
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return connectError{fmt.Errorf("expected status code %d, got %d. Status: %s", http.StatusOK, answer.StatusCode, answer.Status)}
	}
	p.expect(answer.ContentLength)
	return p.process(counter{answer.Body, p.advance})
}

// counter tells of the bytes that are read through it.
type counter struct {
	io.Reader
	count func(n int)
}

// Read implements io.Reader.
func (c counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.count(n)
	return n, err
}

// copy fills a claim with the disk of another one.
func (c *CDI) copy(ctx context.Context, p *pod) error {
	source, err := c.claim(ctx, p.source)
	if err != nil {
		return err
	}
	if !pace.Wait(ctx, p.pace.Convert()) {
		return errStopped
	}
	p.store.discard(p.uid)
	if err := p.store.link(source.UID, p.uid); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	disk, err := c.disk(ctx, source.Spec.VolumeName)
	if err != nil {
		return err
	}
	defer disk.Close()
	return p.write(contextReader{ctx.Done(), disk})
}

// Disk opens the disk of a volume that CDI has filled.
func (c *CDI) Disk(volume string) (io.ReadCloser, error) {
	return c.store.open(types.UID(strings.TrimPrefix(volume, "pvc-")))
}
