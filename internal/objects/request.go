// Copyright (c) the terraform-provider-harvester authors
// SPDX-License-Identifier: MPL-2.0

package objects

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/harvester-community/terraform-provider-harvester/internal/diagnose"
	"github.com/harvester-community/terraform-provider-harvester/internal/kube"
	"github.com/harvester-community/terraform-provider-harvester/internal/transport"
)

// Transient says that a request failed on its way or in a server in trouble, and that nothing more is
// known of it.
func Transient(err error) bool {
	_, final := errors.AsType[*DescribedError](err)
	return !final && kube.Transient(err)
}

// DescribedError is an error that has its diagnostics already: the step that met it knows more about
// it than its class tells.
type DescribedError struct{ Diagnostics diag.Diagnostics }

// Error is the general part of it.
func (d *DescribedError) Error() string { return d.Diagnostics[0].Summary() }

// Described is an error that has these diagnostics, if one of them is an error.
func Described(diags diag.Diagnostics) error {
	if !diags.HasError() {
		return nil
	}
	return &DescribedError{Diagnostics: diags}
}

// Failed describes an error, unless that was done already. See diagnose.API.
func Failed(doing, title, left string, err error) diag.Diagnostics {
	if known, ok := errors.AsType[*DescribedError](err); ok {
		return known.Diagnostics
	}
	return diag.Diagnostics{diagnose.API(doing, title, left, err)}
}

// Unchanged says what state a failed change leaves things in.
func Unchanged(err error) string {
	if unheard(err) {
		return "Whether it was changed is not known: the next plan shows what is left to do."
	}
	return "It was left as it was."
}

// unheard says that the answer to a request was lost, so that it may have taken effect.
func unheard(err error) bool {
	return kube.Transient(err) || errors.As(err, new(*transport.TooLargeError)) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// Fingerprint is the same for the same facts: what cannot change in an object. Two objects of one
// name with the same fingerprint are the same object.
func Fingerprint(facts ...any) string {
	text, _ := json.Marshal(facts)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
