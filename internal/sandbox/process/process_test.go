// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Variables that make the test binary play the process of a folder.
const (
	folderVariable   = "SANDBOX_TEST_FOLDER"
	behaviorVariable = "SANDBOX_TEST_BEHAVIOR"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(folderVariable); dir != "" {
		os.Exit(play(dir, os.Getenv(behaviorVariable)))
	}
	os.Exit(m.Run())
}

// play takes the lock, says so and behaves as told.
func play(dir, behavior string) int {
	if behavior == "fails" {
		fmt.Println("no luck")
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	lock, err := Acquire(dir)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer func() { _ = lock.Release() }()
	fmt.Println("here")
	if err := Write(dir, State{PID: os.Getpid(), Ready: true}); err != nil {
		return 1
	}
	if behavior == "deaf" {
		stop = nil
	}
	select {
	case <-stop:
	case <-time.After(time.Minute):
	}
	return 0
}

// launch starts a process of a folder and waits until it has the lock.
func launch(t *testing.T, dir, behavior string) *exec.Cmd {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), folderVariable+"="+dir, behaviorVariable+"="+behavior)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = command.Wait() }()
	t.Cleanup(func() { _ = command.Process.Kill(); <-ended })
	for {
		if state, err := Read(dir); err == nil && state.Ready {
			return command
		}
		select {
		case <-ended:
			t.Fatal("the process ended")
		case <-time.After(poll):
		}
	}
}

func TestNoProcess(t *testing.T) {
	if _, err := PID(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrNotRunning) {
		t.Error(err)
	}
	if err := Stop(t.Context(), t.TempDir(), time.Second); !errors.Is(err, ErrNotRunning) {
		t.Error(err)
	}
}

func TestOneProcessForAFolder(t *testing.T) {
	dir := t.TempDir()
	command := launch(t, dir, "")
	if pid, err := PID(dir); err != nil || pid != command.Process.Pid {
		t.Errorf("PID: %d, %v; want %d", pid, err, command.Process.Pid)
	}
	var running *RunningError
	if _, err := Acquire(dir); !errors.As(err, &running) || running.PID != command.Process.Pid {
		t.Errorf("Acquire: %v", err)
	}
	other, err := Acquire(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Release(); err != nil {
		t.Error(err)
	}
}

func TestStop(t *testing.T) {
	dir := t.TempDir()
	launch(t, dir, "")
	if err := Stop(t.Context(), dir, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := PID(dir); !errors.Is(err, ErrNotRunning) {
		t.Error(err)
	}
}

func TestStopKillsInTheEnd(t *testing.T) {
	dir := t.TempDir()
	launch(t, dir, "deaf")
	if err := Stop(t.Context(), dir, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if _, err := PID(dir); !errors.Is(err, ErrNotRunning) {
		t.Error(err)
	}
}

func TestLockIsFreeAfterAKill(t *testing.T) {
	dir := t.TempDir()
	command := launch(t, dir, "")
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for {
		lock, err := Acquire(dir)
		if err == nil {
			if err := lock.Release(); err != nil {
				t.Error(err)
			}
			return
		}
		if _, ok := errors.AsType[*RunningError](err); !ok {
			t.Fatal(err)
		}
		time.Sleep(poll)
	}
}

func TestDetach(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(folderVariable, dir)
	var output bytes.Buffer
	if err := Detach(t.Context(), dir, filepath.Join(dir, "log"), &output); err != nil {
		t.Fatal(err)
	}
	if output.String() != "here\n" {
		t.Errorf("output %q", output.String())
	}
	if err := Stop(t.Context(), dir, time.Minute); err != nil {
		t.Error(err)
	}
}

func TestDetachTellsOfFailure(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(folderVariable, dir)
	t.Setenv(behaviorVariable, "fails")
	var output bytes.Buffer
	if err := Detach(t.Context(), dir, filepath.Join(dir, "log"), &output); err == nil {
		t.Error("no error")
	}
	if !strings.Contains(output.String(), "no luck") {
		t.Errorf("output %q", output.String())
	}
}

func TestStateSurvives(t *testing.T) {
	dir := t.TempDir()
	if state, err := Read(dir); err != nil || state != (State{}) {
		t.Errorf("state of an empty folder: %+v, %v", state, err)
	}
	want := State{PID: 1, Ready: true, Address: "127.0.0.1:1", APIServer: "127.0.0.1:2"}
	if err := Write(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(dir); err != nil || got != want {
		t.Errorf("state %+v, %v; want %+v", got, err, want)
	}
}
