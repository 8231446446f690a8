// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-harvester is the Terraform provider for Harvester.
// With the argument "watch" it shows the images that a cluster is importing, with "doctor" what is wrong with the connection to it.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/harvester-community/terraform-provider-harvester/internal/doctor"
	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/progress"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// version and commit are set by make build.
var (
	version = "dev"
	commit  string
)

const usage = `Usage: terraform-provider-harvester [command]

This is the Terraform provider for Harvester. Terraform starts it by itself, without a command. People use

  doctor       look whether the provider can work with a cluster (doctor --help tells more)
  watch        show the images that a cluster is importing (watch --help tells more)
  --version    tell the version and the commit it was built from
  --help       show this text
  -debug       run as a server that a debugger can be attached to
`

func main() {
	if code, done := command(os.Args[1:], os.Stdout, os.Stderr); done {
		os.Exit(code)
	}
	serve(len(os.Args) > 1) // -debug is all that is left
}

// command does what people ask for; false if there is something to serve.
func command(arguments []string, out, trouble io.Writer) (code int, done bool) {
	if len(arguments) == 0 {
		return 0, false
	}
	switch arguments[0] {
	case "watch", "doctor":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		run := map[string]func(context.Context, string, []string, func(string) string, io.Writer, io.Writer) int{"watch": progress.Command, "doctor": doctor.Command}
		return run[arguments[0]](ctx, version, arguments[1:], os.Getenv, out, trouble), true
	case "--version", "-version", "version":
		info, _ := debug.ReadBuildInfo()
		_, _ = fmt.Fprintln(out, "terraform-provider-harvester "+version+built(commit, info))
		return 0, true
	case "--help", "-help", "-h", "help":
		_, _ = fmt.Fprint(out, usage)
		return 0, true
	case "--debug", "-debug", "--debug=true", "-debug=true":
		return 0, false
	}
	_, _ = fmt.Fprintf(trouble, "unknown command: %q\n\n%s", arguments[0], usage)
	return 2, true
}

// built tells the commit, as make or else Go noted it.
func built(commit string, info *debug.BuildInfo) string {
	if info != nil && commit == "" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	if commit == "" {
		return ""
	}
	return " (commit " + commit + ")"
}

func serve(debugged bool) {
	end := func() {}
	if !debugged {
		provider.LogLevels()
		provider.CollectGarbage()
		end = objects.KeepMarks(objects.StateKept)
		go exitWithTerraform()
		// CI ends all processes of a job at once. Terraform then interrupts its providers in good order.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
	}
	var options []tf6server.ServeOpt
	if debugged {
		options = append(options, tf6server.WithManagedDebug())
	}
	err := tf6server.Serve(provider.Address, provider.Server(version, objects.Interrupted), options...)
	end()
	if err != nil {
		log.Fatal(err)
	}
}

// exitWithTerraform ends the process when Terraform is gone: nobody is left to keep what it makes in a
// state. What it had begun is taken over by the next apply.
func exitWithTerraform() {
	terraform := os.Getppid()
	for range time.Tick(500 * time.Millisecond) {
		if os.Getppid() != terraform {
			os.Exit(1)
		}
	}
}
