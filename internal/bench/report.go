// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// goal is what a figure should be: at most the bound, or at least.
type goal struct {
	least bool
	bound float64
}

var goals = map[string]goal{
	"upload_wall_vs_curl":       {bound: 1.0},
	"upload_cpu_vs_curl":        {bound: 1.1},
	"upload_rtt10_vs_rtt0":      {bound: 1.2},
	"upload_10_parallel_vs_h2":  {least: true, bound: 8},
	"first_read_has_header":     {least: true, bound: 1},
	"hash_wall_overhead":        {bound: 1.05},
	"rss_extra_mib":             {bound: 8},
	"ready_to_done_p95_ms":      {bound: 100},
	"requests_per_100_images":   {bound: 120},
	"failed_import_to_error_ms": {bound: 1000},
	"plan_unchanged_hash_bytes": {bound: 0},

	"download_wall_vs_save_gz":   {bound: 1.05},
	"download_wall_vs_curl_gzip": {bound: 0.8},
	"broken_downloads_noticed":   {least: true, bound: 300},
	"plan_500vm_requests":        {bound: 10},
	"plan_500vm_wall_vs_core":    {bound: 2.0},
}

func (g goal) String() string {
	sign := "<="
	if g.least {
		sign = ">="
	}
	return fmt.Sprintf("goal %s %v", sign, g.bound)
}

func (g goal) met(value float64) bool {
	return g.least && value >= g.bound || !g.least && value <= g.bound
}

// report prints figures.
type report struct {
	out   io.Writer
	goals []string
}

// figure prints one, rounded to so many decimals, with what else is worth knowing.
func (r *report) figure(name string, value float64, decimals int, note string) {
	comment := note
	if goal, found := goals[name]; found {
		comment = goal.String()
		if !goal.met(value) {
			comment += ", MISSED"
		}
		if note != "" {
			comment += "; " + note
		}
	}
	fmt.Fprintf(r.out, "%s=%s  # %s\n", name, strconv.FormatFloat(value, 'f', decimals, 64), comment)
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

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
