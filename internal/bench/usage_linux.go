// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what the providers of a workspace needed.
type usage struct {
	// peak is the most memory that one of them had resident, in KiB.
	peak int64
	// files is the most files and connections that one of them had open at a time.
	files int
}

// observe looks at the providers that run in that folder, until the function that it returns is called.
func observe(dir string) (used func() usage) {
	stop, seen := make(chan struct{}), make(chan usage)
	go func() {
		var most usage
		for {
			for _, process := range providers(dir) {
				most.peak = max(most.peak, highWaterOf(process))
				most.files = max(most.files, openFiles(process))
			}
			select {
			case <-stop:
				seen <- most
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() usage {
		close(stop)
		return <-seen
	}
}

// providers are the folders in /proc of the processes with that working directory that are not terraform itself.
func providers(dir string) (found []string) {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, process := range processes {
		in, _ := os.Readlink(filepath.Join(process, "cwd"))
		program, _ := os.Readlink(filepath.Join(process, "exe"))
		if in == dir && strings.HasPrefix(filepath.Base(program), "terraform-provider-") {
			found = append(found, process)
		}
	}
	return found
}

// highWaterOf is the most memory that a process had resident, in KiB; 0 if it has ended.
func highWaterOf(process string) int64 {
	status, _ := os.ReadFile(filepath.Join(process, "status"))
	found := highWater.FindSubmatch(status)
	if found == nil {
		return 0
	}
	peak, _ := strconv.ParseInt(string(found[1]), 10, 64)
	return peak
}

func openFiles(process string) int {
	files, _ := os.ReadDir(filepath.Join(process, "fd"))
	return len(files)
}

func (u usage) String() string {
	return fmt.Sprintf("%.0f MiB resident, %d files open", float64(u.peak)/1024, u.files)
}
