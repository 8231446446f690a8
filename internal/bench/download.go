// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"compress/gzip"
	"context"
	"crypto/sha512"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// downloadVariable makes this program a receiver: it holds a downloadTask as JSON.
const downloadVariable = "BENCH_DOWNLOAD"

// downloadTask is what a receiver does: downloading as harvester_image_download does.
type downloadTask struct {
	URL, CA string
	Target  string
	Size    int64
	SHA512  string
}

// fetch runs the task in a process of its own.
func (t downloadTask) fetch(ctx context.Context) (outcome, error) {
	return child(ctx, downloadVariable, t)
}

// performDownload is the receiver's side.
func performDownload(ctx context.Context, text string, out io.Writer) error {
	var t downloadTask
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	client, err := kube.Connect(kube.Connection{Host: t.URL, Token: "bench", CACertificate: t.CA}, "bench")
	if err != nil {
		return err
	}
	download := &transfer.Download{
		URL: client.ImageURL("default", "bench").JoinPath("download"), Packed: true, Size: t.Size, SHA512: t.SHA512,
		Target: transfer.Target{Path: t.Target, FileMode: 0o600, DirMode: 0o700},
	}
	received, err := download.Receive(ctx, client.Transfers())
	if err != nil {
		return err
	}
	if err := received.Commit(); err != nil {
		return err
	}
	memory, err := peak()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(outcome{Peak: memory})
}

// packer serves a file as Longhorn does: packed while it is sent, at gzip's default level.
func packer(file string) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		raw, err := os.Open(file)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer func() { _ = raw.Close() }()
		w.Header().Set("Content-Type", "application/octet-stream")
		packed := gzip.NewWriter(w)
		_, _ = io.Copy(packed, raw) // a client that hangs up reports it
		_ = packed.Close()
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	return server
}

// downloading gets 2 GiB by turns with this provider's code (unpacked, with holes, verified),
// with curl that saves what comes, and with curl that unpacks through gzip.
func downloading(ctx context.Context, b *bench, r *report) error {
	disk := filepath.Join(b.dir, "disk.img")
	sum, err := diskImage(disk, 2*gib)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(disk) }()
	server := packer(disk)
	defer server.Close()
	ca := filepath.Join(b.dir, "ca.pem")
	if err := os.WriteFile(ca, []byte(certificate(server)), 0o600); err != nil {
		return err
	}
	// Not in memory: what a download leaves out of the disk is a part of how fast it is.
	disks, err := os.MkdirTemp("", "bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(disks) }()
	target := filepath.Join(disks, "target")
	ours := downloadTask{URL: server.URL, CA: certificate(server), Target: target, Size: 2 * gib, SHA512: sum}
	curl := fmt.Sprintf("exec %s -sSf --http1.1 --noproxy '*' --cacert '%s' '%s/'", program("curl"), ca, server.URL)
	var saving, unpacking, memory []float64
	for range b.rounds {
		mine, err := ours.fetch(ctx)
		if err != nil {
			return err
		}
		saved, err := shell(ctx, target, curl+" > '"+target+"'")
		if err != nil {
			return err
		}
		unpacked, err := shell(ctx, target, "("+curl+") | gzip -dc > '"+target+"'")
		if err != nil {
			return err
		}
		saving = append(saving, mine.Whole.Seconds()/saved.Whole.Seconds())
		unpacking = append(unpacking, mine.Whole.Seconds()/unpacked.Whole.Seconds())
		memory = append(memory, float64(mine.Peak)/1024)
	}
	r.figure("download_wall_vs_save_gz", median(saving), 2, spread(saving)+fmt.Sprintf("; %.0f MiB of memory", median(memory)))
	r.figure("download_wall_vs_curl_gzip_live", median(unpacking), 2, spread(unpacking)+"; both wait for the server, which packs on one core")
	return stored(ctx, b, r, disk, ours)
}

// stored compares with curl and gzip once more, at a server that has the image packed already: then
// the clients are what takes the time.
func stored(ctx context.Context, b *bench, r *report, disk string, ours downloadTask) error {
	packed := filepath.Join(b.dir, "disk.gz")
	defer func() { _ = os.Remove(packed) }()
	if _, err := shell(ctx, packed, "gzip -c '"+disk+"' > '"+packed+"'"); err != nil {
		return err
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { http.ServeFile(w, req, packed) }))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	ca := filepath.Join(b.dir, "stored.pem")
	if err := os.WriteFile(ca, []byte(certificate(server)), 0o600); err != nil {
		return err
	}
	ours.URL, ours.CA = server.URL, certificate(server)
	curl := fmt.Sprintf("%s -sSf --http1.1 --noproxy '*' --cacert '%s' '%s/' | gzip -dc > '%s'", program("curl"), ca, server.URL, ours.Target)
	ratios := make([]float64, 0, b.rounds)
	for range b.rounds {
		mine, err := ours.fetch(ctx)
		if err != nil {
			return err
		}
		theirs, err := shell(ctx, ours.Target, curl)
		if err != nil {
			return err
		}
		ratios = append(ratios, mine.Whole.Seconds()/theirs.Whole.Seconds())
	}
	r.figure("download_wall_vs_curl_gzip_stored", median(ratios), 2, "from a server that has the image packed already; "+spread(ratios))
	return nil
}

// shell runs a line, without the file of an earlier one.
func shell(ctx context.Context, target, line string) (result outcome, err error) {
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return result, err
	}
	result, _, err = clock(exec.CommandContext(ctx, "sh", "-c", line)) //nolint:gosec // of this program's making
	return result, err
}

// diskImage makes a file like the disk of a small installation: 27 % of it holds data, in runs
// of 4 KiB to 4 MiB, which packs to about a third. It returns the file's SHA-512.
func diskImage(path string, size int64) (sum string, err error) {
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // must be the same each time
	words := make([][]byte, 4096)
	for i := range words {
		words[i] = fmt.Appendf(nil, "%x ", random.Uint64()>>random.IntN(40))
	}
	text := make([]byte, 0, 4*mib)
	for at := int64(0); at < size; {
		run := min(int64(4096)<<random.IntN(11), size-at)
		text = text[:0]
		for int64(len(text)) < run {
			text = append(text, words[random.IntN(len(words))]...)
		}
		if _, err := file.WriteAt(text[:run], at); err != nil {
			return "", err
		}
		at += run * 100 / 27 / 4096 * 4096
	}
	if err := file.Truncate(size); err != nil {
		return "", err
	}
	hash := sha512.New()
	if _, err := io.Copy(hash, io.NewSectionReader(file, 0, size)); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
