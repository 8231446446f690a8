// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// goal is what a figure should be: at most the bound, or at least.
type goal struct {
	least bool
	bound float64
	// limit is what keeps the figure from being better, where that is known. It is said where the goal is missed.
	limit string
}

var goals = map[string]goal{
	"upload_first_wall_vs_curl":       {bound: 1.5, limit: "two cores carry sender, hash and receiver"},
	"upload_first_cpu_vs_curl_sha512": {bound: 1.1},
	"upload_first_reads":              {bound: 1.0},
	"upload_first_wall_vs_curl_4g":    {bound: 1.05, limit: "one core computes SHA-512 about as fast as the link takes bytes, if it has nothing else to do"},
	"upload_again_wall_vs_curl":       {bound: 1.0},
	"upload_again_cpu_vs_curl":        {bound: 1.0},
	"upload_10_parallel_vs_10_curl":   {least: true, bound: 0.98},

	"upload_rtt10_vs_rtt0":      {bound: 1.2},
	"first_read_has_header":     {least: true, bound: 1},
	"hash_wall_overhead":        {bound: 1.05},
	"rss_extra_mib":             {bound: 8},
	"ready_to_done_p95_ms":      {bound: 100},
	"requests_per_100_images":   {bound: 120, limit: "each creation renews its mark while it lasts, twice in these 30 s, and takes it off"},
	"requests_per_100_uploads":  {bound: 450, limit: "each creation is rehearsed in the plan and in the apply, and takes its mark off"},
	"failed_import_to_error_ms": {bound: 1000},
	"plan_unchanged_hash_bytes": {bound: 0},

	"download_wall_vs_save_gz":          {bound: 1.03, limit: "the server packs on one core"},
	"download_wall_vs_curl_gzip_live":   {bound: 1.0, limit: "the server packs on one core"},
	"download_wall_vs_curl_gzip_stored": {bound: 0.5},
	"broken_downloads_noticed":          {least: true, bound: 300},

	"plan_500vm_requests":       {bound: 10},
	"plan_500vm_wall_vs_null":   {bound: 2.0, limit: "five sixths of what the provider computes is the plugin framework, which walks the schema from its root for each value"},
	"plan_5000vm_wall_vs_500vm": {bound: 11, limit: "Terraform itself, which takes more than ten times as long for ten times as many instances of anything"},
	"plan_5000vm_rss_mib":       {bound: 600},

	"soak_rss_last_vs_first": {bound: 1.1},
	"soak_files_left":        {bound: 0},
}

func (g goal) String() string {
	sign := "<="
	if g.least {
		sign = ">="
	}
	return fmt.Sprintf("%s %v", sign, g.bound)
}

func (g goal) met(value float64) bool {
	return g.least && value >= g.bound || !g.least && value <= g.bound
}

// verdict says nothing of a goal that is met, else by how much it is missed.
func (g goal) verdict(value float64) string {
	if g.met(value) {
		return ""
	}
	missed := fmt.Sprintf("MISSED by %.3g", math.Abs(value-g.bound))
	if g.bound != 0 {
		missed += fmt.Sprintf(" (%.1f %%)", 100*math.Abs(value-g.bound)/g.bound)
	}
	if g.limit != "" {
		missed += "; what bounds it: " + g.limit
	}
	return missed
}

// report prints figures.
type report struct {
	out   io.Writer
	goals []string
	// missed are those whose goal was.
	missed []string
}

// figure prints one, rounded to so many decimals, with its goal and what else is worth knowing. What is printed is
// what has to meet the goal.
func (r *report) figure(name string, value float64, decimals int, note string) {
	shown := strconv.FormatFloat(value, 'f', decimals, 64)
	value, _ = strconv.ParseFloat(shown, 64) // just written
	goal := goals[name]
	comment := []string{"goal " + goal.String()}
	if verdict := goal.verdict(value); verdict != "" {
		r.missed = append(r.missed, fmt.Sprintf("%s=%s, %s: %s", name, shown, comment[0], verdict))
		comment = append(comment, verdict)
	}
	if note != "" {
		comment = append(comment, note)
	}
	fmt.Fprintf(r.out, "%s=%s  # %s\n", name, shown, strings.Join(comment, "; "))
}

// note says what no goal is for.
func (r *report) note(format string, arguments ...any) {
	fmt.Fprintf(r.out, "# "+format+"\n", arguments...)
}

// skip says for every figure why it is not there.
func (r *report) skip(reason string) {
	for _, name := range r.goals {
		fmt.Fprintf(r.out, "%s=skipped  # %s\n", name, reason)
	}
}

// median of the values, which it sorts.
func median(values []float64) float64 { return percentile(values, 50) }

// percentile of the values, which it sorts: the smallest that so many percent do not exceed.
func percentile(values []float64, percent int) float64 {
	slices.Sort(values)
	return values[max(0, (len(values)*percent+99)/100-1)]
}

// spread tells how many pairs there were, and how far they lie apart. The values are sorted.
func spread(values []float64) string {
	return fmt.Sprintf("%d pairs from %.2f to %.2f", len(values), values[0], values[len(values)-1])
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
