// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// provisionVariable makes this program a provider that is told to make images: it holds a provisionTask as JSON.
const provisionVariable = "BENCH_PROVISION"

// provisionTask is the plan and the apply of images by upload, from the first call that Terraform would make to the last.
type provisionTask struct {
	URL, CA string
	File    string
	// Images are their names. All are made at the same time.
	Images []string
	// cache is the folder for what is known of files.
	cache string
}

// run provisions in a process of its own.
func (t provisionTask) run(ctx context.Context) (outcome, error) {
	return child(ctx, provisionVariable, t, "XDG_CACHE_HOME="+t.cache)
}

// performProvision is the provider's side.
func performProvision(ctx context.Context, text string, out io.Writer) error {
	var t provisionTask
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	started := time.Now()
	read, err := bytesRead(t.File, func() error { return t.provision(ctx) })
	if errors.Is(err, errors.ErrUnsupported) {
		err = t.provision(ctx)
	}
	if err != nil {
		return err
	}
	memory, err := peak()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(outcome{Sending: time.Since(started), Peak: memory, Read: read})
}

func (t provisionTask) provision(ctx context.Context) error {
	terraform, err := configure(ctx, t.URL, t.CA, map[string]string{"max_parallel_uploads": strconv.Itoa(len(t.Images))})
	if err != nil {
		return err
	}
	ends := make(chan error)
	for _, name := range t.Images {
		go func() {
			_, err := terraform.create(ctx, map[string]string{
				"name": name, "namespace": "default", "display_name": name, "source_type": "upload", "file_path": t.File,
			}, func() {})
			ends <- err
		}()
	}
	var failures []error
	for range t.Images {
		failures = append(failures, <-ends)
	}
	return errors.Join(failures...)
}

// imageNames are as many names.
func imageNames(prefix string, count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return names
}
