// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

// Package manager makes what the controllers of the simulators have in common: a client and a manager that runs them.
package manager

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Off is an address that nothing listens on.
const off = "0"

// Scheme is a scheme of these types.
func Scheme(add ...func(*runtime.Scheme) error) *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, register := range add {
		if err := register(scheme); err != nil {
			// It is the same types at every start.
			panic(fmt.Sprintf("scheme: %v", err))
		}
	}
	return scheme
}

// Client returns a client that reads from the API itself, so that a controller always sees what it has done.
func Client(to *rest.Config, scheme *runtime.Scheme) (client.Client, error) {
	return client.New(quick(to), client.Options{Scheme: scheme})
}

// New returns a manager without any server of its own.
func New(to *rest.Config, scheme *runtime.Scheme, logger *slog.Logger) (manager.Manager, error) {
	sink := logr.FromSlogHandler(warnings{logger.Handler()})
	log.SetLogger(sink)
	sharedNames := true
	return manager.New(quick(to), manager.Options{
		Scheme:                 scheme,
		Logger:                 sink,
		Metrics:                server.Options{BindAddress: off},
		HealthProbeBindAddress: off,
		Controller:             config.Controller{SkipNameValidation: &sharedNames, Logger: sink},
	})
}

// retryAfter is how long a controller that was overtaken waits before it looks again.
const retryAfter = 100 * time.Millisecond

// Reconciler makes a reconciler that takes it easy when somebody else was faster, as happens every day.
func Reconciler(next func(context.Context, reconcile.Request) (reconcile.Result, error)) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		result, err := next(ctx, request)
		if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
			return reconcile.Result{RequeueAfter: retryAfter}, nil
		}
		return result, err
	})
}

// warnings leaves out what a controller manager says when all is well.
type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

// Log is the logger of options that may have none.
func Log(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return logger
}

func quick(to *rest.Config) *rest.Config {
	to = rest.CopyConfig(to)
	to.QPS, to.Burst = 200, 400
	return to
}
