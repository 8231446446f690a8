// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const poll = 50 * time.Millisecond

// Stop asks the process of a folder to end, kills it when patience runs out,
// and returns when it has gone.
func Stop(ctx context.Context, dir string, patience time.Duration) error {
	killAt := time.Now().Add(patience)
	asked := 0
	for {
		pid, err := PID(dir)
		if errors.Is(err, ErrNotRunning) && asked != 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if err := urge(pid, &asked, time.Now().After(killAt)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
}

// urge asks a process once, and from then on only if it is to be killed.
func urge(pid int, asked *int, kill bool) error {
	signal := syscall.SIGTERM
	switch {
	case pid == 0:
		return nil
	case kill:
		signal = syscall.SIGKILL
	case *asked == pid:
		return nil
	}
	*asked = pid
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stopping process %d: %w", pid, err)
	}
	return nil
}

// Detach runs this program with other arguments in a session of its own and
// copies what it writes to logFile until the process of dir is ready. It fails
// if the process ends before.
func Detach(ctx context.Context, dir, logFile string, output io.Writer, arguments ...string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	log, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	command, err := spawn(log, arguments)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	return follow(ctx, dir, logFile, output, command.Process, ended)
}

func spawn(log *os.File, arguments []string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(program, arguments...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command, command.Start()
}

func follow(ctx context.Context, dir, logFile string, output io.Writer, process *os.Process, ended <-chan error) error {
	log, err := os.Open(logFile)
	if err != nil {
		return err
	}
	defer log.Close()
	for {
		// The state is read before the log, which is complete when it is ready.
		state, err := Read(dir)
		if _, copyErr := io.Copy(output, log); err == nil {
			err = copyErr
		}
		if err != nil || state.Ready && state.PID == process.Pid {
			return err
		}
		select {
		case err := <-ended:
			_, _ = io.Copy(output, log)
			return fmt.Errorf("the sandbox did not start: %w", err)
		case <-ctx.Done():
			_ = process.Signal(syscall.SIGTERM)
			return errors.Join(ctx.Err(), <-ended)
		case <-time.After(poll):
		}
	}
}

// WithParent returns a context that ends when the parent process has ended.
func WithParent(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		cancel(errors.New("the parent process has ended"))
	}()
	return ctx
}

// Memory is the resident memory of a process in bytes, 0 where the system does
// not tell.
func Memory(pid int) int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
