// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package faultmatrix tries what can go wrong while an image is made: stage by
// stage, fault by fault, with terraform, the provider's program and the sandbox.
package faultmatrix

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/acctest"
)

// envFaults, set to "all", runs all rows instead of the fast ones.
const envFaults = "HARVESTER_FAULTS"

// row is one fault and what has to come of it. Without wants, the apply makes
// the image ready in spite of it. Otherwise the apply fails with that text, and
// the next apply, with the cause gone, makes the image ready.
type row struct {
	name  string
	wants string // pattern; letters of either case

	size     int    // of the file; 1 MiB if 0
	download bool   // the cluster fetches the file, instead of an upload
	more     string // more arguments of the image
	slow     bool   // takes more than some 10 s

	fault     acctest.Fault // of the sandbox, until the next apply
	trouble   []rule        // on the way, until the next apply
	before    func(*course) // before the apply
	meanwhile func(*course) // while the apply runs
	then      string        // what the next apply says as long as repair has not been done
	repair    func(*course) // removes the cause

	within time.Duration // from an interrupt to the end

	official verdict
}

// verdict is what the official provider makes of a fault, where that was tried: once, by hand, on the day of officialMeasured,
// with its commit adbcedb. No test here runs it.
type verdict string

const officialMeasured = "2026-11-24"

const (
	handled verdict = "handled"
	fails   verdict = "fails"
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "faultmatrix"); err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(scratch) }()
		code := m.Run()
		results.print()
		return code
	}())
}

func TestAccFaults(t *testing.T) {
	t.Parallel()
	acctest.Shared(t)
	all := os.Getenv(envFaults) == "all"
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.slow && !all {
				t.Skip("it is slow; make test-faults runs it")
			}
			started := time.Now()
			err := row.try(newCourse(t, row))
			results.add(row, err, time.Since(started))
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// try runs the row and returns what is not as stated.
func (r row) try(c *course) error {
	if r.before != nil {
		r.before(c)
	}
	var meanwhile sync.WaitGroup
	if r.meanwhile != nil {
		meanwhile.Go(func() { r.meanwhile(c) })
	}
	output, err := c.apply()
	ended := time.Now()
	meanwhile.Wait()
	if r.wants == "" {
		return c.ready(output, err)
	}
	if err := refused(output, err, r.wants); err != nil {
		return err
	}
	if took := ended.Sub(c.interrupted); r.within > 0 && took > r.within {
		return fmt.Errorf("it took %s to end, want at most %s", took, r.within)
	}
	if err := c.noOrphans(); err != nil {
		return err
	}
	c.proxy.heal()
	c.cluster.ClearFault(c.T, c.name)
	if r.then != "" {
		output, err := c.apply()
		if err := refused(output, err, r.then); err != nil {
			return fmt.Errorf("the next apply: %w", err)
		}
	}
	if r.repair != nil {
		r.repair(c)
	}
	if err := c.ready(c.apply()); err != nil {
		return fmt.Errorf("the apply after it: %w", err)
	}
	return nil
}

// results are what the rows came to.
var results tally

type tally struct {
	mu    sync.Mutex
	lines []line
}

type line struct {
	row
	good bool
	took time.Duration
}

func (l line) String() string {
	outcome := "ready"
	switch {
	case !l.good:
		outcome = "NOT AS STATED"
	case l.wants != "":
		outcome = "clear error, next apply converges"
	}
	return fmt.Sprintf("%6.1fs  %-54s %s", l.took.Seconds(), l.name, outcome)
}

func (t *tally) add(r row, err error, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, line{r, err == nil, took})
}

// print tells how many rows came out as stated, and each of them if all were to run.
func (t *tally) print() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return
	}
	if os.Getenv(envFaults) == "all" {
		slices.SortFunc(t.lines, func(a, b line) int { return cmp.Compare(a.name, b.name) })
		for _, l := range t.lines {
			_, _ = fmt.Fprintln(os.Stdout, l)
		}
	}
	tried := slices.DeleteFunc(slices.Clone(t.lines), func(l line) bool { return l.official == "" })
	_, _ = fmt.Fprintf(os.Stdout, "faults: %d rows, %d as stated\n", len(t.lines), count(t.lines, func(l line) bool { return l.good }))
	_, _ = fmt.Fprintf(os.Stdout, "faults: %d of these rows were tried with the official provider by hand once, on %s: it handled %d; now as stated: %d\n",
		len(tried), officialMeasured, count(tried, func(l line) bool { return l.official == handled }), count(tried, func(l line) bool { return l.good }))
}

func count(lines []line, is func(line) bool) (n int) {
	for _, l := range lines {
		if is(l) {
			n++
		}
	}
	return n
}
