// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Command terraform-provider-harvester is the Terraform provider for Harvester.
// With the argument "watch" it shows the images that a cluster is importing.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/harvester-community/terraform-provider-harvester/internal/objects"
	"github.com/harvester-community/terraform-provider-harvester/internal/progress"
	"github.com/harvester-community/terraform-provider-harvester/internal/provider"
)

// version is set by the build.
var version = "dev"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "watch" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := progress.Command(ctx, os.Args[2:], os.Getenv, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	serve()
}

func serve() {
	debug := flag.Bool("debug", false, "run as a server that a debugger can be attached to")
	flag.Parse()
	end := func() {}
	if !*debug {
		end = objects.KeepMarks(objects.StateKept)
		go exitWithTerraform()
		// CI ends all processes of a job at once. Terraform then interrupts its providers in good order.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
	}
	err := providerserver.Serve(context.Background(), provider.New(version), providerserver.ServeOpts{
		Address:         provider.Address,
		Debug:           *debug,
		ProtocolVersion: 6,
	})
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
