// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package session

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
)

// Within runs the checks that a plan makes of one object, and ends them when their time is up: then they
// count as left out. A walk that has seen that once gives those that follow a tenth of the time, as there are many
// objects in a plan. Without a session, as when the provider is not configured, there is nobody to wait for.
func (s *Session) Within(ctx context.Context, check func(context.Context) diag.Diagnostics) diag.Diagnostics {
	if s == nil {
		return check(ctx)
	}
	limit := s.Checking
	if s.silent.Load() {
		limit /= 10
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found := check(ctx)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.silent.Store(true)
		found.Append(s.MustCheck(ctx.Err())...)
	}
	return found
}

// Unchecked warns, once a walk, that a check of the plan was left out because the cluster could not be read.
// An error that is an answer, such as a missing right, is the check's own business: it is no warning.
func (s *Session) Unchecked(err error) diag.Diagnostics {
	if err == nil || !kube.Transient(err) && !errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return s.MustCheck(err)
}

// MustCheck is Unchecked for what has to be readable, so that every error is worth the warning.
func (s *Session) MustCheck(err error) diag.Diagnostics {
	if err == nil || errors.Is(err, context.Canceled) || !s.warned.CompareAndSwap(false, true) {
		return nil
	}
	const unchecked = "So the plan was not checked against it. Apply checks again, right before it changes anything."
	detail := diagnose.API("look at everything in", "cluster", unchecked, err).Detail()
	if errors.Is(err, context.DeadlineExceeded) {
		detail = diagnose.Paragraphs("Could not look at everything in the cluster: it did not answer in time.", unchecked)
	}
	return diag.Diagnostics{diag.NewWarningDiagnostic("Checks were left out", detail)}
}
