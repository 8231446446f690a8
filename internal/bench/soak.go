// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// sandboxVariable names the folder of a running sandbox.
	sandboxVariable = "HARVESTER_SANDBOX_DIR"
	// soakUploads are images that are uploaded, soakAbreast at a time.
	soakUploads, soakAbreast = 300, 30
	// soakMachines have an image and a volume each, and are made and destroyed again and again.
	soakMachines = 200
)

// soak makes many objects in a sandbox again and again, and looks whether the provider grows or leaves anything behind.
func soak(ctx context.Context, b *bench, r *report) error {
	dir := os.Getenv(sandboxVariable)
	if dir == "" {
		r.skip("needs a sandbox, which make bench RUN=soak starts")
		return nil
	}
	sandbox, err := startGateway(filepath.Join(dir, "kubeconfig"))
	if err != nil {
		return err
	}
	defer sandbox.stop()
	uploads, machines := soakUploads, soakMachines
	if b.soak > 0 {
		uploads, machines = b.soak, b.soak
	}
	many, err := newSoaking(b, sandbox, soakProvider+uploadsConfig("soak", uploads), uploads, 8*mib)
	if err != nil {
		return err
	}
	if _, err := many.round(ctx, r, fmt.Sprintf("%d images", uploads)); err != nil {
		return err
	}
	estate, err := newSoaking(b, sandbox, soakProvider+uploadsConfig("soak", machines)+soakConfig(machines), machines, mib)
	if err != nil {
		return err
	}
	var peaks []float64
	for i := range b.rounds {
		peak, err := estate.round(ctx, r, fmt.Sprintf("round %d of %d images, volumes and virtual machines", i+1, machines))
		if err != nil {
			return err
		}
		peaks = append(peaks, float64(peak)/1024)
	}
	if first, last := peaks[0], peaks[len(peaks)-1]; first > 0 { // only Linux tells it
		r.figure("soak_rss_last_vs_first", last/first, 2, fmt.Sprintf("from %.0f to %.0f MiB in %d rounds", first, last, len(peaks)))
	}
	var left []string
	for _, one := range []*soaking{many, estate} {
		found, err := one.left()
		if err != nil {
			return err
		}
		left = append(left, found...)
	}
	r.figure("soak_files_left", float64(len(left)), 0, strings.Join(left, " "))
	return nil
}

// soaking is a workspace that is applied and destroyed.
type soaking struct {
	*workspace
	*gateway
	// files is how many it uploads.
	files int
}

func newSoaking(b *bench, sandbox *gateway, config string, files int, size int64) (*soaking, error) {
	work, err := newWorkspace(b, config, sandbox.Server)
	if err != nil {
		return nil, err
	}
	work.env = append(work.env, "TMPDIR="+work.path("tmp"))
	if err := os.Mkdir(work.path("tmp"), 0o700); err != nil {
		return nil, err
	}
	return &soaking{work, sandbox, files}, b.files(work.path("soak"), files, size)
}

// round applies and destroys, and says what that took. It returns the most memory that a provider had resident, in KiB.
func (s *soaking) round(ctx context.Context, r *report, what string) (peak int64, err error) {
	for _, command := range []string{"apply", "destroy"} {
		s.requests.Store(0)
		_, took, err := s.timed(ctx, command, "-auto-approve", fmt.Sprintf("-parallelism=%d", soakAbreast))
		if err != nil {
			return 0, err
		}
		peak = max(peak, took.peak)
		r.note("%s: %s took %.1f s and %d requests; %v", what, command, took.wall.Seconds(), s.requests.Load(), took.usage)
	}
	return peak, nil
}

// left are the files in the temporary folder, and those in the cache but for what is known of each file.
func (s *soaking) left() (left []string, err error) {
	known := 0
	for _, folder := range []string{"tmp", "cache"} {
		err := filepath.WalkDir(s.path(folder), func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir():
			case folder == "cache" && filepath.Ext(path) == ".json" && known < s.files:
				known++
			default:
				left = append(left, path)
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the cache is made when it is needed
			return nil, err
		}
	}
	return left, nil
}

var soakProvider = fmt.Sprintf("provider \"harvester\" {\n  max_parallel_uploads = %d\n}\n", soakAbreast)

func soakConfig(machines int) string {
	return fmt.Sprintf(`
resource "harvester_volume" "soak" {
  count = %[1]d
  name  = "soak-${count.index}"
  size  = "1Gi"
}

resource "harvester_virtualmachine" "soak" {
  count  = %[1]d
  name   = "soak-${count.index}"
  memory = "1Gi"
  disk {
    name        = "root"
    size        = "1Gi"
    image       = harvester_image.soak[count.index].id
    auto_delete = true
  }
  disk {
    name                 = "data"
    existing_volume_name = harvester_volume.soak[count.index].name
  }
  network_interface {
    name = "default"
  }
}
`, machines)
}

// gateway passes requests on to a cluster and counts them.
type gateway struct {
	*httptest.Server
	requests atomic.Int64
}

// startGateway starts one that has the rights of that kubeconfig, whatever it is asked with.
func startGateway(kubeconfig string) (*gateway, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization") // the transport has the right one
		},
		Transport: transport, FlushInterval: -time.Nanosecond, // watches send little
		ErrorLog: log.New(io.Discard, "", 0), // providers hang up on watches
	}
	g := &gateway{}
	g.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.requests.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	g.EnableHTTP2 = true
	g.StartTLS()
	return g, nil
}

func (g *gateway) stop() {
	g.CloseClientConnections()
	g.Close()
}
