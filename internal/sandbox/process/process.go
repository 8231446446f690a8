// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package process keeps one process for a folder: it knows whether one runs and
// which, starts it in the background and stops it.
package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrNotRunning is returned where a running process is needed.
var ErrNotRunning = errors.New("not running")

// State is what a process tells about itself. It outlives the process, so that
// the next one can use the same ports.
type State struct {
	// PID is the process that wrote the state.
	PID int `json:"pid"`
	// Started is when it started.
	Started time.Time `json:"started"`
	// Ready tells that it can be used.
	Ready bool `json:"ready"`
	// Address and APIServer are host and port of the front and of kube-apiserver.
	Address   string `json:"address"`
	APIServer string `json:"apiServer"`
}

// Lock is held by the process of a folder as long as it lives. The system
// releases it however the process ends.
type Lock struct{ file *os.File }

// Acquire takes the lock of a folder. It fails with a *RunningError if another
// process has it.
func Acquire(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(lockFile(dir), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &RunningError{dir, readPID(dir)}
		}
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	if err := errors.Join(file.Truncate(0), write(file, os.Getpid())); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Lock{file}, nil
}

// Release gives the lock back.
func (l *Lock) Release() error { return l.file.Close() }

// RunningError tells that a folder has a process already.
type RunningError struct {
	Dir string
	PID int
}

// Error implements error.
func (e *RunningError) Error() string {
	return fmt.Sprintf("a sandbox is already running in %s (process %d)", e.Dir, e.PID)
}

// PID returns the process of a folder, or ErrNotRunning.
func PID(dir string) (int, error) {
	if _, err := os.Stat(lockFile(dir)); errors.Is(err, fs.ErrNotExist) {
		return 0, ErrNotRunning
	}
	file, err := os.Open(lockFile(dir))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	// A shared lock is refused only while the process holds its own.
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return 0, ErrNotRunning
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, err
	}
	return readPID(dir), nil
}

// Read returns the last state written in a folder; it is empty if there is none.
func Read(dir string) (State, error) {
	var state State
	content, err := os.ReadFile(stateFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	if err != nil {
		return state, err
	}
	return state, json.Unmarshal(content, &state)
}

// Write replaces the state of a folder.
func Write(dir string, state State) error {
	content, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	fresh := stateFile(dir) + ".new"
	if err := os.WriteFile(fresh, content, 0o600); err != nil {
		return err
	}
	return os.Rename(fresh, stateFile(dir))
}

func lockFile(dir string) string  { return filepath.Join(dir, "lock") }
func stateFile(dir string) string { return filepath.Join(dir, "state.json") }

func write(file *os.File, pid int) error {
	_, err := fmt.Fprintln(file, pid)
	return err
}

// readPID returns 0 in the moment before a new process has written its number.
func readPID(dir string) int {
	content, err := os.ReadFile(lockFile(dir))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0
	}
	return pid
}
