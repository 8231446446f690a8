// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Command bench measures what this provider promises about speed and thrift, and
// prints one figure a line with its goal; where one is missed, it exits with 1. Uploads go through loopback to servers of its own, so
// figures are ratios of two runs that take turns, or counts; none depends on
// how fast the machine is.
//
// The sending side runs in a process of its own, for its CPU time and memory
// to be told from those of the server: this program again, with a task in the environment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// A benchmark measures the figures it names.
type benchmark struct {
	figures []string
	needs   []string // programs
	run     func(ctx context.Context, bench *bench, report *report) error
}

var benchmarks = []benchmark{
	{[]string{
		"upload_first_wall_vs_curl", "upload_first_cpu_vs_curl_sha512", "upload_first_reads", "upload_again_wall_vs_curl", "upload_again_cpu_vs_curl",
	}, []string{"curl", "sha512sum"}, againstCurl},
	{[]string{"upload_first_wall_vs_curl_4g"}, []string{"curl"}, againstCurlPaced},
	{[]string{"upload_rtt10_vs_rtt0"}, []string{"nginx"}, latency},
	{[]string{"upload_10_parallel_vs_10_curl"}, []string{"nginx", "curl"}, parallel},
	{[]string{"first_read_has_header"}, []string{"nginx"}, firstRead},
	{[]string{"hash_wall_overhead"}, nil, hashing},
	{[]string{"rss_extra_mib"}, nil, memory},
	{[]string{"ready_to_done_p95_ms"}, nil, readyToDone},
	{[]string{"requests_per_100_images"}, nil, requests},
	{[]string{"requests_per_100_uploads"}, []string{"terraform"}, uploadRequests},
	{[]string{"failed_import_to_error_ms"}, nil, failedImport},
	{[]string{"plan_unchanged_hash_bytes"}, nil, unchangedPlan},
	{[]string{"download_wall_vs_save_gz", "download_wall_vs_curl_gzip_live", "download_wall_vs_curl_gzip_stored"}, []string{"curl", "gzip"}, downloading},
	{[]string{"broken_downloads_noticed"}, nil, brokenDownloads},
	{[]string{"plan_500vm_requests", "plan_500vm_wall_vs_null"}, []string{"terraform"}, planMany},
	{[]string{"plan_5000vm_wall_vs_500vm", "plan_5000vm_rss_mib"}, []string{"terraform"}, planGrowth},
	{[]string{"soak_rss_last_vs_first", "soak_files_left"}, []string{"terraform"}, soak},
}

// apart are the first figures of benchmarks that take so long that they run only if they are asked for.
var apart = []string{"soak_rss_last_vs_first"}

// tasks are what a process of this program's own does, by the variable that holds it.
var tasks = map[string]func(ctx context.Context, task string, out io.Writer) error{
	taskVariable: perform, downloadVariable: performDownload, provisionVariable: performProvision,
}

func main() {
	provider.CollectGarbage() // as the program does whose parts are measured
	for variable, perform := range tasks {
		if task := os.Getenv(variable); task != "" {
			exitOn(profiled(variable, func() error { return perform(context.Background(), task, os.Stdout) }))
			return
		}
	}
	only := flag.String("run", "", "measure only figures that match this regular expression")
	bench := &bench{takeMarksOff: objects.KeepMarks(objects.StateKept)}
	size := flag.Int64("size", uploadSize/mib, "how large a file is compared with curl, in MiB; goals are for the default")
	flag.IntVar(&bench.rounds, "rounds", 5, "how many pairs a median is taken over")
	flag.StringVar(&bench.provider, "provider", "", "the provider's program, for what runs terraform")
	flag.IntVar(&bench.soak, "soak", 0, "how many objects of each kind the soak has; goals are for the default")
	profile := flag.String("profile", "", "a folder for CPU profiles of what uploads, downloads and sees imports end; read them with go tool pprof -top")
	flag.Parse()
	if *profile != "" {
		exitOn(os.Setenv(profileVariable, *profile))
	}
	bench.size = *size * mib
	pattern, err := regexp.Compile(*only)
	exitOn(err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	exitOn(bench.open())
	err = measure(ctx, os.Stdout, pattern, bench)
	bench.close()
	exitOn(err)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure runs the benchmarks whose figures match. One that fails or misses its goal does not keep the others from running,
// and is an error in the end.
func measure(ctx context.Context, out io.Writer, only *regexp.Regexp, bench *bench) error {
	fmt.Fprintln(out, "#", machine())
	var failures []error
	for _, b := range benchmarks {
		wanted := slices.ContainsFunc(b.figures, only.MatchString) && (only.String() != "" || !slices.Contains(apart, b.figures[0]))
		if !wanted || ctx.Err() != nil {
			continue
		}
		report := &report{out: out, goals: b.figures}
		if missing := missingProgram(b.needs); missing != "" {
			report.skip(missing + " is not installed; " + sources[missing])
			continue
		}
		if err := b.run(ctx, bench, report); err != nil {
			failures = append(failures, fmt.Errorf("%v: %w", b.figures, err))
		}
		for _, figure := range report.missed {
			failures = append(failures, errors.New(figure))
		}
	}
	return errors.Join(append(failures, ctx.Err())...)
}

// machine says what the figures were measured on, and how busy it is.
func machine() string {
	description := fmt.Sprintf("%s/%s with %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		description += ", load " + strings.Fields(string(load))[0]
	}
	return description + ", " + time.Now().UTC().Format(time.DateTime)
}

// sources say where the programs that benchmarks need come from.
var sources = map[string]string{
	"curl":      "on Debian: apt-get install curl",
	"nginx":     "on Debian: apt-get install nginx-light",
	"sha512sum": "on Debian: apt-get install coreutils",
	"terraform": "see https://developer.hashicorp.com/terraform/install",
}

func missingProgram(names []string) string {
	for _, name := range names {
		if program(name) == "" {
			return name
		}
	}
	return ""
}

// program finds a program, also where only root's PATH looks.
func program(name string) string {
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	return ""
}
