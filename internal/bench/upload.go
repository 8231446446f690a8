// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// againstCurl sends 2 GiB by turns with this provider's code and with curl.
func againstCurl(ctx context.Context, b *bench, r *report) error {
	server := (&receiver{}).start()
	defer server.Close()
	file, err := b.file("large.img", 2*gib)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file) }()
	ca := filepath.Join(b.dir, "ca.pem")
	if err := os.WriteFile(ca, []byte(certificate(server)), 0o600); err != nil {
		return err
	}
	var wall, cpu []float64
	for range b.rounds {
		ours, err := send(ctx, task{URL: server.URL, CA: certificate(server), File: file, Uploads: 1})
		if err != nil {
			return err
		}
		var theirs outcome
		curl := exec.CommandContext(ctx, program("curl"), "-sSf", "--http1.1", "--noproxy", "*", "--cacert", ca, //nolint:gosec // found in PATH
			"-F", "chunk=@"+file, server.URL+"/upload?action=upload")
		if _, err := clock(curl, &theirs); err != nil {
			return err
		}
		wall = append(wall, ours.Whole.Seconds()/theirs.Whole.Seconds())
		cpu = append(cpu, ours.CPU.Seconds()/theirs.CPU.Seconds())
	}
	r.figure("upload_wall_vs_curl", median(wall), 2, spread(wall))
	r.figure("upload_cpu_vs_curl", median(cpu), 2, spread(cpu))
	return nil
}

// behindNginx starts nginx with two ways to it, without and with a round trip of 10 ms.
func behindNginx(ctx context.Context, b *bench, backend *receiver) (near, far task, stop func(), err error) {
	proxy, err := startNginx(ctx, b.dir, backend)
	if err != nil {
		return near, far, nil, err
	}
	ways := make([]task, 2)
	closers := []func(){proxy.stop}
	stop = func() {
		for _, end := range closers {
			end()
		}
	}
	for i, roundTrip := range []time.Duration{0, 10 * time.Millisecond} {
		shim, err := delayed(ctx, proxy.address, roundTrip)
		if err != nil {
			stop()
			return near, far, nil, err
		}
		closers = append(closers, func() { _ = shim.Close() })
		ways[i] = task{URL: "https://" + shim.Addr().String(), CA: proxy.ca, Uploads: 1}
	}
	return ways[0], ways[1], stop, nil
}

// latency sends 64 MiB by turns without and with a round trip of 10 ms.
func latency(ctx context.Context, b *bench, r *report) error {
	near, far, stop, err := behindNginx(ctx, b, &receiver{})
	if err != nil {
		return err
	}
	defer stop()
	if near.File, err = b.file("medium.img", 64*mib); err != nil {
		return err
	}
	far.File = near.File
	ratios, err := compare(ctx, 3*b.rounds, far, near)
	if err == nil {
		r.figure("upload_rtt10_vs_rtt0", median(ratios), 2, spread(ratios))
	}
	return err
}

// compare runs two tasks by turns and returns the ratios of their times.
func compare(ctx context.Context, rounds int, one, other task) ([]float64, error) {
	ratios := make([]float64, 0, rounds)
	for range rounds {
		first, err := send(ctx, one)
		if err != nil {
			return nil, err
		}
		second, err := send(ctx, other)
		if err != nil {
			return nil, err
		}
		ratios = append(ratios, first.Sending.Seconds()/second.Sending.Seconds())
	}
	return ratios, nil
}

// parallel sends ten files at once with a round trip of 10 ms, by turns over
// HTTP/1.1 and over the one HTTP/2 connection that client-go would share.
func parallel(ctx context.Context, b *bench, r *report) error {
	_, ours, stop, err := behindNginx(ctx, b, &receiver{})
	if err != nil {
		return err
	}
	defer stop()
	if ours.File, err = b.file("parallel.img", 32*mib); err != nil {
		return err
	}
	ours.Uploads = 10
	theirs := ours
	theirs.HTTP2 = true
	ratios, err := compare(ctx, b.rounds, theirs, ours)
	if err == nil {
		r.figure("upload_10_parallel_vs_h2", median(ratios), 1, spread(ratios))
	}
	return err
}

// firstRead counts the uploads whose header the server sees in its first read:
// 60 that come directly, and 60 through nginx.
func firstRead(ctx context.Context, b *bench, r *report) error {
	const tries = 60
	direct, proxied := &receiver{}, &receiver{}
	server := direct.start()
	defer server.Close()
	near, _, stop, err := behindNginx(ctx, b, proxied)
	if err != nil {
		return err
	}
	defer stop()
	if near.File, err = b.file("small.qcow2", 4*mib); err != nil {
		return err
	}
	straight := near
	straight.URL, straight.CA = server.URL, certificate(server)
	if _, err := compare(ctx, tries, straight, near); err != nil {
		return err
	}
	r.figure("first_read_has_header", float64(min(direct.sniffed.Load(), proxied.sniffed.Load()))/tries, 2,
		fmt.Sprintf("%d of %d direct, %d of %d through nginx", direct.sniffed.Load(), tries, proxied.sniffed.Load(), tries))
	return nil
}
