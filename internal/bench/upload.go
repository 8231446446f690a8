// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// uploadSize is how large a file is compared with curl, unless -size says otherwise.
const uploadSize = 2 * gib

// duel is one file that is uploaded by turns: by harvester_image as users have it, and by curl.
type duel struct {
	*bench
	server *cluster
	file   string
	ca     string // a file
	// warm is a cache folder in which the file is known.
	warm string
}

// newDuel starts the server, which takes each upload at that rate, in bytes a second; 0 is as fast as it can.
func newDuel(b *bench, rate int64) (*duel, error) {
	d := &duel{bench: b, server: startCluster(), ca: filepath.Join(b.dir, "ca.pem"), warm: filepath.Join(b.dir, "warm")}
	d.server.receiver.rate = rate
	var err error
	if d.file, err = b.file("large.img", b.size); err == nil {
		d.server.checksum, err = sha512Of(d.file)
	}
	if err == nil {
		err = os.WriteFile(d.ca, []byte(certificate(d.server.Server)), 0o600)
	}
	if err != nil {
		d.close()
	}
	return d, err
}

func (d *duel) close() {
	d.server.stop()
	_ = os.Remove(d.file)
	_ = os.RemoveAll(d.warm)
}

// ours makes an image of the file. What is known of files is in the cache folder.
func (d *duel) ours(ctx context.Context, cache string) (outcome, error) {
	return provisionTask{
		URL: d.server.URL, CA: certificate(d.server.Server), File: d.file, Images: imageNames("bench", 1), cache: cache,
	}.run(ctx)
}

// first makes one of a file that was never hashed.
func (d *duel) first(ctx context.Context) (outcome, error) {
	cache, err := os.MkdirTemp(d.dir, "cold-*")
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = os.RemoveAll(cache) }()
	return d.ours(ctx, cache)
}

// again makes one of a file whose hash is known.
func (d *duel) again(ctx context.Context) (outcome, error) { return d.ours(ctx, d.warm) }

func (d *duel) curl(ctx context.Context) (outcome, error) {
	result, _, err := clock(curlUpload(ctx, d.ca, d.file, d.server.URL))
	return result, err
}

func (d *duel) sha512sum(ctx context.Context) (outcome, error) {
	result, _, err := clock(exec.CommandContext(ctx, program("sha512sum"), d.file)) //nolint:gosec // found in PATH
	return result, err
}

// hash computes the checksum of the file, and nothing else.
func (d *duel) hash(context.Context) (outcome, error) {
	started := time.Now()
	_, err := sha512Of(d.file)
	return outcome{Whole: time.Since(started)}, err
}

func curlUpload(ctx context.Context, ca, file, address string) *exec.Cmd {
	return exec.CommandContext(ctx, program("curl"), "-sSf", "--http1.1", "--noproxy", "*", "--cacert", ca, //nolint:gosec // found in PATH
		"-F", "chunk=@"+file, address+"/upload?action=upload")
}

// turns runs the contestants by turns, and returns what each took in each round.
func turns(ctx context.Context, rounds int, contestants ...func(context.Context) (outcome, error)) ([][]outcome, error) {
	took := make([][]outcome, 0, rounds)
	for range rounds {
		round := make([]outcome, 0, len(contestants))
		for _, contestant := range contestants {
			result, err := contestant(ctx)
			if err != nil {
				return nil, err
			}
			round = append(round, result)
		}
		took = append(took, round)
	}
	return took, nil
}

// againstCurl compares a first upload and one whose hash is known with curl, as fast as they can.
func againstCurl(ctx context.Context, b *bench, r *report) error {
	d, err := newDuel(b, 0)
	if err != nil {
		return err
	}
	defer d.close()
	if _, err := d.again(ctx); err != nil { // fills the cache
		return err
	}
	rounds, err := turns(ctx, b.rounds, d.first, d.again, d.curl, d.sha512sum)
	if err != nil {
		return err
	}
	var firstWall, firstCPU, reads, againWall, againCPU, sums []float64
	for _, took := range rounds {
		first, again, curl, sum := took[0], took[1], took[2], took[3]
		firstWall = append(firstWall, first.Whole.Seconds()/curl.Whole.Seconds())
		firstCPU = append(firstCPU, first.CPU.Seconds()/(curl.CPU+sum.CPU).Seconds())
		reads = append(reads, first.Read/float64(b.size))
		againWall = append(againWall, again.Whole.Seconds()/curl.Whole.Seconds())
		sums = append(sums, sum.Whole.Seconds()/curl.Whole.Seconds())
		againCPU = append(againCPU, again.CPU.Seconds()/curl.CPU.Seconds())
	}
	r.figure("upload_first_wall_vs_curl", median(firstWall), 2, spread(firstWall)+fmt.Sprintf("; sha512sum alone, with nothing beside it: %.2f", median(sums)))
	r.figure("upload_first_cpu_vs_curl_sha512", median(firstCPU), 2, spread(firstCPU))
	if slices.Max(reads) > 0 { // only Linux tells it
		r.figure("upload_first_reads", median(reads), 2, "all that the process read, its connections included; "+spread(reads))
	}
	r.figure("upload_again_wall_vs_curl", median(againWall), 2, spread(againWall))
	r.figure("upload_again_cpu_vs_curl", median(againCPU), 2, spread(againCPU))
	return nil
}

// againstCurlPaced compares a first upload with curl at a server that takes 4 Gbit/s.
func againstCurlPaced(ctx context.Context, b *bench, r *report) error {
	d, err := newDuel(b, link)
	if err != nil {
		return err
	}
	defer d.close()
	rounds, err := turns(ctx, b.rounds, d.first, d.curl, d.hash)
	if err != nil {
		return err
	}
	var ratios, hashes []float64
	for _, took := range rounds {
		ratios = append(ratios, took[0].Whole.Seconds()/took[1].Whole.Seconds())
		hashes = append(hashes, took[2].Whole.Seconds()/took[1].Whole.Seconds())
	}
	r.figure("upload_first_wall_vs_curl_4g", median(ratios), 2, spread(ratios)+fmt.Sprintf("; SHA-512 alone, with nothing beside it: %.2f", median(hashes)))
	return nil
}

// behindNginx starts nginx with two ways to it, without and with a round trip of 10 ms.
func behindNginx(ctx context.Context, b *bench, backend http.Handler) (near, far task, stop func(), err error) {
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

// parallel makes ten images at once of a file whose hash is known, with a round trip of 10 ms, by turns with ten curls.
// The server takes the time: from the first byte of the first upload to the end of the last.
func parallel(ctx context.Context, b *bench, r *report) error {
	server := newCluster()
	_, far, stop, err := behindNginx(ctx, b, server)
	if err != nil {
		return err
	}
	defer stop()
	file, err := b.file("parallel.img", b.size/16)
	if err != nil {
		return err
	}
	if server.checksum, err = sha512Of(file); err != nil {
		return err
	}
	ca := filepath.Join(b.dir, "nginx.pem")
	if err := os.WriteFile(ca, []byte(far.CA), 0o600); err != nil {
		return err
	}
	const uploads = 10
	ours := provisionTask{URL: far.URL, CA: far.CA, File: file, Images: imageNames("bench", 1), cache: filepath.Join(b.dir, "warm")}
	if _, err := ours.run(ctx); err != nil { // fills the cache
		return err
	}
	ours.Images = imageNames("bench", uploads)
	var ratios []float64
	for range b.rounds {
		server.receiver.span.take()
		if _, err := ours.run(ctx); err != nil {
			return err
		}
		mine := server.receiver.span.take()
		if err := together(uploads, func() *exec.Cmd { return curlUpload(ctx, ca, file, far.URL) }); err != nil {
			return err
		}
		ratios = append(ratios, server.receiver.span.take().Seconds()/mine.Seconds())
	}
	r.figure("upload_10_parallel_vs_10_curl", median(ratios), 2, spread(ratios))
	return nil
}

// together runs as many commands at once.
func together(count int, command func() *exec.Cmd) error {
	ends := make(chan error)
	for range count {
		go func() {
			_, _, err := clock(command())
			ends <- err
		}()
	}
	var failures []error
	for range count {
		failures = append(failures, <-ends)
	}
	return errors.Join(failures...)
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
