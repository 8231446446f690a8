// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"os"
)

// link is a slow server's: 4 Gbit/s, in bytes a second.
const link = 4e9 / 8

// hashing sends 512 MiB over a slow link by turns without a checksum and with one that is known from an earlier run.
func hashing(ctx context.Context, b *bench, r *report) error {
	server := (&receiver{rate: link}).start()
	defer server.Close()
	file, err := b.file("hashed.img", 512*mib)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file) }()
	plain := task{URL: server.URL, CA: certificate(server), File: file, Uploads: 1}
	warm := plain
	warm.Scan = true
	if warm.Cache, err = os.MkdirTemp(b.dir, "cache-*"); err != nil {
		return err
	}
	if _, err := send(ctx, warm); err != nil { // fills the cache
		return err
	}
	known, err := compare(ctx, b.rounds, warm, plain)
	if err != nil {
		return err
	}
	r.figure("hash_wall_overhead", median(known), 2, spread(known))
	return nil
}

// memory hashes and sends 2 GiB and 1 MiB by turns.
func memory(ctx context.Context, b *bench, r *report) error {
	server := (&receiver{}).start()
	defer server.Close()
	large, err := b.file("large.img", 2*gib)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(large) }()
	tiny, err := b.file("tiny.img", mib)
	if err != nil {
		return err
	}
	peaks := map[string][]float64{}
	for range b.rounds {
		for _, file := range []string{large, tiny} {
			result, err := send(ctx, task{URL: server.URL, CA: certificate(server), File: file, Scan: true, Uploads: 1})
			if err != nil {
				return err
			}
			peaks[file] = append(peaks[file], float64(result.Peak)/1024)
		}
	}
	if peaks[tiny][0] == 0 {
		r.skip("only Linux tells the peak of a process's memory")
		return nil
	}
	r.figure("rss_extra_mib", median(peaks[large])-median(peaks[tiny]), 1, "")
	return nil
}
