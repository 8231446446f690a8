// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"os/exec"
	"testing"
	"time"
)

// A process that has ended does not run, even while its parent has not asked for its exit code.
func TestZombiesDoNotRun(t *testing.T) {
	t.Parallel()
	command := exec.CommandContext(t.Context(), "true")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Wait() }()
	maker := maker{Process: command.Process.Pid, Started: "42"}
	for deadline := time.Now().Add(10 * time.Second); started(maker.Process) != "ended"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is %q", started(maker.Process))
		}
	}
	if running(maker) {
		t.Error("it runs")
	}
}
