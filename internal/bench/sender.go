// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/transfer"
)

// taskVariable makes this program a sender: it holds a task as JSON.
const taskVariable = "BENCH_TASK"

// task is what a sender does: sending a file with the code that harvester_image sends with.
type task struct {
	URL, CA string
	File    string
	// Scan hashes the file first; what is in the folder Cache is not hashed again.
	Scan  bool
	Cache string
	// Uploads is how many to send at the same time.
	Uploads int
}

// outcome is what a sender took.
type outcome struct {
	// Sending is the time from the first look at the file to the last answer;
	// Whole, that of the process; CPU, its user and system time.
	Sending, Whole, CPU time.Duration
	// Peak is the most memory that was resident, in KiB.
	Peak int64
	// Read is how many bytes were read, from the file and anywhere else; 0 where the system does not tell.
	Read float64
}

// send runs the task in a process of its own.
func send(ctx context.Context, t task) (outcome, error) { return child(ctx, taskVariable, t) }

// child runs this program with a task in that variable, and more variables. It tells the outcome on its standard output.
func child(ctx context.Context, variable string, task any, more ...string) (outcome, error) {
	text, err := json.Marshal(task)
	if err != nil {
		return outcome{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return outcome{}, err
	}
	command := exec.CommandContext(ctx, self) //nolint:gosec // this very program
	command.Env = append(append(os.Environ(), variable+"="+string(text)), more...)
	measured, output, err := clock(command)
	if err != nil {
		return outcome{}, err
	}
	told := outcome{}
	err = json.Unmarshal(output, &told)
	told.Whole, told.CPU = measured.Whole, measured.CPU
	return told, err
}

// clock runs a command and notes time and CPU time.
func clock(command *exec.Cmd) (result outcome, output []byte, err error) {
	var stderr bytes.Buffer
	command.Stderr = &stderr
	started := time.Now()
	output, err = command.Output()
	result.Whole = time.Since(started)
	if err != nil {
		return result, nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	result.CPU = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	return result, output, nil
}

// perform is the sender's side.
func perform(ctx context.Context, text string, out io.Writer) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	client, err := kube.Connect(kube.Connection{Host: t.URL, Token: "bench", CACertificate: t.CA}, "bench")
	if err != nil {
		return err
	}
	// As before the creation of an image. The upload then finds a connection open.
	if err := client.ProbeHarvesterAPI(ctx); err != nil {
		return err
	}
	started := time.Now()
	content, err := t.content(ctx)
	if err != nil {
		return err
	}
	if err := t.sendAll(ctx, client, content); err != nil {
		return err
	}
	result := outcome{Sending: time.Since(started)}
	if result.Peak, err = peak(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

func (t task) content(ctx context.Context) (transfer.Content, error) {
	file, err := transfer.Inspect(t.File)
	if err != nil || !t.Scan {
		return file.Unscanned(true), err
	}
	return transfer.Cache{Dir: t.Cache}.Scan(ctx, file, transfer.Treatment{Decompress: true, Pad: true})
}

func (t task) sendAll(ctx context.Context, client *kube.Client, content transfer.Content) error {
	ends := make(chan error)
	for i := range t.Uploads {
		upload := &transfer.Upload{URL: client.ImageURL("default", "bench-"+strconv.Itoa(i)), Part: "chunk", Content: content}
		go func() { ends <- upload.Send(ctx, client.Transfers()) }()
	}
	var failures []error
	for range t.Uploads {
		failures = append(failures, <-ends)
	}
	return errors.Join(failures...)
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak reads this process's own: that of a child, as the system accounts it,
// begins with its parent's.
func peak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, nil //nolint:nilerr // only Linux has it
	}
	found := highWater.FindSubmatch(status)
	if found == nil {
		return 0, errors.New("/proc/self/status tells no VmHWM")
	}
	return strconv.ParseInt(string(found[1]), 10, 64)
}
