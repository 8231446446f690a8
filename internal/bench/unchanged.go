// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"os"
	"time"
)

// unchangedPlan uploads a file and plans again: the file must not be read. For
// proof that reading would be noticed, it does the same with a file that was touched.
func unchangedPlan(ctx context.Context, b *bench, r *report) error {
	file, err := b.file("planned.img", 64*mib)
	if err != nil {
		return err
	}
	// Nothing of this run may come from or go to the user's own cache.
	if err := os.Setenv("XDG_CACHE_HOME", b.dir+"/user-cache"); err != nil {
		return err
	}
	server := startCluster()
	defer server.stop()
	arguments := map[string]string{
		"name": "bench", "namespace": "default", "display_name": "bench", "source_type": "upload", "file_path": file,
	}
	made, err := provisioned(ctx, server, arguments)
	if err != nil {
		return err
	}
	unchanged, err := bytesOfPlan(ctx, server, arguments, made)
	if err != nil {
		return err
	}
	if err := os.Chtimes(file, time.Time{}, time.Now().Add(time.Second)); err != nil {
		return err
	}
	touched, err := bytesOfPlan(ctx, server, arguments, made)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		r.skip("only Linux tells what is read of a file")
		return nil
	case err != nil:
		return err
	case touched < 64*mib:
		return errors.New("a plan read the whole file, and it was not noticed")
	}
	r.figure("plan_unchanged_hash_bytes", unchanged, 0, "")
	return nil
}

func provisioned(ctx context.Context, server *cluster, arguments map[string]string) (instance, error) {
	terraform, err := configure(ctx, server.URL, certificate(server.Server), nil)
	if err != nil {
		return instance{}, err
	}
	return terraform.create(ctx, arguments, func() {})
}

// bytesOfPlan refreshes and plans with a new provider.
func bytesOfPlan(ctx context.Context, server *cluster, arguments map[string]string, made instance) (float64, error) {
	terraform, err := configure(ctx, server.URL, certificate(server.Server), nil)
	if err != nil {
		return 0, err
	}
	return bytesRead(arguments["file_path"], func() error {
		changed, err := terraform.refresh(ctx, arguments, made)
		if err == nil && changed {
			err = errors.New("the plan changes something")
		}
		return err
	})
}
