// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Command sandbox runs a Harvester cluster without hardware in one process.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/pace"
	"github.com/harvester-community/terraform-provider-harvester/internal/sandbox/process"
)

const (
	// stopPatience is how long a sandbox gets to stop by itself.
	stopPatience = 20 * time.Second
	// exitNotRunning is what service managers expect of a status command.
	exitNotRunning = 3
)

func main() { os.Exit(run(os.Stderr)) }

// run runs the command line and returns the exit status.
func run(terminal io.Writer) int {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	err := newCommand().ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, process.ErrNotRunning):
		fmt.Fprintln(terminal, "The sandbox is not running.")
		return exitNotRunning
	}
	fmt.Fprintln(terminal, "Error:", err)
	return 1
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "sandbox",
		Short:         "A Harvester cluster without hardware, in one process",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	dir := root.PersistentFlags().String("dir", defaultDir(), "folder that keeps the sandbox's state")
	root.AddCommand(startCommand(dir), stopCommand(dir), statusCommand(dir), kubeconfigCommand(dir), faultsCommand(dir))
	return root
}

// defaultDir is in the user's cache, so that it does not depend on where the
// command is run.
func defaultDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ".sandbox"
	}
	return filepath.Join(cache, "terraform-provider-harvester", "sandbox")
}

func startCommand(dir *string) *cobra.Command {
	var options startOptions
	var detach, withParent bool
	paceName := pace.Fast.String()
	command := &cobra.Command{
		Use:   "start",
		Short: "Start a sandbox, or the one of the folder again",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			if options.dir, err = filepath.Abs(*dir); err != nil {
				return err
			}
			if options.pace, err = pace.Parse(paceName); err != nil {
				return err
			}
			ctx := command.Context()
			if detach {
				return startDetached(ctx, options)
			}
			if withParent {
				ctx = process.WithParent(ctx)
			}
			return start(ctx, options)
		},
	}
	flags := command.Flags()
	flags.IntVar(&options.port, "port", 0, "port to listen on; 0 is the one of the last start, or any free one")
	flags.StringVar(&paceName, "pace", paceName, "how fast the simulated hardware works: fast or real")
	flags.BoolVar(&options.debug, "debug", false, "log every request")
	flags.BoolVar(&detach, "detach", false, "run in the background, and return when the sandbox is ready")
	flags.BoolVar(&withParent, "with-parent", false, "stop when the parent process ends")
	_ = flags.MarkHidden("with-parent")
	return command
}

func startDetached(ctx context.Context, options startOptions) error {
	pid, err := process.PID(options.dir)
	if err == nil {
		return &process.RunningError{Dir: options.dir, PID: pid}
	}
	if !errors.Is(err, process.ErrNotRunning) {
		return err
	}
	arguments := []string{
		"start", "--dir", options.dir, "--port", fmt.Sprint(options.port), "--pace", options.pace.String(),
		fmt.Sprintf("--debug=%t", options.debug),
	}
	return process.Detach(ctx, options.dir, options.file("sandbox.log"), os.Stdout, arguments...)
}

func stopCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "Stop the sandbox; its state stays",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			err := process.Stop(command.Context(), *dir, stopPatience)
			if errors.Is(err, process.ErrNotRunning) {
				fmt.Println("The sandbox was not running.")
				return nil
			}
			return err
		},
	}
}

func statusCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell whether the sandbox runs; exit with 3 if not",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			pid, err := process.PID(*dir)
			if err != nil {
				return err
			}
			state, err := process.Read(*dir)
			if err != nil {
				return err
			}
			printStatus(*dir, pid, state)
			return nil
		},
	}
}

func printStatus(dir string, pid int, state process.State) {
	condition := "starting"
	if state.Ready && state.PID == pid {
		condition = "running"
	}
	fmt.Println("state:     ", condition)
	fmt.Println("process:   ", pid)
	fmt.Println("address:   ", "https://"+state.Address)
	fmt.Println("kubeconfig:", filepath.Join(dir, "kubeconfig"))
	if memory := process.Memory(pid); memory > 0 {
		fmt.Printf("memory:     %.2f GB\n", float64(memory)/1e9)
	}
	fmt.Println("uptime:    ", time.Since(state.Started).Round(time.Second))
}

func kubeconfigCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the sandbox's kubeconfig",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			content, err := os.ReadFile(filepath.Join(*dir, "kubeconfig"))
			if err != nil {
				return fmt.Errorf("the sandbox has never been started: %w", err)
			}
			_, err = os.Stdout.Write(content)
			return err
		},
	}
}
