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
	found := diagnose.API("look at everything in", "cluster", "So the plan was not checked against it. Apply checks again, right before it changes anything.", err)
	return diag.Diagnostics{diag.NewWarningDiagnostic("Checks were left out", found.Detail())}
}
