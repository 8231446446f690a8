// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
)

// profileVariable names the folder for profiles, for the processes that this program starts of itself.
const profileVariable = "BENCH_PROFILE"

// profiled runs a task, and writes what its CPU time went into if profiles are wanted.
func profiled(task string, run func() error) error {
	dir := os.Getenv(profileVariable)
	if dir == "" {
		return run()
	}
	file, err := os.CreateTemp(dir, fmt.Sprintf("%s-%d-*.pprof", strings.ToLower(task), os.Getpid()))
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(err, file.Close())
	}
	err = run()
	pprof.StopCPUProfile()
	return errors.Join(err, file.Close())
}
