// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"flag"
	"fmt"
	"io"
	stdlog "log"
	"log/slog"
	"os"

	"github.com/sirupsen/logrus"
	"k8s.io/klog/v2"
)

// componentsLog takes what Kubernetes and Harvester log.
const componentsLog = "components.log"

// quieten sends what the components write to their log file, and returns the
// terminal and a logger that writes to it.
//
// A crash of the process is still seen on the terminal, because the runtime
// does not write through os.Stderr.
func quieten(options startOptions) (*os.File, *slog.Logger, error) {
	path := options.file(componentsLog)
	// The log of the run before may tell why it ended.
	_ = os.Rename(path, path+".old")
	components, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, err
	}
	terminal := os.Stdout
	os.Stdout, os.Stderr = components, components
	stdlog.SetOutput(components)
	quietenLibraries(components, terminal)
	return terminal, newLogger(terminal, options.debug), nil
}

func quietenLibraries(components, terminal io.Writer) {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	_ = flags.Set("logtostderr", "false")
	_ = flags.Set("alsologtostderr", "false")
	_ = flags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(components)
	logrus.SetOutput(components)
	logger := logrus.StandardLogger()
	logger.ExitFunc = func(code int) {
		fmt.Fprintf(terminal, "Harvester has given up; %s tells why.\n", componentsLog)
		os.Exit(code)
	}
}

// newLogger logs events with the time of day in milliseconds.
func newLogger(terminal io.Writer, debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(terminal, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, attribute slog.Attr) slog.Attr {
			if len(groups) == 0 && attribute.Key == slog.TimeKey {
				attribute.Value = slog.StringValue(attribute.Value.Time().Format("15:04:05.000"))
			}
			return attribute
		},
	}))
}
